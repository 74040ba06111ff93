"""The records of a whole stream, over all of its files, searched by halves. Pure."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

from attrs import frozen

from supervisor.logs.index import Record

_FIRST_STEP: Final = 1


class RecordSource(Protocol):
    """The records of one file."""

    @property
    def count(self) -> int:
        """How many there are; at least one."""

    def __getitem__(self, number: int) -> Record:
        """Return one of them."""


class Records:
    """One sequence of records in the order of offsets; era and incarnation never decrease along it."""

    def __init__(self, parts: Sequence[RecordSource]) -> None:
        self._parts = parts
        self._starts = []
        self.count = 0
        for part in parts:
            self._starts.append(self.count)
            self.count += part.count

    def __getitem__(self, number: int) -> Record:
        """Return record ``number`` of the stream."""
        part = bisect_right(self._starts, number) - 1
        return self._parts[part][number - self._starts[part]]

    def first(self, fulfils: Callable[[Record], bool], low: int = 0, high: int | None = None) -> int:
        """Return the number of the first record in [low, high) that fulfils a monotonic condition, or ``high``."""
        high = self.count if high is None else high
        while low < high:
            middle = (low + high) // 2
            if fulfils(self[middle]):
                high = middle
            else:
                low = middle + 1
        return low

    def end_of_run(self, low: int, high: int) -> int:
        """Return the end of the run of the incarnation of record ``low`` in [low, high).

        Looks near ``low`` first: in a log of many short runs this takes a few reads for each.
        """
        incarnation = self[low].incarnation
        step = _FIRST_STEP
        while low + step < high and self[low + step].incarnation == incarnation:
            low += step
            step *= 2
        return self.first(lambda record: record.incarnation != incarnation, low, min(high, low + step + 1))

    def start_of_run(self, low: int, high: int) -> int:
        """Return the start of the run of the incarnation of record ``high - 1`` in [low, high)."""
        incarnation = self[high - 1].incarnation
        at = high - 1
        step = _FIRST_STEP
        while at - step >= low and self[at - step].incarnation == incarnation:
            at -= step
            step *= 2
        return self.first(lambda record: record.incarnation == incarnation, max(low, at - step), at)


@frozen
class Span:
    """The records [first, past)."""

    first: int
    past: int


@frozen(kw_only=True)
class Piece:
    """A stretch of bytes of one incarnation.

    What is wanted are the lines that begin in [start, stop); they may go on up to ``limit``. ``cut`` says that what
    stands before ``start`` is of the same incarnation, so that the first line may have begun there. ``first`` is the
    number of the record that covers ``start``, and ``past`` of the one at ``stop``.
    """

    start: int
    stop: int
    limit: int
    incarnation: int
    cut: bool
    first: int
    past: int


def select(records: Records, since: int | None, until: int | None, incarnation: int | None) -> list[Span]:
    """Return the spans of the records with since <= time <= until, and of one incarnation, in order.

    One span per era: within an era times do not decrease.
    """
    low, high = 0, records.count
    if incarnation is not None:
        low = records.first(lambda record: record.incarnation >= incarnation)
        high = records.first(lambda record: record.incarnation > incarnation, low)
    if since is None and until is None:
        return [Span(low, high)] if low < high else []
    spans = []
    while low < high:
        era = records[low].era
        past = records.first(lambda record, era=era: record.era > era, low, high)  # type: ignore[misc]
        first = low if since is None else records.first(lambda record: record.time >= since, low, past)
        last = past if until is None else records.first(lambda record: record.time > until, first, past)
        if first < last:
            spans.append(Span(first, last))
        low = past
    return spans


def pieces(records: Records, spans: Sequence[Span], end: int) -> Iterator[Piece]:
    """Yield the pieces of some spans, first to last. ``end`` is the end of the stream."""
    for span in spans:
        low = span.first
        while low < span.past:
            past = records.end_of_run(low, span.past)
            yield _piece(records, low, past, span, end)
            low = past


def pieces_backwards(records: Records, spans: Sequence[Span], end: int) -> Iterator[Piece]:
    """Yield the same pieces, last to first."""
    for span in reversed(spans):
        past = span.past
        while past > span.first:
            low = records.start_of_run(span.first, past)
            yield _piece(records, low, past, span, end)
            past = low


def _piece(records: Records, low: int, past: int, span: Span, end: int) -> Piece:
    incarnation = records[low].incarnation
    whole = past
    if past == span.past and past < records.count and records[past].incarnation == incarnation:
        whole = records.end_of_run(past, records.count)
    return Piece(
        start=records[low].offset,
        stop=_offset(records, past, end),
        limit=_offset(records, whole, end),
        incarnation=incarnation,
        cut=low == span.first and low > 0 and records[low - 1].incarnation == incarnation,
        first=low,
        past=past,
    )


def _offset(records: Records, number: int, end: int) -> int:
    return min(end, records[number].offset) if number < records.count else end
