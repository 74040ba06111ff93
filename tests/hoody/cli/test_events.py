"""Events, history and reasons with a real daemon and real programs."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from typing import Any

from tests.hoody.cli.test_following import own  # noqa: F401 - a fixture
from tests.hoody.cli.test_with_daemon import eventually, sleeper


def read_until(process: subprocess.Popen[bytes], word: bytes) -> bytes:
    """Read what a process prints until the word was there."""
    assert process.stdout is not None
    data, deadline = b"", time.monotonic() + 30
    while word not in data:
        assert time.monotonic() < deadline, f"only got {data!r}"
        if select.select([process.stdout], [], [], 0.5)[0]:
            part = os.read(process.stdout.fileno(), 65536)
            assert part, f"ended after {data!r}"
            data += part
    return data


def test_a_kill_is_told_by_events_history_and_why(hoody: Any) -> None:
    sleeper(hoody, "killed")
    pid = hoody.json("inspect", "killed")["status"]["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: hoody.json("inspect", "killed")["status"]["incarnation"] == 2, "the next incarnation")
    eventually(lambda: "unit.exited" in hoody("events", "killed").stdout, "the event")

    exits = [
        json.loads(line) for line in hoody("events", "killed", "--type", "unit.exited", "--json").stdout.splitlines()
    ]
    history = hoody.json("history", "killed")
    why = hoody("why", "killed").stdout
    assert [(event["exit"]["signal"], event["name"]) for event in exits] == [("KILL", "killed")]
    assert [run["incarnation"] for run in history["runs"]] == [2, 1]
    assert history["runs"][1]["pid"] == pid
    assert "signal KILL" in why
    assert hoody("history", "killed").stdout.splitlines()[0].split() == ["RUN", "PID", "STARTED", "LASTED", "END"]


def test_why_says_that_somebody_stopped_it(hoody: Any) -> None:
    sleeper(hoody, "halted")
    hoody("stop", "halted")

    eventually(lambda: "a stop was asked for" in hoody("why", "halted").stdout, "the event")
    assert hoody.json("why", "halted")["findings"][0].startswith("it is stopped")
    assert hoody("why", "nobody-there", expect=3).stderr.startswith("error: there is no agent 'nobody-there'")


def test_events_are_followed_over_a_restart_of_the_daemon(own: Any) -> None:  # noqa: F811 - the fixture
    own("run", "--name", "first", "--start-seconds", "50ms", "--", "sleep", "1000")
    process = own.begin("events", "-f", "--json", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    data = read_until(process, b"RUNNING")
    own("down", "--leave-agents")
    own("up")
    data += read_until(process, b"unit.adopted")
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=30)

    events = [json.loads(line) for line in (data + rest).decode().splitlines()]
    numbers = [event["number"] for event in events]
    types = [event["type"] for event in events]
    assert numbers == list(range(1, len(numbers) + 1))
    assert types[0] == "daemon.started"
    assert "daemon.stopping" in types
    assert types.count("daemon.started") == 2
    assert types.count("unit.adopted") == 1
    assert (process.returncode, errors) == (130, b"")


def test_the_lines_of_several_agents_are_merged_by_time(hoody: Any) -> None:
    for name, wait in (("late", "0.3"), ("early", "0")):
        command = ["sh", "-c", f"sleep {wait}; echo from {name}; sleep 1000"]
        hoody.client.agents.create(name, command, start_seconds="10ms")
    eventually(lambda: "from late" in hoody("logs", "late").stdout, "the line")

    assert hoody("logs", "late", "early").stdout == "early | from early\nlate  | from late\n"
    assert hoody("logs", "late", "early", "--no-prefix", "-n", "1").stdout == "from late\n"
