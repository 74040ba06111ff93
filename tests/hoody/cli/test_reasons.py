"""Events, incarnations and reasons in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from hoody.cli.event_words import _CAUSES, _TOLD, event_line, run_row
from hoody.cli.reasons import explanation, findings
from supervisor.events import model
from supervisor.events.model import Cause

NOW = datetime(2030, 1, 2, 12, 0, 30, tzinfo=UTC)
EXIT = {
    "reason": "crashed",
    "at": "2030-01-02T12:00:00Z",
    "code": None,
    "signal": "KILL",
    "core_dumped": False,
    "detail": "killed from outside",
    "incarnation": 3,
}


def unit(**status: Any) -> Any:
    plain = {
        "state": "BACKOFF",
        "desired": "running",
        "reason": "it crashed",
        "ready": False,
        "health": "none",
        "pid": None,
        "incarnation": 3,
        "restarts": 3,
        "exit": EXIT,
        "next_retry_at": "2030-01-02T12:01:00Z",
        "crash_loop": True,
        "waiting_for": [],
        "says": "",
    }
    return {"name": "web", "status": {**plain, **status}}


def step(cause: str, number: int) -> Any:
    time = "2030-01-02T11:00:00Z"
    return {"number": number, "time": time, "type": "unit.state", "state": "STOPPED", "cause": cause, "reason": ""}


RUN: Any = {
    "incarnation": 3,
    "pid": 77,
    "started_at": "2030-01-02T11:59:00Z",
    "ended_at": "2030-01-02T12:00:00Z",
    "adopted": 1,
    "exit": EXIT,
}


def test_a_crash_loop_is_explained_with_its_next_try_its_end_and_its_last_words() -> None:
    told = explanation(unit(), {"runs": [RUN], "steps": []}, ["out of memory\x1b[31m\x07"], NOW)

    assert told.startswith("web: BACKOFF\n  - it has ended and is waiting for its next start: it crashed\n")
    assert "it came back 3 times by itself" in told
    assert "next try at 2030-01-02T12:01:00Z (in 30s)" in told
    assert "it last ended so: crashed, signal KILL" in told
    assert told.endswith("last lines of its log:\n  out of memory\\x07")


def test_who_stopped_it_is_said() -> None:
    stopped = unit(state="STOPPED", desired="stopped", reason="", crash_loop=False, exit=None)
    told = findings(stopped, {"runs": [], "steps": [step("process_ended", 9), step("stop_asked", 8)]})

    assert told == [
        "it is stopped",
        "nobody wants it to run; start it with: hoody start web",
        "last asked for: a stop was asked for, at 2030-01-02T11:00:00Z (event 8)",
    ]


def test_what_it_waits_for_is_said() -> None:
    waiting = unit(state="STARTING", reason="", crash_loop=False, waiting_for=["db", "cache"], exit=None)

    assert "it waits for db, cache" in findings(waiting, {"runs": [], "steps": []})


def test_a_run_is_a_row() -> None:
    assert run_row(RUN, NOW)[:4] == ["3", "77", "2030-01-02T11:59:00Z", "1m00s"]
    assert run_row(RUN, NOW)[4].endswith("(taken over once)")
    assert run_row({**RUN, "exit": None, "ended_at": None, "started_at": None, "pid": None}, NOW)[1:4] == ["-"] * 3


def test_an_event_is_one_line_whatever_a_program_has_put_into_it() -> None:
    line = event_line(
        {"type": "unit.exited", "time": "T", "kind": "agent", "name": "web", "exit": {**EXIT, "detail": "a\nb\x1b[2J"}}
    )

    assert "\n" not in line
    assert "\x1b" not in line
    assert line.startswith("T unit.exited      web crashed, signal KILL")


def test_every_type_of_event_and_every_cause_has_words() -> None:
    types = {cls.type for cls in vars(model).values() if isinstance(cls, type) and hasattr(cls, "type")}

    assert types - {"unit.forgotten"} == set(_TOLD)
    assert {cause.value for cause in Cause} == set(_CAUSES)


def test_what_a_newer_daemon_tells_is_shown_as_far_as_it_is_understood() -> None:
    assert event_line({"type": "unit.sang", "time": "T", "name": "web"}) == "T unit.sang        web"
    assert "1 to 5" in event_line({"type": "gap", "first": 1, "last": 5})
