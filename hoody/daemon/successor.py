"""Replace the daemon in place: the same process goes on as another version of the program.

The pid stays, so agents stay its children and their ends are told exactly. What is handed on by descriptor: the sockets
that listen, on which clients queue meanwhile instead of being refused, and the lock of the home, which is never free.
Everything else is found again as after any death: this is the road that a killed daemon takes, with company.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import Final, NoReturn

from attrs import frozen

from supervisor.errors import Unavailable

CHECK_WITHIN: Final = 30.0


@frozen(kw_only=True)
class Inheritance:
    """What a daemon hands on to the one that takes its place."""

    sockets: tuple[int, ...]
    lock: int
    background: bool
    descriptors: int
    """The soft limit on descriptors that agents are to start with."""

    @property
    def words(self) -> list[str]:
        """The same as arguments of ``python -m hoody.daemon``."""
        sockets = ",".join(map(str, self.sockets))
        return ["--listen-fds", sockets, "--lock-fd", str(self.lock), *(["--background"] if self.background else ())]

    def replace_this_process(self) -> NoReturn:
        """Become the program as it is on disk now. Raises ``OSError`` where that is impossible."""
        for descriptor in (*self.sockets, self.lock):
            os.set_inheritable(descriptor, True)  # noqa: FBT003 - the standard library's own signature
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.descriptors, hard))
        os.execv(sys.executable, [sys.executable, "-m", "hoody.daemon", *self.words])  # noqa: S606 - that is the point


def check_program() -> str:
    """Return the version of the program on disk, or raise ``Unavailable`` where it does not start. Blocks."""
    command = [sys.executable, "-m", "hoody.daemon", "--check"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=CHECK_WITHIN)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"the program on disk does not start: {error}", hint="nothing was changed") from None
    if found.returncode != 0:
        last = (found.stderr.strip().splitlines() or [f"exit code {found.returncode}"])[-1]
        raise Unavailable(f"the program on disk does not start: {last}", hint="nothing was changed")
    return found.stdout.strip()
