"""Entries of logs as text and as JSON."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from attrs import frozen

from supervisor.logs import Entry, Gap, Key, LogStream, render

PAGE: Final = 1000
"""A page ends with the batch in which it has this many entries."""


@frozen(kw_only=True)
class LogItem:
    """A line, or a part of a long one; or, with ``lost``, a place where lines are missing."""

    unit: str
    stream: str
    time: datetime
    incarnation: int | None = None
    text: str = ""
    ended: bool = True
    """Whether the line ends here."""
    continues: bool = False
    """Whether it began in an earlier item."""
    gap: bool = False
    """Whether bytes that were not read yet are no longer there."""
    lost: int | None = None
    """How many, where that is known."""


@frozen(kw_only=True)
class LogPage:
    """Some items, and where to go on."""

    items: tuple[LogItem, ...]
    next: str
    """What to give as ``after`` to get what comes behind."""


async def collect(stream: LogStream, *, once: bool) -> LogPage:
    """Read a page; ``once`` is content with whatever comes first."""
    items: list[LogItem] = []
    while found := await stream.batch():
        items.extend(map(item_of, found))
        if once or len(items) >= PAGE:
            break
    return LogPage(items=tuple(items), next=stream.cursor)


def item_of(entry: Entry | Gap) -> LogItem:
    """Return an entry as it is sent."""
    if isinstance(entry, Gap):
        time = datetime.fromtimestamp(entry.time_ns / 1e9, UTC)
        return LogItem(unit=entry.unit, stream=entry.stream, time=time, gap=True, lost=entry.lost)
    return LogItem(
        unit=entry.unit,
        stream=entry.stream,
        time=entry.time,
        incarnation=entry.incarnation,
        text=render(entry.text),
        ended=entry.ended,
        continues=entry.continues,
    )


async def text_of(stream: LogStream) -> AsyncGenerator[bytes, None]:
    """Yield the entries as they were written, batch by batch, so that memory stays bounded."""
    writer = TextWriter()
    async with stream:
        while found := await stream.batch():
            yield b"".join(writer.write(found))


class TextWriter:
    """Puts entries of several streams into one text: their bytes as they are, each line on a line of its own."""

    def __init__(self) -> None:
        self._open: Key | None = None

    def write(self, entries: Sequence[Entry | Gap]) -> Iterator[bytes]:
        """Yield the bytes of some entries."""
        for entry in entries:
            if self._open is not None and (isinstance(entry, Gap) or self._open != entry.key):
                yield b"\n"
                self._open = None
            if isinstance(entry, Gap):
                lost = "some output" if entry.lost is None else f"{entry.lost} bytes"
                yield f"[hoody: {lost} of {entry.stream} lost]\n".encode()
            else:
                yield entry.text
                if entry.ended:
                    yield b"\n"
                self._open = None if entry.ended else entry.key
