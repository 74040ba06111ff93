"""Logs as streams without an end: items with the places behind them, or the bare text."""

from __future__ import annotations

import math
from collections.abc import AsyncGenerator, Sequence
from typing import Final

import trio

from api.answers import TEXT_TYPE, Answer, json_text
from api.logtext import TextWriter, item_of
from api.streams import Followers, Piece, next_of
from supervisor.convert import unstructure
from supervisor.logs import Entry, Gap, LogStream, format_cursor

MOST_PLACES: Final = 16
"""A place names every stream; of more streams than this only the last item of a batch carries one."""


class LogFeed:
    """The items of a log stream; see ``api.streams.Feed``. A reader that lost its place is told by a gap."""

    def __init__(self, stream: LogStream) -> None:
        self._stream = stream
        self._begun = False

    async def pieces(self) -> Sequence[Piece]:
        """Return the next items."""
        positions = dict(self._stream.positions)
        found = await self._stream.batch()
        # Before its first batch a stream does not know all of its places.
        each = self._begun and len(positions) <= MOST_PLACES
        self._begun = True
        made = []
        for number, entry in enumerate(found, start=1):
            positions[entry.unit, entry.stream] = entry.position
            place = None
            if number == len(found):
                place = self._stream.cursor
            elif each:
                place = format_cursor(positions)
            made.append(_piece(entry, place))
        return made

    def close(self) -> None:
        """Close the files."""
        self._stream.close()


def _piece(entry: Entry | Gap, place: str | None) -> Piece:
    document = unstructure(item_of(entry)) | ({} if place is None else {"next": place})
    return Piece("gap" if isinstance(entry, Gap) else "line", json_text(document).decode(), place)


def text_answer(stream: LogStream, *, stopping: trio.Event, followers: Followers) -> Answer:
    """Answer with the bytes as they were written, and all that follow. Raises ``Overloaded``."""
    followers.enter()
    return Answer(parts=_text(stream, stopping, followers), media_type=TEXT_TYPE, headers={"X-Accel-Buffering": "no"})


async def _text(stream: LogStream, stopping: trio.Event, followers: Followers) -> AsyncGenerator[bytes, None]:
    writer = TextWriter()
    try:
        while not stopping.is_set():
            yield b"".join(writer.write(await next_of(stream.batch, stopping, patience=math.inf) or ()))
    finally:
        stream.close()
        followers.leave()
