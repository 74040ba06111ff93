"""Keeps Quart-Trio's cancellation from cutting off what must be finished: an ASGI application around Quart.

Two things go wrong without it, on every version of Quart-Trio so far.

The end of an answer: while the last event of a response is being sent, hypercorn reports the end of the request, and
Quart-Trio takes it for a vanished client and cancels its own nursery, in the middle of hypercorn's work on that last
event. ``Connection: close`` is then ignored, the keep-alive timer is never armed, and idle clients stay for ever.

The start of a change: a client that sends a whole request and leaves at once would cancel the handler before it has
done anything. The disconnect is held back until the handler has handed the change on.
"""

from __future__ import annotations

from typing import Final

import trio

from api.guard import Application, Message, Receive, Scope, Send

ACCEPTED: Final = "hoody.accepted"

_FINISH: Final = 30.0
_ACCEPT: Final = 5.0
_READS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


class Finishing:
    """Wraps an application; see the module."""

    def __init__(self, application: Application) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; whatever is not plain HTTP passes through."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return

        async def finish(message: Message) -> None:
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                with trio.move_on_after(_FINISH, shield=True):
                    await send(message)
            else:
                await send(message)

        accepted = scope[ACCEPTED] = trio.Event()
        held = receive if scope["method"] in _READS else _held_back(receive, accepted)
        try:
            await self._application(scope, held, finish)
        finally:
            accepted.set()


def _held_back(receive: Receive, accepted: trio.Event) -> Receive:
    complete = False

    async def hold() -> Message:
        nonlocal complete
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            complete = True
        elif message["type"] == "http.disconnect" and complete:
            # A change whose body never came is not one that anybody asked for.
            with trio.move_on_after(_ACCEPT):
                await accepted.wait()
        return message

    return hold
