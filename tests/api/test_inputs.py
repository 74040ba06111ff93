"""Input for agents, over HTTP."""

from __future__ import annotations

import base64
import os
from typing import Any

import pytest

from supervisor.agents.inputs import InputPipes
from tests.api.conftest import Daemon

AGENTS = "/api/v1/agents"


async def run(daemon: Daemon, **keys: Any) -> None:
    created = await daemon.client.post(
        AGENTS, json={"name": "web", "command": ["sleep", "1"], "start_seconds": 0, "stdin": "pipe", **keys}
    )
    assert created.status == 201, created.body
    assert (await daemon.client.post(f"{AGENTS}/web/start?wait=true")).status == 200


async def give(daemon: Daemon, document: Any, query: str = "", **more: Any) -> Any:
    return await daemon.client.post(f"{AGENTS}/web/input{query}", json=document, **more)


@pytest.mark.parametrize("document", [{"text": "grüß\n"}, {"base64": base64.b64encode("grüß\n".encode()).decode()}])
async def test_text_and_bytes_reach_the_program_as_they_are(daemon: Daemon, document: Any) -> None:
    await run(daemon)
    reader = InputPipes(daemon.inputs).open("web", 1)

    got = await give(daemon, document)

    assert (got.status, got.json) == (200, {"bytes": 7})
    assert os.read(reader, 100) == "grüß\n".encode()
    os.close(reader)


async def test_who_takes_no_input_is_told_apart_from_who_does_not_run(daemon: Daemon) -> None:
    await run(daemon)
    ended = await give(daemon, {"text": "x"})
    await daemon.client.post(f"{AGENTS}/web/stop?wait=true")
    stopped = await give(daemon, {"text": "x"})
    await daemon.client.ask("PATCH", f"{AGENTS}/web", json={"stdin": "null"})
    closed = await give(daemon, {"text": "x"})

    assert (ended.status, ended.code) == (409, "invalid_transition")
    assert "does not read its input" in ended.json["detail"]
    assert (stopped.status, stopped.code) == (409, "invalid_transition")
    assert "the unit is STOPPED" in stopped.json["detail"]
    assert (closed.status, closed.code) == (409, "conflict")
    assert closed.json["hint"] == 'define it with stdin = "pipe"'


async def test_what_is_not_taken_in_time_is_told(daemon: Daemon) -> None:
    await run(daemon)
    reader = InputPipes(daemon.inputs).open("web", 1)

    got = await give(daemon, {"text": "x" * 100_000}, "?timeout=50ms")

    assert (got.status, got.code) == (504, "timed_out")
    assert "has taken 65536 of 100000 bytes" in got.json["detail"]
    os.close(reader)


@pytest.mark.parametrize(
    "document", [{}, {"text": "a", "base64": "YQ=="}, {"base64": "a"}, {"text": 1}, {"lines": ["a"]}, {"base64": "ä"}]
)
async def test_a_body_that_is_not_one_of_both_is_refused(daemon: Daemon, document: Any) -> None:
    await run(daemon)

    got = await give(daemon, document)

    assert (got.status, got.code) == (422, "invalid_input")


async def test_more_than_a_body_may_have_is_refused(daemon: Daemon) -> None:
    await run(daemon)

    assert (await give(daemon, {"text": "x" * (1 << 20)})).status == 413
