"""The engine's long answers: event streams, logs, statistics, commands, files, as cancellable trio streams.

The ``docker`` package reads these in blocking generators: one thread each, no word of which of the two outputs a frame
belongs to, and no way to end some of them from outside. Here each is a connection of its own, read by the task that
wants it, that ends when that task is cancelled and pushes back on the engine when the reader is slow.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Final, NoReturn, TypeAlias
from urllib.parse import urlsplit

import h11
import trio

from supervisor.containers.addresses import Certificates, EngineAddress
from supervisor.containers.errors import EngineTimedOut, EngineUnavailable
from supervisor.containers.refusals import refusal, unreachable

_READ: Final = 64 * 1024
_LONGEST_REFUSAL: Final = 64 * 1024
_AGENT: Final = "hoody-daemon"
Body: TypeAlias = bytes | AsyncIterable[bytes]


class Answer:
    """The answer to one request, as it arrives. Iterate over it once for its body."""

    def __init__(self, stream: trio.abc.Stream, connection: h11.Connection, address: EngineAddress) -> None:
        self._stream = stream
        self._connection = connection
        self._address = address
        self.status = 0
        self.headers: Mapping[str, str] = {}
        self._pieces = self._body()

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Iterate over the body in pieces of any size. It can be iterated over once; breaking off is fine.

        Raises ``EngineUnavailable`` where the connection breaks before the body's end.
        """
        return self._pieces

    async def aclose(self) -> None:
        """Give the body up. Idempotent."""
        await self._pieces.aclose()

    async def _body(self) -> AsyncGenerator[bytes, None]:
        if self.status == 101:
            async for piece in self._raw():
                yield piece
            return
        while True:
            event = await self._next()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return
            else:
                self._broken(None, f"it sent {type(event).__name__} in the middle of an answer")

    async def send(self, data: bytes) -> None:
        """Send to the other side of an upgraded connection."""
        try:
            await self._stream.send_all(data)
        except trio.BrokenResourceError as error:
            self._broken(error)

    async def send_eof(self) -> None:
        """Tell the other side of an upgraded connection that nothing more comes."""
        if isinstance(self._stream, trio.abc.HalfCloseableStream):
            try:
                await self._stream.send_eof()
            except trio.BrokenResourceError as error:
                self._broken(error)

    async def read_whole(self, limit: int) -> bytes:
        """Read the body, but no more than about ``limit`` bytes of it."""
        found = b""
        async for piece in self:
            found += piece
            if len(found) >= limit:
                break
        return found

    async def begin(self, request: h11.Request, body: Body) -> None:
        """Send the request and read the head of the answer."""
        await self._emit(request)
        async with aclosing(_pieces(body)) as pieces:
            async for piece in pieces:
                await self._emit(h11.Data(data=piece))
        await self._emit(h11.EndOfMessage())
        event = await self._next()
        while isinstance(event, h11.InformationalResponse) and event.status_code != 101:
            event = await self._next()
        if not isinstance(event, h11.Response | h11.InformationalResponse):
            self._broken(None, "it closed the connection without an answer")
        self.status = event.status_code
        self.headers = {name.decode(): value.decode("latin-1") for name, value in event.headers}

    async def _raw(self) -> AsyncIterator[bytes]:
        rest, _closed = self._connection.trailing_data
        if rest:
            yield rest
        while True:
            try:
                piece = await self._stream.receive_some(_READ)
            except trio.BrokenResourceError as error:
                self._broken(error)
            if not piece:
                return
            yield bytes(piece)

    async def _emit(self, event: h11.Event) -> None:
        data = self._connection.send(event)
        if data:
            try:
                await self._stream.send_all(data)
            except trio.BrokenResourceError as error:
                self._broken(error)

    async def _next(self) -> object:
        while True:
            try:
                event = self._connection.next_event()
                if event is not h11.NEED_DATA:
                    return event
                self._connection.receive_data(bytes(await self._stream.receive_some(_READ)))
            except trio.BrokenResourceError as error:
                self._broken(error)
            except h11.RemoteProtocolError as error:
                self._broken(None, f"the connection was cut ({error})")

    def _broken(self, error: trio.BrokenResourceError | None, words: str = "the connection was cut") -> NoReturn:
        cause = error.__cause__ if error is not None else None
        raise unreachable(cause if isinstance(cause, OSError) else None, self._address, words=words) from error


@asynccontextmanager
async def ask(
    address: EngineAddress,
    method: str,
    target: str,
    *,
    what: str,
    within: float,
    headers: Mapping[str, str] | None = None,
    body: Body = b"",
) -> AsyncIterator[Answer]:
    """Send one request on a connection of its own; the connection is closed with the block.

    The head of the answer must come within ``within`` seconds after the body was sent; how long the answer's body may
    take is the caller's business. An error status raises our error for it.
    """
    try:
        with trio.fail_after(within):
            stream = await _connect(address)
    except trio.TooSlowError:
        raise EngineTimedOut(f"cannot {what}: {address.url} does not let us in for {within:g} s") from None
    answer = Answer(stream, h11.Connection(h11.CLIENT), address)
    async with stream, aclosing(answer):
        try:
            with trio.fail_after(within):
                await answer.begin(_request(address, method, target, headers or {}, body), body)
                if answer.status >= 400:
                    raise refusal(answer.status, _message(await answer.read_whole(_LONGEST_REFUSAL)), what=what)
        except trio.TooSlowError:
            raise EngineTimedOut(f"cannot {what}: {address.url} does not answer for {within:g} s") from None
        yield answer


def _request(address: EngineAddress, method: str, target: str, headers: Mapping[str, str], body: Body) -> h11.Request:
    host = "engine" if address.socket_path is not None else urlsplit(address.url).netloc
    length = {"Content-Length": str(len(body))} if isinstance(body, bytes) else {"Transfer-Encoding": "chunked"}
    fields = {"Host": host, "User-Agent": _AGENT, **length, **headers}
    return h11.Request(method=method, target=target, headers=list(fields.items()))


async def _pieces(body: Body) -> AsyncGenerator[bytes, None]:
    if isinstance(body, bytes):
        yield body
        return
    try:
        async for piece in body:
            yield piece
    finally:
        if isinstance(body, AsyncGenerator):
            await body.aclose()


def _message(body: bytes) -> str:
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()


async def _connect(address: EngineAddress) -> trio.abc.Stream:
    path = address.socket_path
    try:
        if path is not None:
            return await trio.open_unix_socket(path)
        place = urlsplit(address.url)
        secure = place.scheme == "https" or address.certificates is not None
        if place.hostname is None:
            raise EngineUnavailable(f"{address.url} ({address.source}) names no host")
        tcp = await trio.open_tcp_stream(place.hostname, place.port or (2376 if secure else 2375))
    except OSError as error:
        raise unreachable(error, address, words=_first_words(error)) from error
    if not secure:
        return tcp
    context = _tls(address.certificates or Certificates(None, None, None))
    return trio.SSLStream(tcp, context, server_hostname=place.hostname, https_compatible=True)


def _first_words(error: OSError) -> str:
    # trio gathers what every address of a host said in a group below the error.
    cause = error.__cause__
    if isinstance(cause, BaseExceptionGroup) and cause.exceptions:
        return str(cause.exceptions[0])
    return str(error)


def _tls(certificates: Certificates) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificates.authority)
    if not certificates.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificates.certificate is not None:
        context.load_cert_chain(certificates.certificate, certificates.key)
    return context
