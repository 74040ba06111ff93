"""Tell whether a process that was killed fell to the system's out-of-memory killer.

The wait status only says SIGKILL. Two witnesses know more: the kernel counts its kills per control group, and it writes
the pid into its log. The counter is raised before the victim gets its signal, so it is never late; the log names the
victim, but not everybody may read it. Where both can be heard they must agree.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_VICTIM: Final = re.compile(rb"Killed process (\d+)")
_COUNT: Final = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)
_RECORD_LIMIT: Final = 8192


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
        self._victims: set[int] = set()
        try:
            self._descriptor: int | None = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            os.lseek(self._descriptor, 0, os.SEEK_END)
        except OSError:
            self._descriptor = None  # no such device (a container), or not for this user

    @property
    def readable(self) -> bool:
        """Whether this witness can be heard."""
        return self._descriptor is not None

    def names(self, pid: int) -> bool:
        """Tell whether the log has named ``pid`` since the last question about it."""
        self._victims.update(victim for record in self._records() if (victim := victim_from(record)) is not None)
        if pid not in self._victims:
            return False
        self._victims.discard(pid)
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
        cgroup = _cgroup_of(str(pid)) if cgroup is None else cgroup
        if hides_the_dead(cgroup):
            if self._log.readable:
                return self._log.names(pid)
            cgroup = self._own  # the best guess: what we start is in our own group unless it leaves it
        counted = self._counted(cgroup)
        if counted is False:
            return False
        if self._log.readable:
            return self._log.names(pid)
        return bool(counted)

    def close(self) -> None:
        """Give the descriptors back."""
        self._log.close()

    def _counted(self, cgroup: str) -> bool | None:
        """Tell whether the group has had a new kill; None where nothing counts."""
        path = counter_file(cgroup, self._root)
        count = _read_count(path)
        if path is None or count is None:
            return None
        # A group that was not known before has come up since we looked, so all of its kills are new.
        before = self._counts.get(path, 0)
        if not self._log.readable:
            # Nobody can say which of several deaths a kill belongs to, so each counted kill is given to one of them.
            self._counts[path] = min(count, before + 1)
        return count > before


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
