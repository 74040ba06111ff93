"""Faults that need a hand on the machine: a full disk, a daemon without descriptors, forged files."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from hoody.home import Home

DISK: Final = 96
"""Mebibytes of the small disk."""
_BLOCK: Final = b"\0" * (1 << 20)


class SmallDisk:
    """A disk of its own for the home, where this user may mount one; otherwise the home stays where it is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}m,mode=0700", "tmpfs", str(folder)]
        self.mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0

    @contextlib.contextmanager
    def full(self) -> Iterator[None]:
        """Have no byte free on it meanwhile."""
        ballast = self._folder / "ballast"
        with ballast.open("wb", buffering=0) as file:
            with contextlib.suppress(OSError):
                while file.write(_BLOCK) == len(_BLOCK):
                    pass
            try:
                yield
            finally:
                ballast.unlink()

    def close(self) -> None:
        """Take it away."""
        if self.mounted:
            subprocess.run(["umount", "-l", str(self._folder)], check=True)


@contextlib.contextmanager
def without_descriptors(pid: int) -> Iterator[None]:
    """Let a process open nothing more meanwhile."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    in_use = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (in_use, before[1]))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def forge_files(home: Home, dice: random.Random) -> None:
    """Leave files behind as no daemon writes them: cut off, of somebody else, or not at all."""
    for path in dice.sample([home.daemon_file, home.lock_file, home.stopping_file], 2):
        content = dice.choice((b"", b'{"pid": 1, "start_time": 0', b'{"pid": 1, "start_time": 1}', b"\xff\x00" * 50))
        Path(path).write_bytes(content)
        Path(path).chmod(0o600)
