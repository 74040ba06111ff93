"""One round of reading: look at the streams, find where each goes on, give out what is there. Blocking."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Final

from attrs import evolve

from supervisor.logs import lines
from supervisor.logs.entries import Entry, Gap, Selection
from supervisor.logs.merging import make_filter, merged, tail
from supervisor.logs.position import START, Position
from supervisor.logs.segments import StreamView, open_stream
from supervisor.logs.settings import Key

_MOST_ENTRIES: Final = 256
_MOST_BYTES: Final = 256 * 1024
_NONE: Final = -1


class Round:
    """What is there of a selection at one instant. Used from one thread at a time; to be closed.

    ``positions`` says where each stream goes on behind what was given out so far, and ``seen`` up to where it was
    there when the round began. With ``whole_lines`` a line that has not ended yet is left for a later round, unless it
    is a long one already.
    """

    def __init__(
        self, logs: Path, selection: Selection, current: Mapping[str, int], *, whole_lines: bool = False
    ) -> None:
        self.views = [open_stream(logs, unit, stream) for unit in selection.units for stream in selection.streams]
        self.seen = {view.key: Position(view.epoch, view.whole_end) for view in self.views}
        if whole_lines:
            for view in self.views:
                given = selection.after.get(view.key, START)
                view.cut(max(_whole_end(view), min(given.offset, view.whole_end) if given.epoch == view.epoch else 0))
        self.holds_back = any(view.end != self.seen[view.key] for view in self.views)
        filters = {
            unit: make_filter(selection, self._incarnation(selection, unit, current.get(unit, 0)))
            for unit in selection.units
        }
        places = [_resume(view, selection.after.get(view.key, START)) for view in self.views]
        begin = {view.key: offset for view, (offset, _) in zip(self.views, places, strict=True)}
        gaps = [gap for _, gap in places if gap is not None]
        if selection.tail is not None:
            begin = tail(self.views, filters, begin, selection.tail)
        self.positions = {
            view.key: Position(view.epoch, begin[view.key]) if view.key in begin else view.end for view in self.views
        }
        self._items: Iterator[Entry | Gap] = chain(gaps, merged(self.views, filters, begin))

    def pull(self) -> list[Entry | Gap]:
        """Return the next entries, a bounded number of them; none when the round is through."""
        found: list[Entry | Gap] = []
        size = 0
        for item in self._items:
            self.positions[item.unit, item.stream] = item.position
            found.append(item)
            size += len(item.text) if isinstance(item, Entry) else 0
            if len(found) >= _MOST_ENTRIES or size >= _MOST_BYTES:
                return found
        if not found:
            self.positions = {view.key: view.end for view in self.views}
        return found

    def close(self) -> None:
        """Give the descriptors back."""
        for view in self.views:
            view.close()

    def _incarnation(self, selection: Selection, unit: str, current: int) -> int | None:
        """Return the incarnation that a unit's entries are to be of; None for any."""
        if not selection.previous:
            return selection.incarnation
        records = [view.records for view in self.views if view.unit == unit and view.records.count]
        current = current or max((found[found.count - 1].incarnation for found in records), default=0)
        earlier = [(found, found.first(lambda record: record.incarnation >= current)) for found in records]
        return max((found[number - 1].incarnation for found, number in earlier if number), default=_NONE)


def _resume(view: StreamView, after: Position) -> tuple[int, Gap | None]:
    """Return the logical offset at which somebody who was at ``after`` goes on, and what he missed."""
    if after.epoch in {0, view.epoch} and after.offset >= view.start:
        return min(after.offset, view.end.offset), None
    if after.epoch == 0 or not view.segments:
        return view.start, None
    gap = Gap(
        unit=view.unit,
        stream=view.stream,
        time_ns=time.time_ns(),
        lost=view.start - after.offset if after.epoch == view.epoch else None,
        position=Position(view.epoch, view.start),
    )
    return view.start, gap


def _whole_end(view: StreamView) -> int:
    """Return where the last whole line ends; the end of the stream where its last line is longer than any part."""
    end = view.whole_end
    low = max(view.start, end - lines.LONGEST)
    found = lines.read_all(view.read, low, end - low).rfind(b"\n")
    return end if found < 0 and end - low >= lines.LONGEST else low + found + 1


def going_on(selection: Selection, positions: Mapping[Key, Position]) -> Selection:
    """Return the selection of the round that follows one that ended at these positions."""
    return evolve(selection, after=positions, tail=None)
