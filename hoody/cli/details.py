"""What ``hoody inspect`` prints for people: everything that there is to know about one unit, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from hoody.cli.output import age, command_line, moment, uptime
from hoody.cli.text import clean_cell, pad

if TYPE_CHECKING:
    from hoody.client.types import LastExit, Unit

_KEY_WIDTH = 18
_SAID_ABOVE = {"command"}


def details(unit: Unit, now: datetime | None = None) -> str:
    """Return the lines that describe ``unit``; ``now`` is for tests."""
    lines = [*_state_lines(unit, now or datetime.now(UTC)), ("", ""), *_definition_lines(unit)]
    return "\n".join(f"{pad(key, _KEY_WIDTH)}{clean_cell(value)}".rstrip() for key, value in lines)


def _state_lines(unit: Unit, now: datetime) -> Iterator[tuple[str, str]]:
    status = unit["status"]
    yield "name", unit["name"]
    yield "state", status["state"] + (" (crash loop)" if status["crash_loop"] else "")
    if status["reason"]:
        yield "reason", status["reason"]
    yield "wanted", status["desired"]
    yield "ready", "yes" if status["ready"] else "no"
    if status["health"] != "none":
        yield "health", status["health"]
    if status.get("says"):
        yield "says", status["says"]
    if status["pid"]:
        yield "pid", str(status["pid"])
        yield "up for", uptime(status["started_at"], now)
    yield "incarnation", str(status["incarnation"])
    yield "restarts", str(status["restarts"])
    if status["next_retry_at"]:
        yield "next try", _due(status["next_retry_at"], now)
    if status.get("next_run_at"):
        yield "next run", _due(str(status["next_run_at"]), now)
    if status["waiting_for"]:
        yield "waiting for", ", ".join(status["waiting_for"])
    for key, how in (status.get("limits") or {}).items():
        yield f"limit on {key}", how
    if status.get("ports"):
        yield "ports", ", ".join(f"{name}={port}" for name, port in status["ports"].items())
    if status["exit"]:
        yield "last exit", exit_words(status["exit"])


def _definition_lines(unit: Unit) -> Iterator[tuple[str, str]]:
    yield "command", command_line(unit)
    for key, value in unit["spec"].items():
        if key not in _SAID_ABOVE and value not in (None, "", [], {}, False):
            yield from _lines_of(key, value)
    if unit["workspace"]:
        yield "workspace", unit["workspace"]
    yield from _lines_of("labels", unit["labels"])
    yield "revision", str(unit["revision"])
    yield "created", unit["created_at"]


def _lines_of(key: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for number, (name, part) in enumerate(value.items()):
            yield "" if number else key, f"{name}={part}"
    else:
        yield key, ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def exit_words(last: LastExit) -> str:
    """Return one sentence about how a unit ended."""
    how = last["reason"].replace("_", " ")
    if last["code"] is not None:
        how += f", code {last['code']}"
    elif last["signal"]:
        how += f", signal {last['signal']}" + (" (core dumped)" if last["core_dumped"] else "")
    return f"{how} at {last['at']}" + (f": {last['detail']}" if last["detail"] else "")


def _due(at: str, now: datetime) -> str:
    due = moment(at)
    if due is None:
        return at
    seconds = (due - now).total_seconds()
    return f"{at} (in {age(seconds)})" if seconds > 0 else f"{at} (now)"
