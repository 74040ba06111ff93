"""Reap what agents leave behind: the daemon inherits it as a child subreaper, and must not let zombies pile up."""

from __future__ import annotations

import contextlib
import ctypes
import math
import os
import signal
import time
from collections.abc import Iterator
from types import FrameType
from typing import Final

import trio

from supervisor.agents.children import direct_children
from supervisor.agents.exits import ExitWatcher
from supervisor.agents.identity import Stat, read_stat

_PAUSE: Final = 1.0
"""Seconds from a sign (SIGCHLD) to the look: many ends make one look, and an idle daemon never looks."""
_PR_SET_CHILD_SUBREAPER: Final = 36
_PR_GET_CHILD_SUBREAPER: Final = 37
_TICKS: Final = os.sysconf("SC_CLK_TCK")


def become_subreaper(*, on: bool = True) -> None:
    """Make orphans below this process its children instead of init's (or no longer). For the daemon, at its start."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"cannot become the reaper of orphans: {os.strerror(number)}")


def is_subreaper() -> bool:
    """Tell whether orphans below this process become its children."""
    answer = ctypes.c_int(0)
    ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(answer), 0, 0, 0)
    return bool(answer.value)


class Flights:
    """The starts that are under way: their processes may exist, and only the starting thread knows them yet."""

    def __init__(self) -> None:
        self._begun: dict[int, float] = {}
        self._last = 0

    def depart(self) -> int:
        """Note that a start begins. Returns its number for :meth:`land`."""
        self._last += 1
        # On the clock and in the unit of a process's start time, and rounded down to be before it for certain.
        self._begun[self._last] = math.floor(time.clock_gettime(time.CLOCK_BOOTTIME) * _TICKS) - 1
        return self._last

    def land(self, number: int) -> None:
        """Note that its process is known now, or will never be. Idempotent."""
        self._begun.pop(number, None)

    def may_have_made(self, stat: Stat) -> bool:
        """Tell whether the process may belong to a start that is under way."""
        return any(begun <= stat.start_time for begun in self._begun.values())


def _do_nothing(_number: int, _frame: FrameType | None) -> None:
    """Take a SIGCHLD that nobody listens for."""


class OrphanReaper:
    """Reaps dead children that nobody else waits for."""

    def __init__(self, exits: ExitWatcher, flights: Flights) -> None:
        self._exits = exits
        self._flights = flights

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Reap orphans until cancelled. Woken by SIGCHLD only."""
        if not callable(signal.getsignal(signal.SIGCHLD)):
            # Python complains of a "race condition" where a signal finds its handler gone, so there is always one.
            signal.signal(signal.SIGCHLD, _do_nothing)
        task_status.started()
        while True:
            # Nobody listens during the pause: many ends in a row then cost one wake-up and one look.
            with trio.open_signal_receiver(signal.SIGCHLD) as signals:
                if not self.reap():
                    await anext(signals)
            await trio.sleep(_PAUSE)

    def reap(self) -> bool:
        """Reap every orphan that is certainly one; True where there are others to be looked at again."""
        doubtful = False
        for stat in self._dead_orphans():
            if self._flights.may_have_made(stat):
                doubtful = True
                continue
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PID, stat.pid, os.WEXITED | os.WNOHANG)
        return doubtful

    def _dead_orphans(self) -> Iterator[Stat]:
        own_session = os.getsid(0)
        for pid in direct_children():
            if self._exits.claims(pid):
                continue
            stat = read_stat(pid)
            # A library's subprocess is in our own session, and the library waits for it. An agent's is in another.
            if stat is not None and stat.dead and stat.session != own_session:
                yield stat
