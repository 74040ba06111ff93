"""The thread that moves what the agents write from their FIFOs into their log files.

One thread serves all streams. It sleeps in the kernel until a FIFO has something, moves all of it, and only looks again
after a pause that adapts to how full the FIFOs were: bytes that trickle are moved in batches, bytes that pour are moved
before their writer has to wait. When nothing is written nothing wakes up.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Final

from supervisor.logs.growth import Growth
from supervisor.logs.source import Source, Visit
from supervisor.logs.table import Table

LONGEST_PAUSE: Final = 0.025
"""The longest pause (s) between two batches while nobody follows any log."""
FOLLOWED_PAUSE: Final = 0.01
"""The same while somebody does."""
_SHORTEST_PAUSE: Final = 0.0002
_FULL: Final = 0.5
_EMPTY: Final = 0.3
_PATIENCE: Final = 0.05
"""How long the pump waits for a stream that another thread works on before it turns to the others."""


class Pump:
    """One run of the thread. What must outlive it is in the table.

    ``on_rotation`` is called from the thread after files were rotated; it must not block.
    """

    def __init__(self, table: Table, growth: Growth, on_rotation: Callable[[], None]) -> None:
        self._table = table
        self._growth = growth
        self._on_rotation = on_rotation
        self._stopping = False
        self._pause = 0.0
        self._last_batch = 0.0
        self._open: OrderedDict[Source, None] = OrderedDict()
        self._retries: list[tuple[float, int, Source]] = []
        self._order = itertools.count()

    def stop(self) -> None:
        """Make :meth:`run` return after one more look at every FIFO. From any thread; idempotent."""
        self._stopping = True
        self._table.wake()

    def run(self) -> None:
        """Pump until stopped."""
        try:
            for source in tuple(self._table.sources.values()):
                self._table.watch(source)
            while not self._stopping:
                ready = self._table.wait(self._timeout())
                if ready:
                    self._rest()
                self._batch(ready + self._due_again())
            self._batch(tuple(self._table.sources.values()))
        finally:
            for source in self._open:
                source.release()

    def _batch(self, sources: Iterable[Source]) -> None:
        now = time.time_ns()
        visits = [visit for visit in (self._visit(source, now) for source in sources) if visit is not None]
        if visits:
            longest = FOLLOWED_PAUSE if self._growth.is_awaited else LONGEST_PAUSE
            self._pause = next_pause(self._pause, max(visit.fill for visit in visits), longest)
            self._last_batch = time.monotonic()
        if self._growth.due() == 0.0:
            self._growth.flush()
        if any(visit.rotated for visit in visits):
            self._on_rotation()

    def _visit(self, source: Source, now: int) -> Visit | None:
        try:
            visit = source.visit(now, patience=_PATIENCE)
        except OSError as error:
            self._fail(source, error)
            return None
        if source.failing_since is not None:
            source.failing_since = None
            source.error = ""
            source.retries = 0
            self._table.watch(source)
        if visit.moved:
            self._growth.note(source)
            self._keep_open(source)
        return visit

    def _fail(self, source: Source, error: OSError) -> None:
        """Leave the bytes in the FIFO and try again later, each time a little later."""
        settings = self._table.settings
        source.error = str(error)
        if source.failing_since is None:
            source.failing_since = time.time()
        self._table.ignore(source)
        delay = min(settings.retry_longest, settings.retry_first * 2**source.retries)
        source.retries = min(source.retries + 1, 16)
        heapq.heappush(self._retries, (time.monotonic() + delay, next(self._order), source))

    def _due_again(self) -> list[Source]:
        due = []
        while self._retries and self._retries[0][0] <= time.monotonic():
            due.append(heapq.heappop(self._retries)[2])
        return due

    def _keep_open(self, source: Source) -> None:
        """Remember who wrote last, and close the files of who has not written for the longest time."""
        self._open[source] = None
        self._open.move_to_end(source)
        while len(self._open) > self._table.settings.open_files:
            self._open.popitem(last=False)[0].release()

    def _rest(self) -> None:
        """Keep the pause between two batches, so that bytes which trickle in are moved together."""
        left = self._last_batch + self._pause - time.monotonic()
        if left > 0:
            time.sleep(left)

    def _timeout(self) -> float | None:
        timers = [due for due in (self._growth.due(),) if due is not None]
        if self._retries:
            timers.append(max(0.0, self._retries[0][0] - time.monotonic()))
        return min(timers, default=None)


def next_pause(pause: float, fill: float, longest: float) -> float:
    """Return the pause (s) to keep after a batch that found the fullest FIFO at ``fill``.

    It doubles while FIFOs are nearly empty, but not beyond ``longest``, and halves while they are more than half full,
    so that it settles where each batch moves a good part of what the kernel can hold.
    """
    if fill >= _FULL:
        return pause / 2 if pause > _SHORTEST_PAUSE else 0.0
    return min(longest, pause if fill >= _EMPTY else max(_SHORTEST_PAUSE, pause * 2))
