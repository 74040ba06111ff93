"""Logs without an end over HTTP: text, JSON lines, server-sent events; of one agent and of several."""

from __future__ import annotations

import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.api.conftest import Daemon, Start
from tests.api.test_events import SSE, Stream
from tests.api.test_logs import JSON, LOGS, write

ALL = "/api/v1/logs"
LINES = [("Accept", "application/x-ndjson")]


@asynccontextmanager
async def following(daemon: Daemon, target: str, headers: Any = ()) -> AsyncIterator[Stream]:
    async with await daemon.client.connect() as connection:
        await connection.send("GET", target, headers=headers)
        yield Stream(connection)


async def define(daemon: Daemon, *names: str) -> None:
    for name in names:
        await daemon.client.post("/api/v1/agents", json={"name": name, "command": "true"})


async def write_to(daemon: Daemon, name: str, text: bytes) -> None:
    descriptor = daemon.logs.open(name, "stdout", 1)
    os.write(descriptor, text)
    os.close(descriptor)
    assert await daemon.logs.drain(name)


async def test_text_is_followed_byte_for_byte(daemon: Daemon) -> None:
    await define(daemon, "web")
    await write(daemon, b"old\n")
    async with following(daemon, f"{LOGS}?follow=true&tail=1") as stream:
        first = await stream.until(b"old\n")
        await write(daemon, b"\xffnew\n")

        assert (first, await stream.until(b"new\n")) == (b"old\n", b"\xffnew\n")


async def test_server_sent_events_go_on_behind_the_last_id_without_a_line_lost_or_doubled(daemon: Daemon) -> None:
    await define(daemon, "web")
    await write(daemon, b"one\n")
    async with following(daemon, f"{LOGS}?follow=true&tail=all", SSE) as stream:
        await stream.until(b'"text":"one"')
        await write(daemon, b"two\nthree\n")
        text = await stream.until(b'"text":"three"')
    places = re.findall(rb"id: (.+)\nevent: line\ndata: (.+)\n", text + b"\n")
    (after_two,) = [place for place, data in places if b'"text":"two"' in data]
    await write(daemon, b"four\n")

    last = [*SSE, ("Last-Event-ID", after_two.decode())]
    async with following(daemon, f"{LOGS}?follow=true", last) as stream:
        text = await stream.until(b'"text":"four"')

    assert re.findall(rb'"text":"(\w+)"', text) == [b"three", b"four"]


async def test_json_lines_carry_the_place_behind_them(daemon: Daemon) -> None:
    await define(daemon, "web")
    await write(daemon, b"one\ntwo\n")
    async with following(daemon, f"{LOGS}?follow=true", LINES) as stream:
        text = await stream.until(b'"two"', b'"next"')
    last = json.loads(text.splitlines()[-1])
    await write(daemon, b"three\n")
    page = (await daemon.client.get(f"{LOGS}?after={last['next']}", headers=JSON)).json

    assert [item["text"] for item in page["items"]] == ["three"]


async def test_several_agents_are_merged_by_time(daemon: Daemon) -> None:
    await define(daemon, "a", "b", "c")
    for number, name in enumerate(("a", "b", "a", "c", "b"), start=1):
        await write_to(daemon, name, b"%s %d\n" % (name.encode(), number))
        await trio.sleep(0.06)

    assert (await daemon.client.get(f"{ALL}?name=a&name=b")).body == b"a 1\nb 2\na 3\nb 5\n"
    assert (await daemon.client.get(f"{ALL}?tail=2")).body == b"c 4\nb 5\n"
    items = (await daemon.client.get(ALL, headers=JSON)).json["items"]
    assert [(item["unit"], item["text"]) for item in items][:2] == [("a", "a 1"), ("b", "b 2")]


async def test_several_agents_are_followed_together(daemon: Daemon) -> None:
    await define(daemon, "a", "b")
    async with following(daemon, f"{ALL}?follow=true", SSE) as stream:
        await write_to(daemon, "a", b"from a\n")
        await stream.until(b"from a")
        await write_to(daemon, "b", b"from b\n")
        await stream.until(b"from b")


async def test_an_agent_that_is_not_there_is_named(daemon: Daemon) -> None:
    await define(daemon, "worker")
    got = await daemon.client.get(f"{ALL}?name=wroker")

    assert (got.code, got.json["hint"]) == ("not_found", "did you mean 'worker'?")


@pytest.mark.parametrize("query", ["follow=true&until=2030-01-01T00:00:00Z", "follow=true&previous=true"])
async def test_what_is_over_cannot_be_followed(daemon: Daemon, query: str) -> None:
    await define(daemon, "web")

    assert (await daemon.client.get(f"{LOGS}?{query}")).code == "invalid_input"


@pytest.mark.parametrize("accept", ["text/plain", "text/event-stream", "application/x-ndjson"])
async def test_a_stream_of_a_log_ends_with_the_daemon_and_delays_nothing(start: Start, accept: str) -> None:
    async with start(grace=30) as daemon:
        await define(daemon, "web")
        await write(daemon, b"one\n")
        async with following(daemon, f"{LOGS}?follow=true", [("Accept", accept)]) as stream:
            await stream.until(b"one")
            took = await daemon.stop()
            if accept != "text/plain":
                await stream.until(b"bye")

    assert took < 20


def open_logs() -> set[str]:
    """Return the descriptors of log files, as the system tells them."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            target = str(link.readlink())
        except FileNotFoundError:
            continue
        if "/logs/web/" in target:
            found.add(f"{link.name} {target}")
    return found


async def test_a_follower_that_waits_holds_no_files_open(daemon: Daemon) -> None:
    await define(daemon, "web")
    await write(daemon, b"one\n")
    before = open_logs()
    async with following(daemon, f"{LOGS}?follow=true", SSE) as first:
        await first.until(b"one")
        with trio.fail_after(30):
            while open_logs() - before:  # noqa: ASYNC110 - what a worker thread has open is told to nobody
                await trio.sleep(0.01)
