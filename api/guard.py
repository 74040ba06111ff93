"""The guard: an ASGI application in front of everything else.

It stands before Quart because Quart answers some requests by itself (OPTIONS, errors), and above hypercorn's protocols
because hypercorn speaks HTTP/1.1, cleartext HTTP/2 and WebSocket on the one port.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

from api.docs_page import STYLE_HASH
from api.problems import explain, render
from api.rules import Rules, read_head
from supervisor.errors import HoodyError, NotFound

Scope: TypeAlias = dict[str, Any]
Message: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

_STARTS: Final = frozenset({"http.response.start", "websocket.http.response.start"})

REQUEST_ID: Final = "hoody.request_id"

HEADERS: Final = (
    (b"cache-control", b"no-store"),
    (
        b"content-security-policy",
        b"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        b"style-src '" + STYLE_HASH.encode() + b"'",
    ),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
)
"""On every answer. There is no CORS header among them, and none is ever sent."""


class Guard:
    """Refuses what the rules refuse, stamps every answer, and keeps every unexpected error from the client."""

    def __init__(self, application: Application, rules: Rules, *, run_id: str) -> None:
        self._application = application
        self._rules = rules
        self._numbers = itertools.count(1)
        self._run_id = run_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket handshake."""
        request_id = f"{self._run_id}-{next(self._numbers)}"
        scope[REQUEST_ID] = request_id
        stamped = _Stamped(send, request_id)
        try:
            self._rules.check(read_head(scope.get("method", "GET"), scope["path"], scope["raw_path"], scope["headers"]))
            if scope["type"] == "websocket":
                raise NotFound(f"there is no WebSocket at {scope['path']}")
        except HoodyError as error:
            await _refuse(scope, stamped, error, request_id)
            return
        try:
            await self._application(scope, receive, stamped)
        except Exception as error:  # noqa: BLE001 - logged by explain; an exception here would cut the connection
            told = explain(error, what=f"{scope['type']} {scope['path']}", request_id=request_id)
            if not stamped.started:
                await _refuse(scope, stamped, told, request_id)


class _Stamped:
    """Sends, with our headers on every response. Nobody behind the guard sets any of them."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id.encode()
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] in _STARTS:
            self.started = True
            message["headers"] = [*message.get("headers", ()), *HEADERS, (b"x-request-id", self._request_id)]
        await self._send(message)


async def _refuse(scope: Scope, send: Send, error: HoodyError, request_id: str) -> None:
    problem = render(error, request_id=request_id)
    prefix = "websocket." if scope["type"] == "websocket" else ""
    headers = [(name.encode(), value.encode()) for name, value in problem.headers]
    headers.append((b"content-length", str(len(problem.body)).encode()))
    await send({"type": f"{prefix}http.response.start", "status": problem.status, "headers": headers})
    await send({"type": f"{prefix}http.response.body", "body": problem.body, "more_body": False})
