"""The feed over HTTP: pages, waits, streams, and the copy that a client keeps."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import h11
import pytest
import trio

from api.streams import Followers
from supervisor.errors import Overloaded
from tests.api.conftest import Daemon, Start
from tests.api.wire import Connection

EVENTS = "/api/v1/events"
SSE = [("Accept", "text/event-stream")]


async def define(daemon: Daemon, name: str = "web", **keys: Any) -> None:
    got = await daemon.client.post(
        "/api/v1/agents", json={"name": name, "command": "sleep", "start_seconds": 0, **keys}
    )
    assert got.status == 201, got.body


async def settled(daemon: Daemon) -> int:
    number: int = (await daemon.client.get("/api/v1/state")).json["number"]
    return number


class Stream:
    """The body of an answer without an end, piece by piece."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._data = b""

    async def until(self, *words: bytes) -> bytes:
        """Read on until all of these words were there; return what was read."""
        return await self._read(lambda data: all(word in data for word in words))

    async def lines(self, count: int) -> list[bytes]:
        """Read on until there were so many whole lines; return them."""
        return (await self._read(lambda data: data.count(b"\n") >= count)).splitlines()

    async def _read(self, enough: Callable[[bytes], bool]) -> bytes:
        with trio.fail_after(30):
            while not enough(self._data):
                event = self._connection.protocol.next_event()
                if event is h11.NEED_DATA:
                    self._connection.protocol.receive_data(await self._connection.stream.receive_some(65536))
                elif isinstance(event, h11.Data):
                    self._data += bytes(event.data)
                elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                    raise AssertionError(f"ended after {self._data!r}")
        found, self._data = self._data, b""
        return found


@asynccontextmanager
async def following(daemon: Daemon, query: str = "", headers: Any = ()) -> AsyncIterator[Stream]:
    async with await daemon.client.connect() as connection:
        await connection.send("GET", f"{EVENTS}?follow=true{query}", headers=headers)
        yield Stream(connection)


async def test_a_page_tells_what_has_happened_and_where_to_go_on(daemon: Daemon) -> None:
    await define(daemon)
    last = await settled(daemon)
    page = (await daemon.client.get(EVENTS)).json

    assert page["next"] == last
    assert [item["number"] for item in page["items"]] == list(range(1, last + 1))
    assert page["items"][0]["type"] == "unit.defined"
    assert page["items"][0]["unit"]["name"] == "web"
    assert (await daemon.client.get(f"{EVENTS}?since={last}")).json == {"items": [], "next": last, "gap": None}


async def test_events_are_chosen(daemon: Daemon) -> None:
    await define(daemon, "a")
    await define(daemon, "b")
    await settled(daemon)
    items = (await daemon.client.get(f"{EVENTS}?name=b&type=unit.state&type=daemon")).json["items"]

    assert {(item["name"], item["type"]) for item in items} == {("b", "unit.state")}
    assert len((await daemon.client.get(f"{EVENTS}?tail=1")).json["items"]) == 1


@pytest.mark.parametrize(
    "query", ["since=yesterday", "since=-1", "tail=1001", "kind=planet", "limit=0", "since=1&tail=2", "follow&wait=1s"]
)
async def test_a_query_that_makes_no_sense_is_refused(daemon: Daemon, query: str) -> None:
    assert (await daemon.client.get(f"{EVENTS}?{query}")).code == "malformed_request"


async def test_a_place_that_is_no_number_is_refused(daemon: Daemon) -> None:
    got = await daemon.client.get(EVENTS, headers=[("Last-Event-ID", "x")])

    assert got.code == "malformed_request"


async def test_a_page_is_waited_for(daemon: Daemon) -> None:
    async with trio.open_nursery() as nursery:
        found: list[Any] = []

        async def wait() -> None:
            found.append((await daemon.client.get(f"{EVENTS}?since=0&wait=4s")).json)

        nursery.start_soon(wait)
        await trio.sleep(0.05)
        await define(daemon)

    assert found[0]["items"][0]["type"] == "unit.defined"
    assert (await daemon.client.get(f"{EVENTS}?since=100&wait=4s")).json["gap"]["first"] == 101


async def test_a_stream_of_server_sent_events_goes_on_behind_the_last_id(daemon: Daemon) -> None:
    await define(daemon)
    last = await settled(daemon)
    async with following(daemon, headers=[*SSE, ("Last-Event-ID", str(last - 1))]) as stream:
        first = await stream.until(b"id: %d\n" % last)
        await define(daemon, "other")
        second = await stream.until(b"id: %d\nevent: unit.defined\ndata: {" % (last + 1), b'"name":"other"')

    assert b"id: %d\n" % (last - 1) not in first
    assert second.endswith(b"\n\n")


async def test_a_stream_of_json_lines_holds_one_event_a_line(daemon: Daemon) -> None:
    async with following(daemon, "&tail=0&type=unit.defined") as stream:
        await stream.until(b"\n")
        await define(daemon, "a")
        await define(daemon, "b")
        lines = await stream.lines(2)

    assert [json.loads(line)["name"] for line in lines] == ["a", "b"]


async def test_a_stream_ends_with_a_word_and_delays_nothing(start: Start) -> None:
    async with start(grace=30) as daemon, following(daemon, headers=SSE) as stream:
        await stream.until(b": hello")
        took = await daemon.stop()

        assert b"event: bye" in await stream.until(b"bye")
        assert took < 20


async def test_a_wait_ends_with_the_daemon(start: Start) -> None:
    async with start(grace=30) as daemon, await daemon.client.connect() as connection:
        await connection.send("GET", f"{EVENTS}?since=0&wait=30s")
        await trio.sleep(0.1)

        assert await daemon.stop() < 20


async def test_a_follower_that_goes_is_forgotten(daemon: Daemon) -> None:
    async with following(daemon) as stream:
        await stream.until(b"\n")
    for name in ("a", "b", "c"):
        await define(daemon, name)

    with trio.fail_after(30):
        async with following(daemon) as stream:
            await stream.until(b'"name":"c"')


async def test_a_follower_that_reads_nothing_slows_nobody_down(daemon: Daemon) -> None:
    async with following(daemon, headers=SSE):
        for number in range(20):
            await define(daemon, f"a{number}")
        last = await settled(daemon)
        page = (await daemon.client.get(f"{EVENTS}?since=0")).json

    assert page["next"] == last


async def test_the_state_and_the_events_behind_it_are_an_exact_copy(daemon: Daemon) -> None:
    await define(daemon, "a")
    await define(daemon, "b", restart="always")
    state = (await daemon.client.get("/api/v1/state")).json
    copy = {unit["name"]: unit for unit in state["units"]}

    await daemon.client.ask("PATCH", "/api/v1/agents/a", json={"labels": {"x": "y"}})
    await daemon.client.post("/api/v1/agents/b/restart?wait=true")
    await define(daemon, "c")
    await daemon.client.ask("DELETE", "/api/v1/agents/a?force=true")
    later = (await daemon.client.get("/api/v1/state")).json
    events = (await daemon.client.get(f"{EVENTS}?since={state['number']}")).json["items"]
    for event in events:
        if event["number"] > later["number"]:
            break
        if "unit" in event:
            copy[event["name"]] = event["unit"]
        elif "status" in event:
            copy[event["name"]]["status"] = event["status"]
        elif event["type"] == "unit.forgotten":
            del copy[event["name"]]

    assert sorted(copy) == ["b", "c"]
    assert copy == {unit["name"]: unit for unit in later["units"]}


async def test_the_history_of_an_agent_tells_how_each_incarnation_ended(daemon: Daemon) -> None:
    await define(daemon)
    await daemon.client.post("/api/v1/agents/web/start?wait=true")
    await daemon.client.post("/api/v1/agents/web/stop?wait=true")
    await settled(daemon)
    history = (await daemon.client.get("/api/v1/agents/web/history")).json

    (run,) = history["runs"]
    assert (run["incarnation"], run["exit"]["reason"]) == (1, "stopped")
    assert run["started_at"] <= run["ended_at"]
    assert "stop_asked" in {step["cause"] for step in history["steps"]}
    assert history["steps"][-1]["type"] == "unit.defined"
    assert (await daemon.client.get("/api/v1/agents/nobody/history")).code == "not_found"


def test_more_streams_than_are_taken_are_refused() -> None:
    followers = Followers(most=1)
    followers.enter()
    with pytest.raises(Overloaded):
        followers.enter()
    followers.leave()
    followers.enter()
