"""Answers without an end: server-sent events, or JSON lines, until the client goes or the service does.

Nothing is kept per follower but its place, so a slow one costs no memory and slows nobody down; it reads on where it is
when it gets there, and is told where it is too late. When the service stops every stream ends with ``bye``.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from enum import StrEnum
from typing import Final, Protocol, TypeVar

import trio
from attrs import frozen

from api.answers import Answer
from supervisor.errors import MalformedRequest, Overloaded

T = TypeVar("T")

KEEP_ALIVE: Final = 15.0
"""Seconds without a word after which one is sent, so that a connection that is gone is noticed."""
MOST_FOLLOWERS: Final = 2_000
SSE_TYPE: Final = "text/event-stream"
LINES_TYPE: Final = "application/x-ndjson"


class Form(StrEnum):
    """How a stream is written."""

    SSE = SSE_TYPE
    LINES = LINES_TYPE


@frozen
class Piece:
    """One thing to send: a type, a text of JSON in one line, and the place behind it, where it has one."""

    type: str
    text: str
    place: str | None = None


class Feed(Protocol):
    """What a stream is made of."""

    async def pieces(self) -> Sequence[Piece]:
        """Return the next pieces, at least one, waiting for them. Cancelled, it loses nothing."""

    def close(self) -> None:
        """Give back what is held, at the end."""


class Followers:
    """Counts the streams that are open."""

    def __init__(self, most: int = MOST_FOLLOWERS) -> None:
        self._most = most
        self.count = 0

    def enter(self) -> None:
        """Count one more. Raises ``Overloaded``."""
        if self.count >= self._most:
            raise Overloaded(f"{self.count} streams are open, and no more are taken", hint="close some")
        self.count += 1

    def leave(self) -> None:
        """Count one less."""
        self.count -= 1


def form_of(accept: str) -> Form:
    """Return how a client wants its stream: server-sent events where it says so, JSON lines otherwise."""
    return Form.SSE if SSE_TYPE in accept else Form.LINES


def write_piece(form: Form, piece: Piece) -> bytes:
    """Write one piece."""
    if form is Form.LINES:
        return f"{piece.text}\n".encode()
    place = "" if piece.place is None else f"id: {piece.place}\n"
    return f"{place}event: {piece.type}\ndata: {piece.text}\n\n".encode()


def last_event_id(headers: str | None) -> int | None:
    """Read ``Last-Event-ID`` as a number. Raises ``MalformedRequest``."""
    if headers is None or not headers.strip():
        return None
    text = headers.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise MalformedRequest("the header Last-Event-ID is not the number of an event")
    return int(text)


def stream_answer(feed: Feed, form: Form, *, stopping: trio.Event, followers: Followers) -> Answer:
    """Answer with a feed. Raises ``Overloaded`` where too many are open."""
    followers.enter()
    return Answer(
        parts=_parts(feed, form, stopping, followers),
        media_type=f"{form.value}; charset=utf-8" if form is Form.SSE else form.value,
        # Proxies that gather answers would keep a stream to themselves.
        headers={"X-Accel-Buffering": "no"},
    )


async def _parts(feed: Feed, form: Form, stopping: trio.Event, followers: Followers) -> AsyncGenerator[bytes, None]:
    try:
        # The head of the answer goes out with the first bytes; whoever connects is told at once that it worked.
        yield b": hello\n\n" if form is Form.SSE else b"\n"
        while not stopping.is_set():
            pieces = await next_of(feed.pieces, stopping)
            if pieces is None:
                yield b": still here\n\n" if form is Form.SSE else b"\n"
            elif pieces:
                yield b"".join(write_piece(form, piece) for piece in pieces)
        yield write_piece(form, Piece("bye", '{"type":"bye"}'))
    finally:
        feed.close()
        followers.leave()


async def next_of(
    more: Callable[[], Awaitable[Sequence[T]]], stopping: trio.Event, *, patience: float = KEEP_ALIVE
) -> Sequence[T] | None:
    """Return what comes next; nothing where the service stops, None where nothing has come for ``patience`` seconds."""
    found: Sequence[T] = ()
    with trio.move_on_after(patience) as waiting:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_at, stopping, nursery.cancel_scope)
            found = await more()
            nursery.cancel_scope.cancel(reason="something has come")
    return None if waiting.cancelled_caught else found


async def _cancel_at(stopping: trio.Event, scope: trio.CancelScope) -> None:
    await stopping.wait()
    scope.cancel(reason="the service stops")
