"""Long answers over a connection that does everything that a connection can do to us."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from supervisor.containers import wire
from supervisor.containers.addresses import EngineAddress
from supervisor.containers.engine import Engine
from supervisor.containers.errors import EngineError, EngineTimedOut, EngineUnavailable, ImageNotFound
from supervisor.containers.under_way import Dropped, UnderWay

Script = Callable[[trio.SocketStream], Awaitable[None]]


@asynccontextmanager
async def served(script: Script) -> AsyncIterator[EngineAddress]:
    """Serve one connection after the other with a script, on a port of the loopback interface."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, script, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        yield EngineAddress(url=f"tcp://127.0.0.1:{port}", source="the test")
        nursery.cancel_scope.cancel()


async def request_head(stream: trio.SocketStream) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head:
        head += await stream.receive_some(4096)
    return head


def answering(data: bytes, *, hold: bool = False) -> Script:
    async def script(stream: trio.SocketStream) -> None:
        await request_head(stream)
        await stream.send_all(data)
        if hold:
            await trio.sleep(60)
        await stream.aclose()

    return script


async def body(address: EngineAddress, within: float = 5.0) -> bytes:
    async with wire.ask(address, "GET", "/x", what="try", within=within) as answer:
        return b"".join([piece async for piece in answer])


async def test_an_answer_comes_piece_by_piece_whatever_its_form() -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    for data in (chunked, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabcde", b"HTTP/1.0 200 OK\r\n\r\nabcde"):
        async with served(answering(data)) as address:
            assert await body(address) == b"abcde"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab",
        b"SSH-2.0-OpenSSH\r\n\r\n",
    ],
)
async def test_an_answer_that_is_cut_or_none_at_all_is_an_engine_that_is_gone(data: bytes) -> None:
    async with served(answering(data)) as address:
        with pytest.raises(EngineUnavailable):
            await body(address)


async def test_an_engine_that_says_nothing_is_given_up_at_the_deadline() -> None:
    async with served(answering(b"", hold=True)) as address:
        with pytest.raises(EngineTimedOut):
            await body(address, within=0.1)


async def test_a_refusal_comes_out_as_our_error() -> None:
    data = b'HTTP/1.1 404 Not Found\r\nContent-Length: 33\r\n\r\n{"message": "No such image: x:1"}'
    async with served(answering(data)) as address:
        with pytest.raises(ImageNotFound, match="cannot try: No such image: x:1"):
            await body(address)


async def test_a_refusal_without_sense_keeps_its_words() -> None:
    async with served(answering(b"HTTP/1.1 500 No\r\nContent-Length: 3\r\n\r\nbad")) as address:
        with pytest.raises(EngineError, match="cannot try: bad"):
            await body(address)


async def test_a_reader_that_is_cancelled_closes_its_connection() -> None:
    closed = trio.Event()

    async def script(stream: trio.SocketStream) -> None:
        await request_head(stream)
        await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\nfirst")
        assert await stream.receive_some(10) == b""
        closed.set()

    async with served(script) as address:
        with trio.move_on_after(0.1):
            await body(address)
        with trio.fail_after(30):
            await closed.wait()


async def test_an_upgraded_connection_carries_both_directions() -> None:
    async def script(stream: trio.SocketStream) -> None:
        assert b"upgrade: tcp" in (await request_head(stream)).lower()
        await stream.send_all(b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nearly")
        async for piece in stream:
            await stream.send_all(piece.upper())
        await stream.aclose()

    headers = {"Connection": "Upgrade", "Upgrade": "tcp"}
    async with (
        served(script) as address,
        wire.ask(address, "POST", "/x", what="try", within=5, headers=headers) as answer,
    ):
        await answer.send(b"hello")
        await answer.send_eof()
        assert b"".join([piece async for piece in answer]) == b"earlyHELLO"


async def test_a_body_is_sent_as_it_comes() -> None:
    got: list[bytes] = []

    async def script(stream: trio.SocketStream) -> None:
        received = await request_head(stream)
        while b"\r\n0\r\n\r\n" not in received:
            received += await stream.receive_some(4096)
        got.append(received)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    async def pieces() -> AsyncIterator[bytes]:
        yield b"one"
        yield b"two"

    async with (
        served(script) as address,
        wire.ask(address, "PUT", "/x", what="try", within=5, body=pieces()) as answer,
    ):
        assert answer.status == 200

    assert b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n" in got[0]


async def test_a_socket_that_is_not_there_says_so(tmp_path: Path) -> None:
    address = EngineAddress(url=f"unix://{tmp_path}/nothing.sock", source="the test")

    with pytest.raises(EngineUnavailable, match="there is no such socket"):
        await body(address)
    with pytest.raises(EngineUnavailable, match="there is no such socket"):
        await Engine(lambda: address).call(lambda client: client.ping())


async def test_a_port_where_nobody_listens_says_so() -> None:
    async with served(answering(b"")) as address:
        pass

    with pytest.raises(EngineUnavailable):
        await body(address)
    with pytest.raises(EngineUnavailable):
        await Engine(lambda: address).call(lambda client: client.ping())


# ---- work that outlives its caller ----


async def test_work_that_has_begun_is_waited_for_and_work_that_has_not_never_begins() -> None:
    go_on, begun = threading.Event(), threading.Event()
    first, second = UnderWay(), UnderWay()

    def slow() -> str:
        begun.set()
        go_on.wait(10)
        return "done"

    async with trio.open_nursery() as nursery:
        nursery.start_soon(partial(trio.to_thread.run_sync, first.carry_out, slow))
        await trio.to_thread.run_sync(begun.wait, 10)
        first.drop()
        second.drop()
        with trio.move_on_after(0.05) as waited:
            await first.settled()
        assert waited.cancelled_caught
        go_on.set()
        with trio.fail_after(30):
            await first.settled()
            await second.settled()
    with pytest.raises(Dropped):
        second.carry_out(slow)


async def test_a_call_that_hangs_does_not_take_the_caller_with_it() -> None:
    async with served(answering(b"", hold=True)) as address:
        engine = Engine(lambda: address, calls_at_once=1)
        with pytest.raises(EngineTimedOut):
            await engine.call(lambda client: client.ping(), within=0.1)


async def test_a_body_whose_sending_fails_is_given_up_properly() -> None:
    given_up: list[bool] = []

    async def pieces() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            given_up.append(True)

    async with served(answering(b"")) as address:
        with pytest.raises(EngineUnavailable):
            async with wire.ask(address, "PUT", "/x", what="try", within=5, body=pieces()):
                pass

    assert given_up == [True]
