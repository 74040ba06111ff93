"""Why a unit is as it is, in sentences: what ``hoody why`` prints. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from hoody.cli.details import exit_words
from hoody.cli.event_words import cause_words, run_row
from hoody.cli.output import age, moment
from hoody.cli.table import render_table
from hoody.cli.text import clean_cell, clean_log

if TYPE_CHECKING:
    from hoody.client.types import Unit, UnitHistory

_WHAT: Final = {
    "STOPPED": "it is stopped",
    "STARTING": "it is being started",
    "RUNNING": "it runs",
    "BACKOFF": "it has ended and is waiting for its next start",
    "STOPPING": "it is being stopped",
    "EXITED": "it has ended, and is not started again by itself",
    "FATAL": "it was given up",
    "UNKNOWN": "it is not known how it is",
}
_HEAD: Final = ("RUN", "PID", "STARTED", "LASTED", "END")
_ASKED: Final = frozenset(
    {"stop_asked", "start_asked", "restart_asked", "pause_asked", "resume_asked", "daemon_stopping"}
)


def findings(unit: Unit, past: UnitHistory) -> list[str]:
    """Return the sentences that answer the question, the most telling first."""
    return list(_findings(unit, past))


def _findings(unit: Unit, past: UnitHistory) -> Iterator[str]:
    status = unit["status"]
    reason = f": {status['reason']}" if status["reason"] else ""
    yield f"{_WHAT.get(status['state'], status['state'])}{reason}"
    if status["crash_loop"]:
        yield f"it ends again and again: it came back {status['restarts']} times by itself"
    if status["waiting_for"]:
        yield f"it waits for {', '.join(status['waiting_for'])}"
    if status["state"] == "RUNNING" and not status["ready"]:
        yield "it is not ready"
    if status["health"] == "unhealthy":
        yield "its liveness probe fails"
    if status["desired"] == "running" and status["state"] in {"EXITED", "FATAL"}:
        yield f"start it again with: hoody start {unit['name']}"
    if status["desired"] == "stopped" and status["state"] == "STOPPED":
        yield f"nobody wants it to run; start it with: hoody start {unit['name']}"
    asked = next((step for step in past["steps"] if step["cause"] in _ASKED), None)
    if asked is not None:
        yield f"last asked for: {cause_words(asked['cause'])}, at {asked['time']} (event {asked['number']})"
    if status["exit"] is not None:
        yield f"it last ended so: {exit_words(status['exit'])}"


def explanation(unit: Unit, past: UnitHistory, lines: Sequence[str], now: datetime) -> str:
    """Return the answer as text for people."""
    told = [f"{unit['name']}: {unit['status']['state']}"]
    told += [f"  - {clean_cell(sentence)}" for sentence in findings(unit, past)]
    due = moment(unit["status"]["next_retry_at"])
    if due is not None:
        told.append(f"  - next try at {unit['status']['next_retry_at']}{_in(due, now)}")
    if past["runs"]:
        told += ["", render_table(_HEAD, [run_row(run, now) for run in past["runs"]])]
    if lines:
        told += ["", "last lines of its log:", *(f"  {clean_log(line)}" for line in lines)]
    return "\n".join(told)


def _in(due: datetime, now: datetime) -> str:
    seconds = (due - now).total_seconds()
    return f" (in {age(seconds)})" if seconds > 0 else ""
