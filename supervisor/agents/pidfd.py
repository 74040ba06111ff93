"""Hold a process by a descriptor instead of a number: what can be recycled is never signalled."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import struct
from typing import Final

from supervisor.agents.identity import read_stat

_SIGNAL_GROUP: Final = 1 << 2  # PIDFD_SIGNAL_PROCESS_GROUP, Linux 6.9
_GET_INFO: Final = (3 << 30) | (64 << 16) | (0xFF << 8) | 11  # PIDFD_GET_INFO, Linux 6.13
_INFO_EXIT: Final = 1 << 3  # PIDFD_INFO_EXIT, Linux 6.15
_INFO: Final = struct.Struct("=Q52xi")
"""``struct pidfd_info`` in its first version: the mask, then cgroup, pids and ids, then the wait status."""


def open_pidfd(pid: int, start_time: int) -> int | None:
    """Return a descriptor of the process with this pid and start time; None where there is no such process.

    The descriptor comes first and the look second: a pid that was recycled in between shows another start time. Raises
    ``OSError`` where the system has no descriptor to give.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    except OSError as error:
        if error.errno in {errno.EINVAL, errno.ENOENT}:  # the number of a thread (by kernel), or no possible pid
            return None
        raise
    stat = read_stat(pid)
    if stat is None or stat.start_time != start_time:
        os.close(descriptor)
        return None
    return descriptor


def send_signal(descriptor: int, number: int) -> bool:
    """Send a signal to one process. False where it is gone; ``PermissionError`` where it is not ours to signal."""
    try:
        signal.pidfd_send_signal(descriptor, number)
    except ProcessLookupError:
        return False
    return True


def send_group_signal(descriptor: int, pid: int, number: int) -> bool:
    """Send a signal to the group that the process leads. False where nothing of the group is left.

    ``pid`` serves older kernels, and must be known to be unreaped.
    """
    try:
        signal.pidfd_send_signal(descriptor, number, None, _SIGNAL_GROUP)
    except ProcessLookupError:
        return False
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return _kill_group(pid, number)
    return True


def _kill_group(pid: int, number: int) -> bool:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return False
    return True


def reaped_status(descriptor: int) -> int | None:
    """Return the wait status that the kernel keeps of a reaped process, or None (kernels before 6.15 keep none)."""
    answer = bytearray(_INFO.pack(_INFO_EXIT, 0))
    try:
        fcntl.ioctl(descriptor, _GET_INFO, answer)
    except OSError:
        # ESRCH: not reaped yet; ENOTTY and EINVAL: a kernel that cannot tell. Either way there is nothing to report.
        return None
    mask, status = _INFO.unpack(answer)
    return status if mask & _INFO_EXIT else None
