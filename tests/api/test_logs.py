"""What an agent wrote, read over HTTP from real log files."""

from __future__ import annotations

import os

import pytest
import trio
from attrs import evolve

from api.logtext import TextWriter
from supervisor.logs import START, Entry, Gap
from tests.api.conftest import Daemon
from tests.api.wire import Got

LOGS = "/api/v1/agents/web/logs"
JSON = [("Accept", "application/json")]


@pytest.fixture
async def written(daemon: Daemon) -> Daemon:
    """A daemon with an agent that has written lines 1 to 300 and, to stderr, one word."""
    await daemon.client.post("/api/v1/agents", json={"name": "web", "command": "true"})
    await write(daemon, b"".join(b"line %d\n" % number for number in range(1, 301)))
    await write(daemon, b"oops\n", stream="stderr")
    return daemon


async def write(daemon: Daemon, text: bytes, *, stream: str = "stdout", incarnation: int = 1) -> None:
    descriptor = daemon.logs.open("web", stream, incarnation)  # type: ignore[arg-type]
    os.write(descriptor, text)
    os.close(descriptor)
    assert await daemon.logs.drain("web")


async def test_the_last_hundred_lines_are_answered_as_text(written: Daemon) -> None:
    got = await written.client.get(f"{LOGS}?stream=stdout")

    assert got.headers["content-type"] == "text/plain; charset=utf-8"
    assert got.body == b"".join(b"line %d\n" % number for number in range(201, 301))


async def test_as_many_lines_are_answered_as_are_asked_for(written: Daemon) -> None:
    assert (await written.client.get(f"{LOGS}?tail=2&stream=stdout")).body == b"line 299\nline 300\n"
    assert (await written.client.get(f"{LOGS}?tail=0")).body == b""
    assert (await written.client.get(f"{LOGS}?tail=all&stream=stdout")).body.count(b"\n") == 300
    assert (await written.client.get(f"{LOGS}?tail=all&stream=stderr")).body == b"oops\n"
    assert (await written.client.get(f"{LOGS}?tail=all&grep=99")).body == b"line 99\nline 199\nline 299\n"


async def test_lines_of_the_incarnation_before_can_be_read(written: Daemon) -> None:
    await write(written, b"new\n", incarnation=2)

    assert (await written.client.get(f"{LOGS}?tail=1&previous=true&stream=stdout")).body == b"line 300\n"


async def test_bytes_that_are_no_text_are_kept_as_they_are(written: Daemon) -> None:
    await write(written, b"\xff\x00\x1b[31m\n")

    assert (await written.client.get(f"{LOGS}?tail=1&stream=stdout")).body == b"\xff\x00\x1b[31m\n"


async def test_pages_of_json_follow_each_other_without_a_gap(written: Daemon) -> None:
    await write(written, b"".join(b"more %d\n" % number for number in range(2000)))
    texts: list[str] = []
    target, pages = f"{LOGS}?tail=all&stream=stdout", 0
    while (page := (await written.client.get(target, headers=JSON)).json)["items"]:
        texts += [item["text"] for item in page["items"]]
        target, pages = f"{LOGS}?stream=stdout&after={page['next']}", pages + 1

    expected = [f"line {number}" for number in range(1, 301)] + [f"more {number}" for number in range(2000)]
    assert texts == expected
    assert pages > 1


async def test_an_item_says_where_and_when_it_came_from(written: Daemon) -> None:
    (item,) = (await written.client.get(f"{LOGS}?stream=stderr", headers=JSON)).json["items"]

    assert item["time"].endswith("Z")
    assert {key: item[key] for key in ("unit", "stream", "incarnation", "text", "ended")} == {
        "unit": "web",
        "stream": "stderr",
        "incarnation": 1,
        "text": "oops",
        "ended": True,
    }


async def test_new_lines_can_be_waited_for(written: Daemon) -> None:
    at = (await written.client.get(f"{LOGS}?tail=0", headers=JSON)).json["next"]
    answers: list[Got] = []

    async def wait() -> None:
        answers.append(await written.client.get(f"{LOGS}?wait=true&after={at}", headers=JSON))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(wait)
        await trio.sleep(0.05)
        await write(written, b"at last\n")

    assert [item["text"] for item in answers[0].json["items"]] == ["at last"]


async def test_a_wait_for_lines_that_do_not_come_ends_empty_and_can_go_on(written: Daemon) -> None:
    at = (await written.client.get(f"{LOGS}?tail=0", headers=JSON)).json["next"]

    nothing = (await written.client.get(f"{LOGS}?wait=true&timeout=50ms&after={at}", headers=JSON)).json
    await write(written, b"later\n")
    later = (await written.client.get(f"{LOGS}?after={nothing['next']}", headers=JSON)).json

    assert nothing["items"] == []
    assert [item["text"] for item in later["items"]] == ["later"]


async def test_an_agent_that_wrote_nothing_has_empty_logs(daemon: Daemon) -> None:
    await daemon.client.post("/api/v1/agents", json={"name": "web", "command": "true"})

    assert (await daemon.client.get(LOGS)).body == b""


async def test_logs_of_an_unknown_agent_are_not_found(daemon: Daemon) -> None:
    assert (await daemon.client.get(LOGS)).code == "not_found"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("tail=-1", "malformed_request"),
        ("tail=many", "malformed_request"),
        ("tail=9999999999", "malformed_request"),
        ("stream=stdin", "malformed_request"),
        ("since=yesterday", "malformed_request"),
        ("after=nowhere", "malformed_request"),
        ("wait=true", "malformed_request"),
        ("timeout=2m", "malformed_request"),
    ],
)
async def test_a_selection_that_makes_no_sense_is_refused(written: Daemon, query: str, code: str) -> None:
    assert (await written.client.get(f"{LOGS}?{query}")).code == code


async def test_what_cannot_be_followed_is_told(written: Daemon) -> None:
    got = await written.client.get(f"{LOGS}?wait=true&previous=true", headers=JSON)

    assert got.code == "invalid_input"


async def test_a_follower_that_is_waiting_does_not_delay_the_stop(written: Daemon) -> None:
    at = (await written.client.get(f"{LOGS}?tail=0", headers=JSON)).json["next"]
    async with await written.client.connect() as connection:
        await connection.send("GET", f"{LOGS}?wait=true&timeout=60s&after={at}", headers=JSON)
        await trio.sleep(0.05)

        assert await written.stop() < 1


async def test_a_reader_of_a_long_log_that_stops_reading_does_not_delay_the_stop(written: Daemon) -> None:
    for _ in range(40):
        await write(written, (b"x" * 999 + b"\n") * 1000)
    async with await written.client.connect() as connection:
        await connection.send("GET", f"{LOGS}?tail=all")
        await trio.sleep(0.3)

        assert await written.stop() < 1.5


def test_unfinished_lines_of_two_streams_do_not_run_together_and_gaps_are_told() -> None:
    out = Entry(
        unit="web",
        stream="stdout",
        time_ns=0,
        incarnation=1,
        text=b"half",
        ended=False,
        continues=False,
        start=START,
        position=START,
    )
    err = evolve(out, stream="stderr", text=b"whole", ended=True)
    lost = Gap(unit="web", stream="stdout", time_ns=0, lost=5, position=START)
    all_lost = evolve(lost, lost=None)

    text = b"".join(TextWriter().write([out, out, err, out, lost, all_lost]))

    assert text.split(b"\n") == [
        b"halfhalf",
        b"whole",
        b"half",
        b"[hoody: 5 bytes of stdout lost]",
        b"[hoody: some output of stdout lost]",
        b"",
    ]
