"""The guard holds whatever protocol a client speaks on the one port, and one bad connection harms no other."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import h2.config
import h2.connection
import h2.events
import pytest
import trio
from wsproto import ConnectionType, WSConnection
from wsproto.events import RejectConnection, RejectData, Request

from tests.api.conftest import Daemon
from tests.api.wire import TOKEN

Headers = list[tuple[str, str]]


async def ask_h2(
    daemon: Daemon, headers: Iterable[tuple[str | bytes, str | bytes]], *, body: bytes = b""
) -> tuple[int, bytes]:
    """Send one request by cleartext HTTP/2 with prior knowledge."""
    config = h2.config.H2Configuration(
        client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False
    )
    protocol = h2.connection.H2Connection(config)
    protocol.initiate_connection()
    protocol.send_headers(1, list(headers), end_stream=not body)
    if body:
        protocol.send_data(1, body, end_stream=True)
    status, got = 0, b""
    with trio.fail_after(30):
        async with await trio.open_tcp_stream("127.0.0.1", daemon.port) as stream:
            await stream.send_all(protocol.data_to_send())
            while data := await stream.receive_some(65536):
                for event in protocol.receive_data(data):
                    if isinstance(event, h2.events.ResponseReceived):
                        status = int(dict(event.headers)[b":status"])
                    elif isinstance(event, h2.events.DataReceived):
                        got += event.data
                    elif isinstance(event, h2.events.StreamEnded):
                        return status, got
                await stream.send_all(protocol.data_to_send())
    return status, got


def h2_headers(daemon: Daemon, *more: tuple[str, str], method: str = "GET", authority: str | None = None) -> Headers:
    host = f"127.0.0.1:{daemon.port}" if authority is None else authority
    return [(":method", method), (":path", "/api/v1/agents"), (":scheme", "http"), (":authority", host), *more]


BEARER = ("authorization", f"Bearer {TOKEN}")


async def test_http_2_is_answered_like_http_1(daemon: Daemon) -> None:
    status, body = await ask_h2(daemon, h2_headers(daemon, BEARER))

    assert (status, body) == (200, b'{"items":[],"next":null}\n')


async def test_http_2_without_a_token_is_refused(daemon: Daemon) -> None:
    assert (await ask_h2(daemon, h2_headers(daemon)))[0] == 401


async def test_http_2_for_another_host_is_misdirected(daemon: Daemon) -> None:
    assert (await ask_h2(daemon, h2_headers(daemon, BEARER, authority="evil.example")))[0] == 421


async def test_http_2_from_a_foreign_page_is_refused(daemon: Daemon) -> None:
    assert (await ask_h2(daemon, h2_headers(daemon, BEARER, ("origin", "null"))))[0] == 403


async def test_a_body_by_http_2_without_a_media_type_is_refused(daemon: Daemon) -> None:
    status, _ = await ask_h2(daemon, h2_headers(daemon, BEARER, method="POST"), body=b'{"name":"a","command":"x"}')

    assert status == 415


@pytest.mark.parametrize(("host", "status"), [(None, 401), ("evil.example", 421)])
async def test_an_upgrade_to_http_2_passes_the_guard_too(daemon: Daemon, host: str | None, status: int) -> None:
    named = host if host is not None else daemon.client.host
    head = (
        f"GET /api/v1/agents HTTP/1.1\r\nHost: {named}\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n"
    )
    protocol = h2.connection.H2Connection()
    protocol.initiate_upgrade_connection()
    got = b""
    with trio.fail_after(30):
        async with await trio.open_tcp_stream("127.0.0.1", daemon.port) as stream:
            await stream.send_all(head.encode())
            while b"\r\n\r\n" not in got:
                got += await stream.receive_some(65536)
            assert got.startswith(b"HTTP/1.1 101")
            events = protocol.receive_data(got.partition(b"\r\n\r\n")[2])
            await stream.send_all(protocol.data_to_send())
            while not (answers := [event for event in events if isinstance(event, h2.events.ResponseReceived)]):
                events = protocol.receive_data(await stream.receive_some(65536))

    assert int(dict(answers[0].headers)[b":status"]) == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([], 401),
        ([(b"Authorization", b"Bearer wrong")], 401),
        ([(b"Authorization", b"Bearer " + TOKEN.encode()), (b"Origin", b"http://evil.example")], 403),
        ([(b"Authorization", b"Bearer " + TOKEN.encode()), (b"Origin", b"null")], 403),
        ([(b"Authorization", b"Bearer " + TOKEN.encode())], 404),
    ],
)
async def test_a_websocket_passes_the_guard_before_anything_else(
    daemon: Daemon, headers: list[tuple[bytes, bytes]], status: int
) -> None:
    protocol = WSConnection(ConnectionType.CLIENT)
    out = protocol.send(Request(host=daemon.client.host, target="/api/v1/ws", extra_headers=headers))
    got: list[object] = []
    with trio.fail_after(30):
        async with await trio.open_tcp_stream("127.0.0.1", daemon.port) as stream:
            await stream.send_all(out)
            while not any(isinstance(event, RejectConnection) for event in got):
                protocol.receive_data(await stream.receive_some(65536))
                got.extend(event for event in protocol.events() if not isinstance(event, RejectData))

    assert [event.status_code for event in got if isinstance(event, RejectConnection)] == [status]


async def test_a_request_that_breaks_the_protocol_of_its_connection_harms_no_other(
    daemon: Daemon, caplog: pytest.LogCaptureFixture
) -> None:
    async with await daemon.client.connect() as other:
        await other.ask("GET", "/livez")
        with caplog.at_level(logging.CRITICAL):
            headers = [(name, b"/\xff\xfe" if name == ":path" else value) for name, value in h2_headers(daemon)]
            await ask_h2(daemon, headers)

        assert (await other.ask("GET", "/livez")).status == 200


@pytest.mark.parametrize(
    "rubbish",
    [
        b"\x16\x03\x01\x00\xa5",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\0" * 1000,
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
    ],
)
async def test_rubbish_is_answered_with_a_4xx_or_the_end_of_the_connection(daemon: Daemon, rubbish: bytes) -> None:
    with trio.fail_after(30):
        async with await trio.open_tcp_stream("127.0.0.1", daemon.port) as stream:
            await stream.send_all(rubbish)
            await stream.send_eof()
            got = b""
            while data := await stream.receive_some(65536):
                got += data

    assert got == b"" or got.startswith(b"HTTP/1.1 4")
    assert (await daemon.client.get("/livez")).status == 200


async def test_the_absolute_form_of_a_target_is_refused(daemon: Daemon) -> None:
    got = await daemon.client.get(f"http://evil.example:{daemon.port}/api/v1/agents")

    assert (got.status, got.code) == (400, "malformed_request")
