"""What is handed to readers of logs, and how one stream is turned into it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from attrs import field, frozen

from supervisor.logs import lines
from supervisor.logs.position import Position
from supervisor.logs.records import Piece, Records, Span, pieces, pieces_backwards, select
from supervisor.logs.segments import StreamView
from supervisor.logs.settings import STREAMS, Key, StreamName

_MICRO: Final = 1000


@frozen(kw_only=True)
class Entry:
    """A line of a log, or a part of one.

    ``text`` is without the newline. ``ended`` is False where the line goes on in a later entry, or has not ended (yet):
    then no newline stands behind it in the file. ``continues`` says that it carries on a line begun before it.
    """

    unit: str
    stream: StreamName
    time_ns: int
    """When it arrived (wall time, ns since 1970), to within 100 ms."""
    incarnation: int
    text: bytes
    ended: bool
    continues: bool
    start: Position
    position: Position
    """Where the stream goes on behind it."""

    @property
    def key(self) -> Key:
        """The stream that it is of."""
        return self.unit, self.stream

    @property
    def time(self) -> datetime:
        """When it arrived."""
        seconds, rest = divmod(self.time_ns, 1_000_000_000)
        return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest // _MICRO)


@frozen(kw_only=True)
class Gap:
    """Stands where a reader lost its place: what it had not read yet is no longer there.

    ``lost`` is how many bytes that were; None where it cannot be told, since the logs were erased meanwhile.
    """

    unit: str
    stream: StreamName
    time_ns: int
    lost: int | None
    position: Position
    """Where the stream goes on."""


@frozen(kw_only=True)
class Selection:
    """Which entries are wanted."""

    units: tuple[str, ...]
    streams: tuple[StreamName, ...] = STREAMS
    tail: int | None = None
    """Only the last so many of them, all streams taken together."""
    since: datetime | None = None
    until: datetime | None = None
    grep: str | None = None
    """Only those with this text in them; plain text, upper and lower case distinguished."""
    incarnation: int | None = None
    """Only those of this incarnation."""
    previous: bool = False
    """Only those of the incarnation before the current one."""
    after: Mapping[Key, Position] = field(factory=dict)
    """Where to go on in which stream; the others are read from their beginning."""


@frozen
class Filter:
    """A selection, made ready for one stream."""

    since: int | None
    until: int | None
    incarnation: int | None
    needle: bytes | None


def forwards(view: StreamView, wanted: Filter, start: int) -> Iterator[Entry | Gap]:
    """Yield the entries of a stream from the logical offset ``start`` on, first to last.

    A gap stands where files were deleted while they were being read.
    """
    for piece in pieces(view.records, _spans(view, wanted, start), view.end.offset):
        at = _begin(view, piece, start)
        cursor = Cursor(view.records, piece.first)
        open_line = _is_inside(view, piece, at)
        while at < piece.stop:
            for line in lines.forwards(view.read, at, piece.stop, piece.limit):
                if wanted.needle is None or wanted.needle in line.text:
                    yield Entry(
                        unit=view.unit,
                        stream=view.stream,
                        time_ns=cursor.time_at(line.start),
                        incarnation=piece.incarnation,
                        text=line.text,
                        ended=line.ended,
                        continues=open_line,
                        start=Position(view.epoch, line.start),
                        position=Position(view.epoch, line.end),
                    )
                at, open_line = line.end, not line.ended
            if at < piece.stop:
                behind = min(view.behind_hole(at), piece.limit)
                yield Gap(
                    unit=view.unit,
                    stream=view.stream,
                    time_ns=cursor.time_at(at),
                    lost=behind - at,
                    position=Position(view.epoch, behind),
                )
                at, open_line = behind, False


def starts_backwards(view: StreamView, wanted: Filter, start: int) -> Iterator[tuple[int, int]]:
    """Yield (time, offset) of the same entries, last to first."""
    for piece in pieces_backwards(view.records, _spans(view, wanted, start), view.end.offset):
        low = _begin(view, piece, start)
        cursor = Cursor(view.records, max(piece.first, piece.past - 1))
        for offset in lines.starts_backwards(view.read, low, piece.stop, piece.limit):
            if wanted.needle is None or wanted.needle in lines.text_at(view.read, offset, piece.limit):
                yield cursor.time_at(offset), offset


class Cursor:
    """Walks along the records beside someone who walks along the bytes: no search per line."""

    def __init__(self, records: Records, number: int) -> None:
        self._records = records
        self._number = number
        self._record = records[number]
        self._next = records[number + 1] if number + 1 < records.count else None

    def time_at(self, offset: int) -> int:
        """Return the time of the byte at ``offset``."""
        while self._next is not None and self._next.offset <= offset:
            self._step(1)
        while self._record.offset > offset and self._number:
            self._step(-1)
        return self._record.time

    def _step(self, by: int) -> None:
        self._number += by
        if by > 0 and self._next is not None:
            self._record = self._next
        else:
            self._record = self._records[self._number]
        following = self._number + 1
        self._next = self._records[following] if following < self._records.count else None


def _spans(view: StreamView, wanted: Filter, start: int) -> list[Span]:
    """Return the spans of records that are wanted and not wholly before ``start``."""
    records = view.records
    if not records.count:
        return []
    low = max(0, records.first(lambda record: record.offset > start) - 1)
    found = select(records, wanted.since, wanted.until, wanted.incarnation)
    return [Span(max(low, span.first), span.past) for span in found if span.past > low]


def _begin(view: StreamView, piece: Piece, start: int) -> int:
    """Return where the first line of a piece begins that is to be read from ``start`` on."""
    if start >= piece.start:
        return start
    return lines.next_line(view.read, piece.start, piece.limit) if piece.cut else piece.start


def _is_inside(view: StreamView, piece: Piece, at: int) -> bool:
    """Tell whether the line at ``at`` began before it."""
    return (at > piece.start or piece.cut) and view.read(at - 1, 1) not in {b"\n", b""}
