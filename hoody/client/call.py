"""One call of the API as data, and the conversation that carries it out. No I/O: the drivers do that.

A :class:`Call` says what to ask and how to read the answer. A :class:`Conversation` knows the rules by which a call is
tried: where the daemon is, what to do when it has moved, when the token was rotated, when the connection breaks. A
driver (blocking or trio) connects, sends and receives as the conversation says, and tells it what happened:

    connect to .endpoint --refused--> again, if daemon.json now names another daemon; else DaemonNotRunning
    send .to_send        --dropped--> again, once, if the call may be repeated; else Unavailable
    receive              --401------> again, once, if the token file holds another token; else Unauthorized
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from hoody.client.problems import error_of
from hoody.client.wire import BadAnswer, Request, Response, ResponseReader
from supervisor.errors import DaemonNotRunning, HoodyError, InvalidInput, TimedOut, Unavailable

R = TypeVar("R")

MARGIN = 5.0
"""Seconds that the client waits beyond a wait that the daemon itself ends."""


class Endpoint(NamedTuple):
    """Where a daemon listens and what opens it."""

    host: str
    port: int
    token: str

    @property
    def authority(self) -> str:
        """The value of the Host header."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Finder(Protocol):
    """Finds the daemon. Asked anew for each attempt, since a daemon moves and its token is rotated."""

    def find(self) -> Endpoint:
        """Return where the daemon is now. Raises ``DaemonNotRunning`` or another ``HoodyError``."""


class Call(Generic[R]):
    """What to ask and how to read the answer.

    ``repeatable``: sending it twice does what sending it once does. ``timeout`` is for the whole call, in seconds.
    ``sink`` takes the body of a success as it comes in, for answers that may be long; ``read`` then sees no body.
    """

    __slots__ = ("read", "repeatable", "request", "sink", "timeout")

    def __init__(
        self,
        request: Request,
        read: Callable[[Response], R],
        *,
        timeout: float,
        repeatable: bool = False,
        sink: Callable[[bytes], object] | None = None,
    ) -> None:
        self.request = request
        self.read = read
        self.timeout = timeout
        self.repeatable = repeatable
        self.sink = sink


class Conversation(Generic[R]):
    """One call on its way. Drive it until ``finished``; then :meth:`result` returns or raises.

    ``attempt`` grows with each connection that is to be made; a driver that sees it change closes the old one. No
    method but ``result`` and the sink's own errors raises.
    """

    def __init__(self, call: Call[R], finder: Finder) -> None:
        self.call = call
        self.finished = False
        self.attempt = 0
        self.endpoint = Endpoint("", 0, "")
        self.to_send = b""
        self._finder = finder
        self._reader = ResponseReader()
        self._body = bytearray()
        self._error: HoodyError | None = None
        self._retried = False
        try:
            self._begin(finder.find())
        except HoodyError as error:
            self._fail(error)

    def refused(self, error: OSError) -> None:
        """Nothing listens at the endpoint, or it cannot be reached."""
        before = self.endpoint
        if not self._retry(lambda now: (now.host, now.port) != (before.host, before.port)):
            self._fail(DaemonNotRunning(f"nothing answers at {before.authority} ({error.strerror or error})"))

    def received(self, data: bytes) -> None:
        """Bytes came in; none mean that the daemon closed its side."""
        try:
            body = self._reader.feed(data) if data else b""
            if not data:
                self._reader.end()
        except BadAnswer as error:
            self._fail(error)
            return
        except Unavailable as error:
            self.dropped(error)
            return
        if body and self.call.sink is not None and self._reader.status < 300:
            self.call.sink(body)
        else:
            self._body += body
        if self._reader.done:
            self._answered()

    def dropped(self, error: Exception) -> None:
        """The connection broke before the answer was complete."""
        began = self._reader.status != 0
        if not began and self.call.repeatable and self._retry(lambda _now: True):
            return
        doubt = "" if self.call.repeatable else "; what was asked for may or may not have been done"
        self._fail(Unavailable(f"the connection to the daemon broke before it answered ({error}){doubt}"))

    def timed_out(self) -> None:
        """The time of the call is over."""
        self._fail(TimedOut(f"the daemon did not answer within {self.call.timeout:g} s"))

    def result(self) -> R:
        """Return what the call was for, or raise the ``HoodyError`` that it ended with."""
        if self._error is not None:
            raise self._error
        response = Response(self._reader.status, self._reader.headers, bytes(self._body))
        if not 200 <= response.status < 300:
            raise error_of(response)
        return self.call.read(response)

    def _answered(self) -> None:
        before = self.endpoint.token
        if self._reader.status == 401 and self._retry(lambda now: now.token != before):
            return
        self.finished = True

    def _retry(self, worth_it: Callable[[Endpoint], bool]) -> bool:
        """Begin a second attempt, the only one, if what is found now makes it worth it."""
        if self._retried:
            return False
        self._retried = True
        try:
            found = self._finder.find()
            if not worth_it(found):
                return False
            self._begin(found)
        except HoodyError as error:
            self._fail(error)
        return True

    def _begin(self, endpoint: Endpoint) -> None:
        self.attempt += 1
        self.endpoint = endpoint
        self._reader = ResponseReader()
        self._body.clear()
        extra = [("Host", endpoint.authority)]
        if endpoint.token:
            extra.append(("Authorization", f"Bearer {endpoint.token}"))
        try:
            self.to_send = self.call.request.encode(extra)
        except ValueError as error:
            raise InvalidInput(str(error)) from None

    def _fail(self, error: HoodyError) -> None:
        self._error = error
        self.finished = True


def read_json(response: Response) -> Any:  # noqa: ANN401 - a JSON document; each call gives it its type
    """Return the JSON document of an answer. Raises :class:`BadAnswer`."""
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError) as error:
        raise BadAnswer(f"the daemon answered {response.status} with something that is not JSON") from error


def json_request(
    method: str,
    target: str,
    document: object = None,
    *,
    headers: Mapping[str, str] | None = None,
    content_type: str = "application/json",
) -> Request:
    """Build a request that accepts JSON, and carries ``document`` as JSON unless it is None.

    Raises ``InvalidInput`` where the document is none (a NaN, text from a command line that is not UTF-8).
    """
    fields = {"Accept": "application/json, application/problem+json", **(headers or {})}
    if document is None:
        return Request(method, target, tuple(fields.items()))
    fields["Content-Type"] = content_type
    try:
        body = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except UnicodeEncodeError as error:
        raise InvalidInput("the request holds text that is not UTF-8") from error
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"the request cannot be written as JSON: {error}") from error
    return Request(method, target, tuple(fields.items()), body)
