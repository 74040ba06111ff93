"""Tell whether a process that was written down is still that process. Imports ``os`` alone."""

from __future__ import annotations

import os
import sys
from typing import Final

_STATE, _START_TIME = 0, 19  # fields 3 and 22 of /proc/PID/stat, counted from behind the command's name
_GONE: Final = b"ZXx"


def start_time(pid: int) -> int | None:
    """Return when a live process started, in the kernel's ticks since boot; None where there is no such process.

    A zombie is not alive: it has ended, and only its parent has not asked. Where the system has no ``/proc`` the answer
    for a live process is 0, so that a comparison still tells whether the pid exists.
    """
    if pid <= 0:
        return None
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - pathlib is not imported by light commands
            fields = file.read().rpartition(b") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None if sys.platform == "linux" else _without_proc(pid)
    return None if fields[_STATE] in _GONE else int(fields[_START_TIME])


def _without_proc(pid: int) -> int | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        return 0
    return 0
