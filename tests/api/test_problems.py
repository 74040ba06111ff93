"""Every refusal is one kind of document, and what went wrong inside stays inside."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException

from api.answers import Answer
from api.app import make_app
from api.connections import serve
from api.endpoints import Call, Effect, Endpoint, NoQuery
from api.finishing import Finishing
from api.guard import Guard
from api.listening import listen
from api.problems import explain, pointer, render
from api.rules import Rules
from api.work import Work
from supervisor.convert.faults import index_step, join, key_step
from supervisor.errors import HoodyBug, HoodyError, InvalidInput, Problem, error_classes
from tests.api.wire import Client

Handler = Callable[[Call[NoQuery]], Awaitable[Answer]]


@asynccontextmanager
async def serving(handler: Handler, *, effect: Effect = Effect.READ) -> AsyncIterator[Client]:
    """Serve one endpoint, ``/x``, with everything that stands in front of it."""
    listening, stopping = listen(), trio.Event()
    endpoint = Endpoint(method="POST", path="/x", summary="Try.", handler=handler, effect=effect, query=NoQuery)
    rules = Rules(port=listening.port, open_paths={"/x"}, verify_token=bool, clock=trio.current_time)

    class Services:
        """Of which only the work is needed here."""

        def __init__(self, nursery: trio.Nursery) -> None:
            self.work = Work(nursery)

    async with trio.open_nursery() as nursery:
        services: Any = Services(nursery)
        application: Any = Finishing(make_app([endpoint], services, body_timeout=0.05))  # type: ignore[arg-type]
        guard = Guard(application, rules, run_id="test")
        started = trio.Event()
        nursery.start_soon(partial(serve, guard, listening, stopping=stopping, grace=0.2, started=started.set))
        await started.wait()
        yield Client(listening.port)
        stopping.set()
        nursery.cancel_scope.deadline = trio.current_time() + 2
    listening.close()


@pytest.mark.parametrize("effect", [Effect.READ, Effect.CHANGE])
@pytest.mark.parametrize(
    "error", [KeyError("s3cret"), ExceptionGroup("s3cret", [ValueError("s3cret")]), RuntimeError("s3cret")]
)
async def test_an_unexpected_error_is_logged_whole_and_told_without_its_insides(
    error: Exception, effect: Effect, caplog: pytest.LogCaptureFixture
) -> None:
    async def handler(_call: Call[NoQuery]) -> Answer:
        raise error

    async with serving(handler, effect=effect) as client:
        got = await client.post("/x")

    assert (got.status, got.code) == (500, "bug")
    assert b"s3cret" not in got.body
    (record,) = [record for record in caplog.records if record.name == "hoody.api"]
    assert record.exc_info is not None
    assert record.request_id == got.json["request_id"] == got.headers["x-request-id"]


async def test_an_error_in_the_middle_of_an_answer_ends_the_connection_and_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def parts() -> AsyncIterator[bytes]:
        yield b"begun"
        raise RuntimeError("in the middle")

    async def handler(_call: Call[NoQuery]) -> Answer:
        return Answer(parts=parts())  # type: ignore[arg-type]

    async with serving(handler) as client:
        async with await client.connect() as connection:
            await connection.send("POST", "/x")

            assert await connection.closed_by_server(within=20)
        assert (await client.get("/y")).status == 404
    assert "in the middle" in caplog.text


async def test_a_body_that_does_not_arrive_is_told_as_such() -> None:
    async def handler(_call: Call[NoQuery]) -> Answer:
        raise AssertionError("nothing was asked")

    async with serving(handler, effect=Effect.CHANGE) as client, await client.connect() as connection:
        await connection.stream.send_all(
            f"POST /x HTTP/1.1\r\nHost: {client.host}\r\nContent-Length: 10\r\n\r\n{{".encode()
        )
        with trio.fail_after(30):
            connection.protocol.send(_request(client))
            got = await connection.answer()

    assert (got.status, got.code) == (408, "request_timed_out")


def _request(client: Client) -> Any:
    import h11

    return h11.Request(method="POST", target="/x", headers=[("Host", client.host), ("Content-Length", "10")])


@pytest.mark.parametrize("kind", list(error_classes()), ids=lambda kind: kind.__name__)
def test_every_error_is_a_complete_document(kind: type[HoodyError]) -> None:
    error = kind.__new__(kind)
    HoodyError.__init__(error, "it happened", hint="do this")
    if isinstance(error, InvalidInput):
        error.problems = (Problem("a.b[1]", "wrong"),)

    document = json.loads(render(error, request_id="r-1").body)

    assert document["status"] == kind.http_status
    assert document["code"] == kind.code
    assert document["type"] == f"urn:hoody:error:{kind.code}"
    assert (document["title"], document["detail"], document["hint"]) == (kind.title, "it happened", "do this")
    assert ("errors" in document) == issubclass(kind, InvalidInput)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 406, 408, 409, 411, 413, 414, 415, 429, 431, 500, 503])
def test_every_error_of_the_web_framework_becomes_one_of_ours(status: int) -> None:
    class Other(HTTPException):
        code = status

    told = explain(Other(), what="GET /x", request_id="r-1")

    assert isinstance(told, HoodyError)
    assert not isinstance(told, HoodyBug)


def test_a_defect_that_is_told_as_one_is_logged_too(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.ERROR)
    told = HoodyBug("we broke it")

    assert explain(told, what="GET /x", request_id="r-1") is told
    assert "unexpected error in GET /x" in caplog.text


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", ""),
        ("command", "/command"),
        ("backoff.initial", "/backoff/initial"),
        ("command[2]", "/command/2"),
        ('environment["a.b"]', "/environment/a.b"),
        ('labels["a/b~c"]', "/labels/a~1b~0c"),
    ],
)
def test_a_path_becomes_a_json_pointer(path: str, expected: str) -> None:
    assert pointer(path) == expected


@given(st.lists(st.integers(0, 99) | st.text(max_size=10), max_size=5))
def test_any_path_points_where_it_says(steps: list[int | str]) -> None:
    path = ""
    for step in reversed(steps):
        path = join(index_step(step) if isinstance(step, int) else key_step(step), path)

    expected = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
    assert pointer(path) == expected
