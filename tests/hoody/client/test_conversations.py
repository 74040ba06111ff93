"""What both clients do when the daemon moves, changes its token, breaks off, is slow, or is no daemon at all."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
import trio

from hoody.client.asynchronous import AsyncClient
from hoody.client.blocking import Client
from hoody.client.call import Call, Endpoint, json_request, read_json
from hoody.client.wire import BadAnswer
from supervisor.errors import (
    AlreadyExists,
    DaemonNotRunning,
    HoodyError,
    InvalidInput,
    NotFound,
    TimedOut,
    Unauthorized,
    Unavailable,
)

Send = Callable[[Any, Call[Any]], Any]


def blocking(finder: Any, call: Call[Any]) -> Any:
    return Client(finder=finder).send(call)


def with_trio(finder: Any, call: Call[Any]) -> Any:
    return trio.run(AsyncClient(finder=finder).send, call)


@pytest.fixture(params=[blocking, with_trio])
def send(request: pytest.FixtureRequest) -> Send:
    found: Send = request.param
    return found


def get(*, repeatable: bool = True, timeout: float = 5, **settings: Any) -> Call[Any]:
    return Call(json_request("GET", "/x"), read_json, timeout=timeout, repeatable=repeatable, **settings)


def at(port: int, token: str = "t1") -> Endpoint:
    return Endpoint("127.0.0.1", port, token)


def hang_up(_connection: socket.socket) -> None:
    """Close without a word."""


def test_an_answer_is_read_and_the_token_sent(send: Send, server: Any, finder: Any, answering: Any) -> None:
    server.play(answering(200, b'{"a": 1}'))

    assert send(finder(at(server.port)), get()) == {"a": 1}
    head = server.requests[0].decode()
    assert f"Host: 127.0.0.1:{server.port}\r\n" in head
    assert "Authorization: Bearer t1\r\n" in head


def test_a_daemon_that_has_moved_is_found_again(
    send: Send, server: Any, finder: Any, answering: Any, free_port: int
) -> None:
    server.play(answering(200, b"1"))

    assert send(finder(at(free_port), at(server.port)), get()) == 1


def test_a_daemon_that_is_gone_is_told_as_not_running(send: Send, finder: Any, free_port: int) -> None:
    with pytest.raises(DaemonNotRunning, match=f"nothing answers at 127.0.0.1:{free_port}"):
        send(finder(at(free_port)), get())


def test_without_a_daemon_nothing_is_tried(send: Send, finder: Any) -> None:
    with pytest.raises(DaemonNotRunning, match="no daemon is running"):
        send(finder(None), get())


def test_a_rotated_token_is_taken_up(send: Send, server: Any, finder: Any, answering: Any) -> None:
    server.play(answering(401, b'{"code": "unauthorized", "detail": "no"}'), answering(200, b"1"))

    assert send(finder(at(server.port), at(server.port, "t2")), get(repeatable=False)) == 1
    assert b"Bearer t2" in server.requests[1]


def test_a_refused_token_that_has_not_changed_is_not_sent_again(
    send: Send, server: Any, finder: Any, answering: Any
) -> None:
    server.play(answering(401, b'{"code": "unauthorized", "detail": "no", "hint": "look"}'))

    with pytest.raises(Unauthorized, match=r"^no$") as caught:
        send(finder(at(server.port)), get())
    assert caught.value.hint == "look"
    assert len(server.requests) == 1


def test_a_call_that_may_be_repeated_survives_one_broken_connection(
    send: Send, server: Any, finder: Any, answering: Any
) -> None:
    server.play(hang_up, answering(200, b"1"))

    assert send(finder(at(server.port)), get()) == 1


def test_a_second_broken_connection_is_an_error(send: Send, server: Any, finder: Any) -> None:
    server.play(hang_up, hang_up)

    with pytest.raises(Unavailable, match="broke before it answered"):
        send(finder(at(server.port)), get())


def test_a_call_that_may_not_be_repeated_is_sent_once_and_its_doubt_is_told(
    send: Send, server: Any, finder: Any
) -> None:
    server.play(hang_up)

    with pytest.raises(Unavailable, match="may or may not have been done"):
        send(finder(at(server.port)), get(repeatable=False))
    assert len(server.requests) == 1


def test_a_reset_is_a_broken_connection(send: Send, server: Any, finder: Any) -> None:
    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    server.play(reset)

    with pytest.raises(Unavailable, match="broke before it answered"):
        send(finder(at(server.port)), get(repeatable=False))


def test_a_daemon_that_does_not_answer_is_given_up_at_the_deadline(send: Send, server: Any, finder: Any) -> None:
    server.play(lambda connection: connection.recv(1))
    began = time.monotonic()

    with pytest.raises(TimedOut, match=r"within 0\.1 s"):
        send(finder(at(server.port)), get(timeout=0.1))
    assert time.monotonic() - began < 5


def test_another_program_on_the_port_is_recognised(send: Send, server: Any, finder: Any) -> None:
    server.play(b"220 mail.example ESMTP\r\n\r\n")

    with pytest.raises(BadAnswer, match="not HTTP"):
        send(finder(at(server.port)), get())


def test_an_answer_that_is_not_json_is_told(send: Send, server: Any, finder: Any, answering: Any) -> None:
    server.play(answering(200, b"<html>"))

    with pytest.raises(BadAnswer, match="not JSON"):
        send(finder(at(server.port)), get())


def test_a_token_that_no_header_can_carry_is_refused_before_it_is_sent(send: Send, server: Any, finder: Any) -> None:
    with pytest.raises(InvalidInput, match="cannot carry"):
        send(finder(at(server.port, "a\nb")), get())


def test_a_long_answer_goes_to_the_sink_as_it_comes(send: Send, server: Any, finder: Any, answering: Any) -> None:
    got = bytearray()
    call = Call(json_request("GET", "/x"), lambda response: response.body, timeout=5, sink=got.extend)
    server.play(answering(200, b"x" * 1_000_000))

    assert send(finder(at(server.port)), call) == b""
    assert len(got) == 1_000_000


def test_an_error_does_not_go_to_the_sink(send: Send, server: Any, finder: Any, answering: Any) -> None:
    got = bytearray()
    call = Call(json_request("GET", "/x"), lambda response: response.body, timeout=5, sink=got.extend)
    server.play(answering(404, b'{"code": "not_found", "detail": "no agent"}'))

    with pytest.raises(NotFound):
        send(finder(at(server.port)), call)
    assert got == b""


@pytest.mark.parametrize(
    ("status", "document", "expected"),
    [
        (409, {"code": "already_exists", "detail": "taken"}, AlreadyExists),
        (418, {"code": "from_the_future", "detail": "new"}, HoodyError),
        (404, {"detail": "new", "code": "from_the_future"}, NotFound),
        (404, {"title": "Not found"}, NotFound),
        (422, {"code": "invalid_input", "detail": "bad", "errors": [{"path": "a", "message": "b"}, 3]}, InvalidInput),
        (500, ["not", "an", "object"], BadAnswer),
    ],
)
def test_a_problem_becomes_the_error_that_it_names(
    server: Any, finder: Any, answering: Any, status: int, document: object, expected: type[HoodyError]
) -> None:
    server.play(answering(status, json.dumps(document).encode()))

    with pytest.raises(HoodyError) as caught:
        blocking(finder(at(server.port)), get())
    assert type(caught.value) is expected
    if isinstance(caught.value, InvalidInput):
        assert list(caught.value.problems) == [("a", "b")]


def test_many_calls_go_out_together_and_each_has_its_own_end(server: Any, finder: Any, answering: Any) -> None:
    def slow(connection: socket.socket) -> None:
        time.sleep(0.12)
        connection.sendall(answering(200, b"1"))

    server.play(slow, answering(404, b'{"code": "not_found", "detail": "no"}'), answering(200, b"3"))
    seen: list[list[int]] = []
    results = Client(finder=finder(at(server.port))).send_all(
        [get(), get(), get()], tick=0.02, on_tick=lambda missing: seen.append(list(missing))
    )

    assert sorted(result for result in results if isinstance(result, int)) == [1, 3]
    assert [NotFound] == [type(result) for result in results if isinstance(result, Exception)]
    assert seen
    assert len(seen[0]) == 3


async def test_a_cancelled_call_lets_go_of_its_connection(server: Any, finder: Any) -> None:
    noticed = trio.Event()
    token = trio.lowlevel.current_trio_token()

    def wait_for_the_end(connection: socket.socket) -> None:
        connection.recv(1)
        token.run_sync_soon(noticed.set)

    server.play(wait_for_the_end)
    with trio.move_on_after(0.05):
        await AsyncClient(finder=finder(at(server.port))).send(get())

    with trio.fail_after(30):
        await noticed.wait()


@pytest.mark.parametrize("document", [float("nan"), {"a": object()}, "\udc80"])
def test_what_is_no_json_is_refused_before_it_is_sent(document: object) -> None:
    with pytest.raises(InvalidInput):
        json_request("POST", "/x", document)
