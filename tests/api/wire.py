"""A small HTTP/1.1 client on trio, with hands on the raw socket where a test needs them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Self

import h11
import trio
from attrs import frozen

TOKEN = "hdy_" + "t" * 43


@frozen
class Got:
    """An answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of a problem document."""
        assert self.headers["content-type"] == "application/problem+json", self.body
        code: str = self.json["code"]
        return code


class Client:
    """Speaks to one port; every request may have a connection of its own or share one."""

    def __init__(self, port: int, *, token: str | None = TOKEN, host: str | None = None) -> None:
        self.port = port
        self.token = token
        self.host = host if host is not None else f"127.0.0.1:{port}"

    async def connect(self) -> Connection:
        return Connection(self, await trio.open_tcp_stream("127.0.0.1", self.port))

    async def get(self, target: str, **more: Any) -> Got:
        return await self.ask("GET", target, **more)

    async def post(self, target: str, **more: Any) -> Got:
        return await self.ask("POST", target, **more)

    async def ask(self, method: str, target: str, **more: Any) -> Got:
        async with await self.connect() as connection:
            return await connection.ask(method, target, **more)

    def head(
        self,
        *,
        headers: Iterable[tuple[str, str]] = (),
        json: object = None,
        body: bytes = b"",
        content_type: str | None = "application/json",
    ) -> list[tuple[str, str]]:
        given = list(headers)
        names = {name.lower() for name, _ in given}
        all_of_them = [*given]
        if "host" not in names:
            all_of_them.append(("Host", self.host))
        if self.token is not None and "authorization" not in names:
            all_of_them.append(("Authorization", f"Bearer {self.token}"))
        if body:
            if content_type is not None and "content-type" not in names:
                all_of_them.append(("Content-Type", content_type))
            if not names & {"content-length", "transfer-encoding"}:
                all_of_them.append(("Content-Length", str(len(body))))
        return all_of_them


class Connection:
    """One connection; a context manager that closes it."""

    def __init__(self, client: Client, stream: trio.SocketStream) -> None:
        self.client = client
        self.stream = stream
        self.protocol = h11.Connection(h11.CLIENT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_ended: object) -> None:
        await trio.aclose_forcefully(self.stream)

    async def ask(
        self,
        method: str,
        target: str,
        *,
        json: object = None,
        body: bytes = b"",
        content_type: str | None = "application/json",
        headers: Iterable[tuple[str, str]] = (),
    ) -> Got:
        """Send a request and read its answer, with the patience that a busy machine needs."""
        if json is not None:
            body = _json(json)
        with trio.fail_after(30):
            await self.send(method, target, body=body, content_type=content_type, headers=headers)
            got = await self.answer()
        if self.protocol.our_state is h11.DONE and self.protocol.their_state is h11.DONE:
            self.protocol.start_next_cycle()
        return got

    async def send(
        self,
        method: str,
        target: str,
        *,
        body: bytes = b"",
        content_type: str | None = "application/json",
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        head = self.client.head(body=body, content_type=content_type, headers=headers)
        out = self.protocol.send(h11.Request(method=method, target=target, headers=head)) or b""
        if body:
            out += self.protocol.send(h11.Data(data=body)) or b""
        out += self.protocol.send(h11.EndOfMessage()) or b""
        try:
            await self.stream.send_all(out)
        except trio.BrokenResourceError:
            # Refused before all of it was sent; the answer is there to be read.
            return

    async def answer(self) -> Got:
        parts = []
        while True:
            event = self.protocol.next_event()
            if event is h11.NEED_DATA:
                self.protocol.receive_data(await self.stream.receive_some(65536))
            elif isinstance(event, h11.Response):
                response = event
            elif isinstance(event, h11.Data):
                parts.append(bytes(event.data))
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                break
        headers = {name.decode(): value.decode() for name, value in response.headers}
        return Got(response.status_code, headers, b"".join(parts))

    async def closed_by_server(self, *, within: float) -> bool:
        """Wait until the server closes the connection; False where it does not in time."""
        with trio.move_on_after(within):
            while True:
                try:
                    if await self.stream.receive_some(65536) == b"":
                        return True
                except trio.BrokenResourceError:
                    return True
        return False


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
