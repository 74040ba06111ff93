"""Take a picture of the process table, once for all who want one at the same time."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Generic, TypeVar

import trio

from supervisor.agents.identity import Stat, read_proc, read_stat
from supervisor.agents.marks import mark_from_block, seal_from
from supervisor.agents.tree import Picture, Process

T = TypeVar("T")


def take_picture(*, read_marks: bool = False) -> Picture:
    """Look at every process of this system. Blocks for some 30 microseconds per process.

    The environment is read only where there is no seal, unless ``read_marks`` asks for all of them.
    """
    found = (look_at(int(name), read_mark=read_marks) for name in os.listdir("/proc") if name.isdecimal())  # noqa: PTH208 - twice as fast
    return Picture({process.pid: process for process in found if process is not None}, taken_by=os.getpid())


def look_at(pid: int, *, read_mark: bool = False) -> Process | None:
    """Return one process, or None where there is none. See :func:`take_picture` for ``read_mark``."""
    stat = read_stat(pid)
    if stat is None:
        return None
    if _is_kernel_thread(stat):
        return Process(stat, None, None)
    seal = seal_from(read_proc(pid, "limits") or b"")
    mark = mark_from_block(read_proc(pid, "environ") or b"") if read_mark or seal is None else None
    return Process(stat, seal, mark)


def _is_kernel_thread(stat: Stat) -> bool:
    return stat.group == 0 and stat.session == 0


class _Look(Generic[T]):
    """One look, and those who wait for it keep it alive: a picture is not kept longer than it is wanted."""

    __slots__ = ("done", "result")

    def __init__(self) -> None:
        self.done = False
        self.result: T


class Shared(Generic[T]):
    """Runs a blocking look for several callers at once, each of whom gets a look that began after the call.

    Whoever comes while a look is being taken may have come too late for it, and so gets the next one: any number of
    callers costs two looks at most.
    """

    def __init__(self, look: Callable[[], T]) -> None:
        self._look = look
        self._next: _Look[T] = _Look()
        self._running = False
        self._changed = trio.Event()
        self._limiter = trio.CapacityLimiter(1)

    async def fresh(self) -> T:
        """Return the result of a look that began after this call.

        A cancel takes effect when the look that is being taken for this caller, if any, has ended; the other callers
        then take theirs themselves.
        """
        look = self._next
        while not look.done:
            if self._running:
                await self._changed.wait()
            else:
                await self._take(look)
        return look.result

    async def _take(self, look: _Look[T]) -> None:
        self._running = True
        if look is self._next:
            self._next = _Look()
        try:
            look.result = await trio.to_thread.run_sync(self._look, limiter=self._limiter)
            look.done = True
        finally:
            self._running = False
            self._changed.set()
            self._changed = trio.Event()
