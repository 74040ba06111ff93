"""Read logs from a trio task: what is there, and what comes. Files are read in worker threads."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, Self, TypeVar

import trio

from supervisor.errors import InvalidInput
from supervisor.logs.entries import Entry, Gap, Selection
from supervisor.logs.position import Position, format_cursor
from supervisor.logs.rounds import Round, going_on
from supervisor.logs.settings import Key

_THREADS: Final = 4
_PATIENCE: Final = 0.25
"""How long a follower waits for the rest of a line before it is given the beginning."""
T = TypeVar("T")


class Capture(Protocol):
    """What reading needs of the log store."""

    def incarnation(self, unit: str) -> int:
        """Return the current incarnation of a unit, 0 where that is not known."""

    async def wait_growth(self, seen: dict[Key, Position]) -> None:
        """Return once any of the streams goes on beyond the position given for it."""


class LogReader:
    """Reads the logs in a folder, which ``capture`` writes."""

    def __init__(self, logs: Path, capture: Capture, *, threads: int = _THREADS) -> None:
        self._logs = logs
        self._capture = capture
        self._limiter = trio.CapacityLimiter(threads)

    def open(self, selection: Selection, *, follow: bool = False) -> LogStream:
        """Return the selected entries; with ``follow`` also those that come, without an end.

        Raises ``InvalidInput`` where the selection makes no sense.
        """
        if selection.tail is not None and selection.tail < 0:
            raise InvalidInput(f"tail must be 0 or more, got {selection.tail}")
        if follow and (selection.previous or selection.until is not None):
            raise InvalidInput("only the current logs can be followed: leave out previous and until")
        return LogStream(self, selection, follow=follow)

    def start_round(self, selection: Selection, *, whole_lines: bool) -> Round:
        """Begin a round of reading. Blocks."""
        current = {unit: self._capture.incarnation(unit) for unit in selection.units}
        return Round(self._logs, selection, current, whole_lines=whole_lines)

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run something that reads files."""
        return await trio.to_thread.run_sync(work, limiter=self._limiter)

    async def wait_growth(self, seen: dict[Key, Position]) -> None:
        """Wait until there is more to read."""
        await self._capture.wait_growth(seen)


class LogStream:
    """Selected entries, in batches or one by one; to be used in ``async with``.

    ``cursor`` is a text that says where the reader is: given back as ``after`` (through ``parse_cursor``) it goes on
    there, also over rotations and restarts of the daemon. A reader that is too slow for the rotation finds a ``Gap``.
    """

    def __init__(self, reader: LogReader, selection: Selection, *, follow: bool) -> None:
        self._reader = reader
        self._selection = selection
        self._follow = follow
        self._round: Round | None = None
        self._rounds = 0
        self._impatient = True
        self._positions: dict[Key, Position] = dict(selection.after)

    @property
    def positions(self) -> Mapping[Key, Position]:
        """Where the reader is in each stream, behind the last batch; not complete before the first one."""
        return self._positions

    def close(self) -> None:
        """Give back what is held; leaving ``async with`` does the same."""
        self._finish()

    @property
    def cursor(self) -> str:
        """Where the reader is, behind the last batch."""
        return format_cursor(self._positions)

    async def batch(self) -> Sequence[Entry | Gap]:
        """Return the next entries, at least one; none at the end. Cancelled, it loses nothing."""
        while True:
            current = self._round
            if current is None:
                current = await self._reader.in_thread(self._start)
            found = await self._reader.in_thread(current.pull)
            self._positions = dict(current.positions)
            if found:
                return found
            if not self._follow:
                return ()
            # While it waits, a follower holds no files open: a thousand of them would take every descriptor.
            self._finish()
            await self._wait(current)

    async def _wait(self, current: Round) -> None:
        """Wait for more; for a line that has begun not longer than it is worth."""
        self._impatient = False
        with trio.move_on_after(_PATIENCE) if current.holds_back else trio.CancelScope() as scope:
            await self._reader.wait_growth(current.seen)
        self._impatient = scope.cancelled_caught

    def _start(self) -> Round:
        selection = going_on(self._selection, self._positions) if self._rounds else self._selection
        self._round = self._reader.start_round(selection, whole_lines=not self._impatient)
        self._rounds += 1
        return self._round

    def _finish(self) -> None:
        if self._round is not None:
            self._round.close()
            self._round = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._finish()

    async def __aiter__(self) -> AsyncIterator[Entry | Gap]:
        while found := await self.batch():
            for item in found:
                yield item
