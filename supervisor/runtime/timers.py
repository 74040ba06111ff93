"""Every deadline of a system in one heap and one task, so that a timer costs a heap entry and not a task.

Entries that are no longer wanted stay in the heap until they surface or until half of it is stale; the task may then
wake once for nothing, which is far cheaper than taking each answered request out of the heap.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from typing import Protocol

import trio

_COMPACT_ABOVE = 64


class Due(Protocol):
    """Something that waits for its time."""

    @property
    def ended(self) -> bool:
        """Whether it no longer waits; an entry that has ended never becomes due."""

    def due(self) -> None:
        """Its time has come. Runs on the trio thread; must neither block nor raise."""

    def dropped(self) -> None:
        """The system is gone, and its time will never come."""


class Timer:
    """One callback at one time, unless cancelled before."""

    __slots__ = ("_callback", "_timers", "when")

    def __init__(self, timers: Timers, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self._timers = timers
        self._callback: Callable[[], None] | None = callback

    @property
    def ended(self) -> bool:
        """Whether it has fired or was cancelled."""
        return self._callback is None

    def due(self) -> None:
        """Call back, once."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()

    def dropped(self) -> None:
        """Forget the callback."""
        self._callback = None

    def cancel(self) -> None:
        """Never call back. Safe at any time, any number of times."""
        if self._callback is not None:
            self._callback = None
            self._timers.note_ended()


class Timers:
    """The heap and its task. All times are those of ``trio.current_time()``."""

    __slots__ = ("_heap", "_lifetime", "_scope", "_sequence", "_stale", "closed")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Due]] = []
        self._sequence = 0
        self._stale = 0
        self._scope = trio.CancelScope()
        self._lifetime = trio.CancelScope()
        self.closed = False

    def __len__(self) -> int:
        """Return how many entries still wait."""
        return len(self._heap) - self._stale

    @property
    def size(self) -> int:
        """How many entries the heap holds, stale ones included."""
        return len(self._heap)

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` on the trio thread at ``when``, or as soon as possible where that has passed."""
        timer = Timer(self, when, callback)
        self.add(when, timer)
        return timer

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call ``callback`` after ``delay`` seconds."""
        return self.call_at(trio.current_time() + delay, callback)

    def add(self, when: float, entry: Due) -> None:
        """Make ``entry`` due at ``when``. Entries of one time become due in the order in which they were added."""
        if self.closed:
            entry.dropped()
            return
        self._sequence += 1
        heappush(self._heap, (when, self._sequence, entry))
        if when < self._scope.deadline:  # noqa: PLR1730 - an assignment costs as much as the rest, even of the same value
            self._scope.deadline = when

    def note_ended(self) -> None:
        """Take note that one entry has ended before its time."""
        self._stale += 1
        if self._stale > _COMPACT_ABOVE and self._stale * 2 > len(self._heap):
            self._heap = [item for item in self._heap if not item[2].ended]
            heapify(self._heap)
            self._stale = 0

    async def run(self) -> None:
        """Serve the heap until :meth:`close`.

        Belongs into a nursery that is shielded from outside: an orderly stop under cancellation needs its timers.
        """
        with self._lifetime:
            while True:
                deadline = self._heap[0][0] if self._heap else math.inf
                with trio.CancelScope(deadline=deadline) as self._scope:
                    await trio.sleep_forever()
                self._fire(trio.current_time())

    def close(self) -> None:
        """End the task and tell every entry that its time will never come."""
        self.closed = True
        self._lifetime.cancel(reason="the system has ended")
        heap, self._heap, self._stale = self._heap, [], 0
        for _when, _sequence, entry in heap:
            if not entry.ended:
                entry.dropped()

    def _fire(self, now: float) -> None:
        # Entries added meanwhile wait for the next round, so that a chain of zero delays cannot hold the loop.
        last = self._sequence
        while self._heap and self._heap[0][0] <= now and self._heap[0][1] <= last:
            entry = heappop(self._heap)[2]
            if entry.ended:
                self._stale -= 1
            else:
                entry.due()
