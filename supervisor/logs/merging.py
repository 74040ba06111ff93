"""Put the entries of several streams into one order, by time. Blocking; memory does not grow with what is read."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import TypeAlias

from supervisor.logs.entries import Entry, Filter, Gap, Selection, forwards, starts_backwards
from supervisor.logs.segments import StreamView
from supervisor.logs.settings import Key, StreamName

Order: TypeAlias = tuple[int, str, StreamName]
"""Time, then unit and stream: the same both ways, so that reading backwards finds what reading forwards gives."""

_NANO = 1_000_000_000


def merged(
    views: Sequence[StreamView], filters: Mapping[str, Filter], begin: Mapping[Key, int]
) -> Iterator[Entry | Gap]:
    """Yield the entries of some streams in the order of their times, each stream from its logical offset in ``begin``.

    Streams that are not in ``begin`` are left out. ``filters`` are by unit.
    """
    return heapq.merge(
        *(forwards(view, filters[view.unit], begin[view.key]) for view in views if view.key in begin),
        key=lambda item: (item.time_ns, item.unit, item.stream),
    )


def make_filter(selection: Selection, incarnation: int | None) -> Filter:
    """Make a selection ready for a stream."""
    return Filter(
        since=_nanoseconds(selection.since),
        until=_nanoseconds(selection.until),
        incarnation=incarnation,
        needle=None if selection.grep is None else selection.grep.encode("utf-8", "surrogateescape"),
    )


def tail(
    views: Sequence[StreamView], filters: Mapping[str, Filter], begin: Mapping[Key, int], count: int
) -> dict[Key, int]:
    """Return where to begin reading to get the last ``count`` entries; streams that have none of them are left out."""
    last: Iterator[tuple[Order, int]] = heapq.merge(
        *(_backwards(view, filters[view.unit], begin[view.key]) for view in views if view.key in begin),
        key=lambda item: item[0],
        reverse=True,
    )
    found: dict[Key, int] = {}
    for (_, unit, stream), offset in islice(last, count):
        found[unit, stream] = offset
    return found


def _backwards(view: StreamView, wanted: Filter, start: int) -> Iterator[tuple[Order, int]]:
    for time, offset in starts_backwards(view, wanted, start):
        yield (time, view.unit, view.stream), offset


def _nanoseconds(moment: datetime | None) -> int | None:
    if moment is None:
        return None
    whole = int(moment.replace(microsecond=0).timestamp())
    return whole * _NANO + moment.microsecond * 1000
