"""What the daemon does to its own process so that it can be the parent of agents; and what that needs of the system.

Needed is Linux 5.4 with ``/proc`` (pidfds that can be waited for). Later kernels add: signals to a group by pidfd (6.9;
before, by number while it is certain) and the exit status of adopted processes that init has reaped (6.15; before, it
is unknown unless we saw the zombie).
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from types import FrameType
from typing import Final

from attrs import frozen

from supervisor.agents.orphans import become_subreaper, is_subreaper
from supervisor.descriptors import DescriptorLimits, current_limits, raise_descriptor_limit
from supervisor.errors import DriverError

_RESET_BY_POPEN: Final = frozenset({signal.SIGPIPE, signal.SIGXFSZ})
"""Python itself ignores these, and gives children the default again."""


@frozen(kw_only=True)
class Host:
    """How this process stands as a parent of agents."""

    descriptors: DescriptorLimits
    subreaper: bool

    @classmethod
    def as_it_is(cls) -> Host:
        """Return the standing of this process without changing anything: for tests and for embedding a driver."""
        return cls(descriptors=current_limits(), subreaper=is_subreaper())


def prepare_host() -> Host:
    """Make this process fit to run agents. Call it once, early, on the main thread, in the daemon only.

    It becomes the reaper of orphans, may have more descriptors, and hands on neither a descriptor nor an ignored or
    blocked signal that it was itself started with.
    """
    check_system()
    seal_descriptors()
    unblock_signals()
    become_subreaper()
    return Host(descriptors=raise_descriptor_limit(), subreaper=True)


def check_system() -> None:
    """Raise ``DriverError`` where processes cannot be supervised."""
    missing = sys.platform != "linux" or not hasattr(os, "pidfd_open")
    if not missing:
        try:
            os.close(os.pidfd_open(os.getpid()))
        except OSError:
            missing = True
    if missing:
        raise DriverError(
            "this system cannot run agents: it has no descriptors of processes (pidfd_open)",
            hint="Linux 5.4 or later is needed, and a sandbox must allow the call",
        )


def seal_descriptors() -> None:
    """Make every open descriptor but the standard three close-on-exec, whoever left it to us."""
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - numbers are wanted, not paths
        descriptor = int(name)
        if descriptor > 2:
            _seal(descriptor)


def _seal(descriptor: int) -> None:
    try:
        flags = fcntl.fcntl(descriptor, fcntl.F_GETFD)
        fcntl.fcntl(descriptor, fcntl.F_SETFD, flags | fcntl.FD_CLOEXEC)
    except OSError:
        return  # the descriptor with which the folder was listed, closed since


def unblock_signals() -> None:
    """Stop ignoring and blocking signals because our own parent did (``nohup``, a shell's ``&``).

    Ignored and blocked signals are inherited through exec, so an agent could not be stopped by them. A handler that
    does nothing is as good for us, and the kernel puts the default back for whoever is executed.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in signal.valid_signals():
        if number not in _RESET_BY_POPEN and signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, _do_nothing)


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Take a signal that this process was started to ignore."""
