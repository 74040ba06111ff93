"""The newest events in memory, with their numbers, and how far they are on disk. Pure.

The numbers have no holes, so a place in the feed is a number, and a reader is no more than that: however many there
are and however slow they are, the memory is that of the entries kept here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from attrs import field, frozen

from supervisor.events.codec import entry_of
from supervisor.events.model import EventsLost, Happening
from supervisor.store.entry import Entry

KEPT_IN_MEMORY: Final = 5_000
MOST_UNWRITTEN: Final = 50_000
"""What is not on disk yet stays in memory, but no more than this: a disk can be in trouble for long."""
_STEP: Final = 500
"""Old entries are dropped so many at a time: dropping each by itself would move the whole list each time."""


@frozen(kw_only=True)
class Retention:
    """How many events stay on disk, and for how long; the newest one always does, since it holds the number."""

    count: int = 100_000
    age: timedelta = field(default=timedelta(days=30))


class Journal:
    """Numbers what happens. To be used on the trio thread."""

    def __init__(
        self, *, wall: Callable[[], datetime], most: int = KEPT_IN_MEMORY, most_unwritten: int = MOST_UNWRITTEN
    ) -> None:
        self._wall = wall
        self._most = most
        self._most_unwritten = most_unwritten
        self._entries: list[Entry] = []
        self.last = 0
        """The number of the newest event."""
        self.written = 0
        """The number of the newest event on disk."""
        self.oldest = 1
        """The number of the oldest event that can be read, on disk or here."""

    @property
    def first(self) -> int:
        """The number of the oldest event in memory; ``last + 1`` where there is none."""
        return self.last - len(self._entries) + 1

    def resume(self, oldest: int, last: int) -> None:
        """Go on behind what is on disk."""
        self.oldest, self.last, self.written = oldest, last, last

    def add(self, happening: Happening, time: datetime | None = None) -> None:
        """Give the next number to what has happened."""
        self.last += 1
        self._entries.append(entry_of(self.last, time or self._wall(), happening))
        self._make_room()

    def wrote(self, number: int) -> None:
        """Take note that everything up to ``number`` is on disk."""
        self.written = number
        self._make_room()

    def _make_room(self) -> None:
        most = min(max(self._most, self.last - self.written), self._most_unwritten)
        if len(self._entries) >= most + _STEP:
            del self._entries[: len(self._entries) - most]

    def unwritten(self, most: int) -> Sequence[Entry]:
        """Return the oldest entries that are not on disk.

        Where entries were dropped before they could be written, that is added as an event of its own.
        """
        if self.written < self.first - 1:
            lost = EventsLost(first=self.written + 1, last=self.first - 1)
            self.written = self.first - 1
            self.add(lost)
        return self.slice(self.written, most)

    def slice(self, after: int, most: int, upto: int | None = None) -> Sequence[Entry]:
        """Return entries in memory behind the number ``after``, in order; not beyond ``upto``."""
        start = after - self.first + 1
        stop = len(self._entries) if upto is None else max(0, upto - self.first + 1)
        return self._entries[start : min(start + most, stop)] if start >= 0 else ()
