"""The ways of looking, each at something real."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio

from supervisor.units.driver import ExitStatus
from supervisor.units.probes.instruments import Finished
from supervisor.units.probes.looks import (
    command_failure,
    look_at_heartbeat,
    look_at_http,
    look_at_tcp,
)
from supervisor.units.probes.target import Target


@asynccontextmanager
async def serving(answer: bytes, *, hangs: bool = False) -> AsyncIterator[tuple[Target, list[bytes]]]:
    """A server of this machine that gives one answer to everybody, and what it was asked."""
    asked: list[bytes] = []

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            asked.append(await stream.receive_some(4096))
            if hangs:
                await trio.sleep_forever()
            await stream.send_all(answer)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(partial(trio.serve_tcp, serve, 0, host="127.0.0.1"))
        port = listeners[0].socket.getsockname()[1]
        yield Target("127.0.0.1", port, "/health?deep=1"), asked
        nursery.cancel_scope.cancel(reason="the test is over")


@pytest.fixture
def nobody() -> Target:
    """A port at which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return Target("127.0.0.1", int(taken.getsockname()[1]), "/")


@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "302 Found", "399 Odd"])
async def test_a_page_from_200_to_399_passes_and_no_redirect_is_followed(status: str) -> None:
    answer = f"HTTP/1.1 {status}\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n".encode()
    async with serving(answer) as (target, asked):
        assert await look_at_http(target) is None

    assert len(asked) == 1
    assert asked[0].startswith(b"GET /health?deep=1 HTTP/1.1\r\n")
    assert f"host: 127.0.0.1:{target.port}".encode() in asked[0].lower()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 404 Nothing\r\n\r\n", "answered 404 Not Found"),
        (b"HTTP/1.1 503 Busy\r\n\r\n", "answered 503 Service Unavailable"),
        (b"HTTP/1.1 799 What\r\n\r\n", "answered 799"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "does not answer in HTTP"),
        (b"", "does not answer in HTTP"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"a" * 200_000, "does not answer in HTTP"),
    ],
)
async def test_any_other_answer_is_a_failure_in_words(answer: bytes, words: str) -> None:
    async with serving(answer) as (target, _):
        assert words in (await look_at_http(target) or "")


async def test_an_early_hint_is_not_the_answer() -> None:
    async with serving(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n") as (target, _):
        assert await look_at_http(target) is None


async def test_a_server_that_never_answers_is_left_when_the_time_is_up() -> None:
    async with serving(b"", hangs=True) as (target, _):
        with trio.move_on_after(0.05) as scope:
            await look_at_http(target)

    assert scope.cancelled_caught


@pytest.mark.parametrize("look", [look_at_http, look_at_tcp])
async def test_where_nobody_listens_it_is_said(look: Callable[[Target], object], nobody: Target) -> None:
    found = await look(nobody)  # type: ignore[misc]

    assert found == f"nobody listens at 127.0.0.1:{nobody.port}"


async def test_a_host_that_does_not_exist_is_a_failure_in_words() -> None:
    assert "cannot be reached" in (await look_at_tcp(Target("no-such-host.invalid", 80)) or "")


async def test_a_port_that_takes_a_connection_passes() -> None:
    async with serving(b"") as (target, _):
        assert await look_at_tcp(target) is None


def test_a_command_passes_by_its_code_alone() -> None:
    assert command_failure(Finished(status=ExitStatus(code=0), words="warning: old")) is None
    assert (
        command_failure(Finished(status=ExitStatus(code=2), words="no db"))
        == "the command failed (exited with code 2): no db"
    )
    assert command_failure(Finished(status=ExitStatus(signal=9))) == "the command failed (killed by SIGKILL)"


async def test_a_heartbeat_is_a_touch_by_this_incarnation(tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    assert await look_at_heartbeat(beat, since=0, oldest=None) == f"there is no file {beat}"
    beat.touch()

    assert await look_at_heartbeat(beat, since=time.time() - 60, oldest=None) is None
    assert await look_at_heartbeat(beat, since=time.time() - 60, oldest=30) is None
    assert "not been touched since the start" in (
        await look_at_heartbeat(beat, since=time.time() + 1, oldest=None) or ""
    )


async def test_a_heartbeat_that_is_too_old_is_told_with_its_age(tmp_path: Path) -> None:
    beat = tmp_path / "beat"
    beat.touch()
    os.utime(beat, (time.time() - 5, time.time() - 5))

    found = await look_at_heartbeat(beat, since=time.time() - 60, oldest=2)

    assert found is not None
    assert "was last touched 5.0 s ago, and 2 s are allowed" in found


async def test_a_heartbeat_that_cannot_be_looked_at_is_a_failure_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert "cannot be looked at: Not a directory" in (
        await look_at_heartbeat(tmp_path / "file" / "beat", since=0, oldest=None) or ""
    )
