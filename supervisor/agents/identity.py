"""Who a process is: its line in ``/proc`` and the facts that no other process of any time can share."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import NamedTuple

from supervisor.units.driver import Identity


class Stat(NamedTuple):
    """What ``/proc/PID/stat`` tells about a process (a named tuple, since a scan makes thousands of them)."""

    pid: int
    state: str
    parent: int
    group: int
    session: int
    start_time: int
    dead: bool
    """Nothing of it runs any more. A process whose first thread has ended shows as a zombie too, and is not dead."""


def parse_stat(line: bytes) -> Stat:
    """Read one line of ``/proc/PID/stat``. The name in it may hold anything, so the last parenthesis ends it."""
    head, _, tail = line.rpartition(b")")
    fields = tail.split(None, 20)
    state = fields[0].decode()
    return Stat(
        pid=int(head[: head.index(b" ")]),
        state=state,
        parent=int(fields[1]),
        group=int(fields[2]),
        session=int(fields[3]),
        start_time=int(fields[19]),
        dead=state in "ZXx" and int(fields[17]) <= 1,
    )


def read_proc(pid: int, name: str) -> bytes | None:
    """Return a file of ``/proc/PID``, or None where the process is gone or not ours to look at."""
    try:
        descriptor = os.open(f"/proc/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    try:
        parts = []
        while part := os.read(descriptor, 65536):
            parts.append(part)
        return b"".join(parts)
    except (ProcessLookupError, PermissionError):
        return None
    finally:
        os.close(descriptor)


def read_stat(pid: int) -> Stat | None:
    """Return the line of a process, or None where there is none."""
    line = read_proc(pid, "stat")
    return parse_stat(line) if line else None


@functools.cache
def boot_id() -> str:
    """Return the name that the kernel gave to this boot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def identity_of(stat: Stat) -> Identity:
    """Return the identity of a process of this boot."""
    return Identity(pid=stat.pid, start_time=stat.start_time, boot_id=boot_id())
