"""Kill processes that were found in a picture, each of them identified again first."""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Final, Self

import trio

from supervisor.agents.pidfd import open_pidfd, send_signal
from supervisor.agents.tree import Process

AT_ONCE: Final = 64
"""So many processes are killed and waited for together; each takes a descriptor meanwhile."""


class Victims:
    """Some processes on their way to their end. Use it as a context manager: it holds descriptors."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._waiting: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        for pidfd in self._waiting:
            os.close(pidfd)
        self._epoll.close()

    def kill(self, processes: Iterable[Process]) -> None:
        """Send SIGKILL to each process that is still the one in the picture. Blocks for microseconds each."""
        for process in processes:
            try:
                pidfd = open_pidfd(process.pid, process.stat.start_time)
            except OSError:
                return  # no descriptor left: those killed so far give theirs back before the next ones are tried
            if pidfd is None:
                continue
            try:
                waiting = send_signal(pidfd, signal.SIGKILL)
            except PermissionError:
                waiting = False  # another user's program; it is found and named again when the time is up
            if waiting:
                self._waiting[pidfd] = process.pid
                self._epoll.register(pidfd, select.EPOLLIN)
            else:
                os.close(pidfd)

    def __len__(self) -> int:
        return len(self._waiting)

    async def gone(self, spared: Callable[[int], bool]) -> None:
        """Wait until all of them are dead, and reap those that are children of ours, unless their pid is ``spared``."""
        while self._waiting:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            for pidfd, _ in self._epoll.poll(0):
                pid = self._waiting.pop(pidfd)
                self._epoll.unregister(pidfd)
                if not spared(pid):
                    _reap(pidfd)
                os.close(pidfd)


def _reap(pidfd: int) -> None:
    try:
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
    except ChildProcessError:
        return  # its parent is somebody else, who reaps it or ends too and leaves it to us
