"""``hoody top``: the screen as text, and the command on a terminal."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from hoody.cli.top_view import in_order, screen

NOW = datetime(2026, 1, 31, 12, 0, 10, tzinfo=UTC)


def unit(name: str, cpu: float | None = None, memory: int = 0, **status: Any) -> Any:
    stats = {"cpu": cpu, "memory": memory, "processes": 1, "threads": 2, "window": 2.0, "cpu_seconds": 1.0}
    found = {"state": "RUNNING", "pid": 4711, "started_at": "2026-01-31T12:00:00Z", "restarts": 0, **status}
    return {
        "name": name,
        "spec": {"command": ["run", name]},
        "status": found if cpu is None else {**found, "stats": stats},
    }


def test_the_busiest_comes_first_and_equals_by_name() -> None:
    units = [unit("b", 1.0, 5), unit("a", 1.0, 7), unit("z", 90.0, 1), unit("n")]

    assert [found["name"] for found in in_order(units, "cpu")] == ["z", "a", "b", "n"]
    assert [found["name"] for found in in_order(units, "memory")] == ["a", "b", "z", "n"]
    assert [found["name"] for found in in_order(units, "name")] == ["a", "b", "n", "z"]


def test_the_head_sums_up_and_each_unit_has_a_line() -> None:
    shown = screen([unit("web", 12.34, 3 * 1024**2), unit("db", state="STOPPED", pid=None)], NOW).split("\n")

    assert shown[0] == "12:00:10  2 agents, 1 running; 1 processes, CPU 12%, MEM 3.0MiB"
    assert shown[3].split() == ["web", "RUNNING", "4711", "12.3%", "3.0MiB", "1", "2", "10s", "0", "run", "web"]
    assert shown[4].split() == ["db", "STOPPED", "-", "-", "-", "-", "-", "-", "0", "run", "db"]


@pytest.mark.parametrize("lines", [5, 8, 24])
def test_it_never_takes_more_lines_than_there_are(lines: int) -> None:
    shown = screen([unit(f"web-{number:02}", 1.0) for number in range(30)], NOW, lines=lines).split("\n")

    assert len(shown) < lines
    assert shown[-1] == f"... and {30 - (len(shown) - 4)} more"


def test_a_name_from_elsewhere_cannot_act_on_the_terminal() -> None:
    assert "\x1b" not in screen([unit("\x1b[2J", 1.0)], NOW, columns=80)


def test_off_a_terminal_it_is_printed_once(hoody: Any) -> None:
    hoody.client.agents.create("seen", ["sleep", "1000"])
    hoody.client.agents.start("seen", wait=True)

    shown = hoody("top", "--interval", "500ms").stdout
    (measured,) = json.loads(hoody("top", "seen", "--interval", "500ms", "-o", "json").stdout)

    assert " seen " in f" {shown}".replace("\n", " ")
    assert measured["status"]["stats"]["processes"] == 1
    assert measured["status"]["stats"]["window"] >= 0.5
    assert hoody("top", "nobody", "--once", expect=3).stdout == ""
    hoody.forget("seen")


def test_what_ps_shows_is_measured(hoody: Any) -> None:
    hoody.client.agents.create("used", ["sleep", "1000"])
    hoody.client.agents.start("used", wait=True)

    row = next(line for line in hoody("ps").stdout.splitlines() if line.startswith("used ")).split()

    assert row[6].endswith("%")
    assert row[7].endswith("iB")
    assert "stats" not in hoody.json("ps", "used")[0]["status"]
    hoody.forget("used")


def test_on_a_terminal_it_draws_in_place_and_leaves_the_terminal_as_it_was(hoody: Any) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*hoody.program, "top", "--interval", "500ms"],
        env={**hoody.environment, "COLUMNS": "80"},
        cwd=hoody.home,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    shown, deadline = b"", time.monotonic() + 30
    while shown.count(b"agents,") < 2 and time.monotonic() < deadline:
        if select.select([ours], [], [], 1)[0]:
            shown += os.read(ours, 65536)
    process.send_signal(signal.SIGINT)
    while time.monotonic() < deadline:
        try:
            shown += os.read(ours, 65536)
        except OSError:  # nobody holds the terminal any more
            break
    os.close(ours)

    assert process.wait(10) == 0
    assert shown.startswith(b"\x1b[?1049h\x1b[?25l")
    assert shown.endswith(b"\x1b[?25h\x1b[?1049l")
