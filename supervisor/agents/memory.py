"""Tell whether a process that was killed fell to the system's out-of-memory killer.

The wait status only says SIGKILL. Two witnesses know more. The kernel's log names the victim's pid; where it can be
read, it decides, and a look costs a microsecond as long as nothing new is in it. Otherwise the kernel counts its kills
per control group, and raises the count before the victim gets its signal.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_VICTIM: Final = re.compile(rb"Killed process (\d+)")
_COUNT: Final = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
_RECORD_LIMIT: Final = 8192
_REMEMBERED: Final = 64
"""So many victims are remembered that nobody has asked about yet: most are not ours, and their pids are used again."""
_FIRST_PID_NAMESPACE: Final = 0xEFFFFFFC
"""The number that the kernel gives to the namespace that it makes itself (``PROC_PID_INIT_INO``)."""


def counter_file(cgroup: str, root: Path = Path("/sys/fs/cgroup")) -> Path | None:
    """Return the file that counts the kills in a control group, from the text of ``/proc/PID/cgroup``.

    Version 1 has a line such as ``4:memory:/user``, version 2 the line ``0::/user.slice``. The root group of version 2
    counts nothing; then there is None.
    """
    unified: Path | None = None
    for _, controllers, path in _lines(cgroup):
        if "memory" in controllers.split(","):
            return root / "memory" / path.lstrip("/") / "memory.oom_control"
        if not controllers and path != "/":
            unified = root / path.lstrip("/") / "memory.events"
    return unified


def hides_the_dead(cgroup: str) -> bool:
    """Tell whether this text of a dead process says nothing: version 1 shows the root group for all of the dead."""
    return any("memory" in controllers.split(",") and path == "/" for _, controllers, path in _lines(cgroup))


def _lines(cgroup: str) -> Iterator[tuple[str, str, str]]:
    for line in cgroup.splitlines():
        number, controllers, path = line.split(":", 2)
        yield number, controllers, path


def count_from(text: str) -> int | None:
    """Return the number of kills from ``memory.events`` or ``memory.oom_control``."""
    found = _COUNT.search(text)
    return int(found[1]) if found else None


def victim_from(record: bytes) -> int | None:
    """Return the pid that a record of the kernel's log names as killed for want of memory."""
    if b"ut of memory" not in record:  # "Out of memory: ..." or "Memory cgroup out of memory: ..."
        return None
    found = _VICTIM.search(record)
    return int(found[1]) if found else None


class KernelLog:
    """The kernel's log from now on, where this user may read it."""

    def __init__(self, path: str = "/dev/kmsg") -> None:
        self._victims: deque[int] = deque(maxlen=_REMEMBERED)
        self._descriptor: int | None = None
        if not _pids_are_the_kernels():
            return
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._descriptor, 0, os.SEEK_END)
        except OSError:
            return  # no such device (a container), or not for this user

    @property
    def readable(self) -> bool:
        """Whether this witness can be heard."""
        return self._descriptor is not None

    def names(self, pid: int) -> bool:
        """Tell whether the log has named ``pid`` since the last question about it."""
        self._victims.extend(victim for record in self._records() if (victim := victim_from(record)) is not None)
        if pid not in self._victims:
            return False
        self._victims.remove(pid)
        return True

    def close(self) -> None:
        """Stop listening. Idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _records(self) -> Iterator[bytes]:
        while self._descriptor is not None:
            try:
                record = os.read(self._descriptor, _RECORD_LIMIT)
            except BlockingIOError:
                return
            except BrokenPipeError:
                continue  # records were overwritten before we read them; the next read goes on behind the gap
            if not record:
                return
            yield record


class OutOfMemory:
    """Judges deaths by SIGKILL. Reads small files of the kernel, and only when there was such a death."""

    def __init__(self, log: KernelLog, root: Path = Path("/sys/fs/cgroup")) -> None:
        self._log = log
        self._root = root
        self._counts: dict[Path, int] = {}
        self._own = _cgroup_of("self")
        self.note(self._own)

    def note(self, cgroup: str) -> None:
        """Remember how many kills a control group has had, so that the next one is seen as new."""
        path = counter_file(cgroup, self._root)
        count = _read_count(path)
        if path is not None and count is not None:
            self._counts[path] = count

    def killed(self, pid: int, cgroup: str | None = None) -> bool:
        """Tell whether the process, which is dead and not reaped yet, was killed for want of memory."""
        if self._log.readable:
            return self._log.names(pid)
        cgroup = _cgroup_of(str(pid)) if cgroup is None else cgroup
        if hides_the_dead(cgroup):
            cgroup = self._own  # the best guess: what we start is in our own group unless it leaves it
        path = counter_file(cgroup, self._root)
        count = _read_count(path)
        # A group that was not known before has come up since we looked, so all of its kills are new.
        before = self._counts.get(path, 0) if path is not None else 0
        if path is None or count is None or count <= before:
            return False
        # Nobody can say which of several deaths a kill belongs to, so each counted kill is given to one of them.
        self._counts[path] = before + 1
        return True

    def close(self) -> None:
        """Give the descriptors back."""
        self._log.close()


def _pids_are_the_kernels() -> bool:
    """Tell whether our pids are those that the kernel's log names: not so in the process namespace of a container."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino == _FIRST_PID_NAMESPACE
    except OSError:
        return False


def _cgroup_of(who: str) -> str:
    try:
        return Path(f"/proc/{who}/cgroup").read_text(encoding="utf-8")
    except OSError:
        return ""


def _read_count(path: Path | None) -> int | None:
    if path is None:
        return None
    try:
        return count_from(path.read_text(encoding="ascii"))
    except OSError:
        return None
