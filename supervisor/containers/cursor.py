"""Where the reading of a container's log has come to, so that it can go on after any break: no loss, no doubling. Pure.

Engines hand out a log from a stamp on (``since``), inclusively, always in the same order. So a place in it is a stamp
and how many messages from that stamp on have been taken already. The stamp must not be later than any that is still to
come, and those are not in order, for two reasons:

- the parts of a long line all carry the stamp of its first part, and messages of the other output come between them:
  so while a line is open, the place is at its stamp or before;
- the two outputs are stamped before they are written down, each by itself: so the place is always a little before the
  newest stamp.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from attrs import define, evolve, field, frozen

from supervisor.containers.frames import LogMessage, Stream

SLACK: Final = 50_000_000
"""By how much (ns) messages of the two outputs may come in the wrong order."""


@frozen(kw_only=True)
class Place:
    """A place in a container's log: read from ``since`` (ns) on and leave out the first ``taken`` messages."""

    since: int = 0
    taken: int = 0


@frozen
class _Open:
    """A line whose end is still to come, and how many messages with its stamp or a later one have been taken."""

    at: int
    taken: int


@define
class Cursor:
    """Follows the messages of one container's log. ``place`` is always where a new reading must begin."""

    _begun: Place = field(factory=Place)
    _slack: int = SLACK
    _to_skip: int = field(init=False, default=0)
    _newest: int = field(init=False, default=0)
    _recent: deque[tuple[int, int]] = field(init=False, factory=deque)
    """Stamps not older than the slack, and how many messages came with each; in the order of their coming."""
    _open: dict[Stream, _Open] = field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.begin_again()

    @property
    def place(self) -> Place:
        """Where a new reading must begin to get everything that was not taken yet, and nothing twice."""
        if self._to_skip or not self._recent:
            return self._begun
        since = max(self._begun.since, self._newest - self._slack)
        oldest = min(self._open.values(), key=lambda line: line.at, default=None)
        if oldest is not None and oldest.at < since:
            return Place(since=oldest.at, taken=oldest.taken)
        return Place(since=since, taken=self._taken_from(since))

    def begin_again(self) -> Place:
        """Say where the new reading begins, and leave out from here on what it repeats."""
        self._begun = self.place
        # What is left out passes through the counts once more, and they come out as they were.
        self._to_skip, self._newest = self._begun.taken, self._begun.since
        self._recent.clear()
        self._open = {}
        return self._begun

    def take(self, message: LogMessage) -> bool:
        """Tell whether this message is a new one, and move on."""
        at = message.at or self._newest
        self._open = {
            stream: evolve(line, taken=line.taken + 1) if at >= line.at else line for stream, line in self._open.items()
        }
        self._count(at)
        self._follow_line(message, at)
        if self._to_skip:
            self._to_skip -= 1
            return False
        return True

    def _count(self, at: int) -> None:
        self._newest = max(self._newest, at)
        if self._recent and self._recent[-1][0] == at:
            self._recent[-1] = (at, self._recent[-1][1] + 1)
        else:
            self._recent.append((at, 1))
        while self._recent[0][0] < self._newest - self._slack:
            self._recent.popleft()

    def _follow_line(self, message: LogMessage, at: int) -> None:
        line = self._open.get(message.stream)
        if not message.is_part:
            self._open.pop(message.stream, None)
        elif line is None or line.at != at:
            self._open[message.stream] = _Open(at, self._taken_from(at))

    def _taken_from(self, since: int) -> int:
        return sum(count for at, count in self._recent if at >= since)
