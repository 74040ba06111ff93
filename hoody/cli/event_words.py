"""Events and incarnations in words, one line each. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from hoody.cli.details import exit_words
from hoody.cli.output import age, moment
from hoody.cli.text import clean_cell, pad

if TYPE_CHECKING:
    from hoody.client.types import UnitRun

_TYPE_WIDTH: Final = 16
_CAUSES: Final[Mapping[str, str]] = {
    "start_asked": "a start was asked for",
    "stop_asked": "a stop was asked for",
    "restart_asked": "a restart was asked for",
    "pause_asked": "a pause was asked for",
    "resume_asked": "it was asked to go on",
    "daemon_stopping": "the daemon ends and takes it along",
    "definition_changed": "its definition changed",
    "recalled": "the daemon has taken it up",
    "spawned": "its process was started",
    "spawn_failed": "it could not be started",
    "adopted": "its process was found again",
    "not_found_again": "its process was gone",
    "process_ended": "its process ended",
    "cleared": "nothing of the last process is left",
    "probe": "a probe, or the program itself, says so",
    "judged": "liveness, a limit or silence",
    "dependencies": "what it depends on",
    "time": "a wait was over",
    "keeper": "the part of the daemon that looks after it",
}


def event_line(event: Mapping[str, Any]) -> str:
    """Return an event as one line for people."""
    if event["type"] == "gap":
        return f"[hoody: the events {event['first']} to {event['last']} are not kept any more]"
    name = f"{event['name']} " if event.get("name") else ""
    line = f"{event['time']} {pad(event['type'], _TYPE_WIDTH)} {name}{_told(event)}"
    return clean_cell(line).rstrip()


def cause_words(cause: str | None) -> str:
    """Return a cause in words; one that this version does not know, as it is."""
    return _CAUSES.get(cause, cause) if cause else ""


def _told(event: Mapping[str, Any]) -> str:
    told = _TOLD.get(event["type"])
    return told(event, event.get("status") or {}) if told else ""


def _of_unit(event: Mapping[str, Any], _status: Mapping[str, Any]) -> str:
    return f"revision {event['unit']['revision']}"


def _of_probe(_event: Mapping[str, Any], status: Mapping[str, Any]) -> str:
    because = f": {status['reason']}" if status["reason"] else ""
    return f"{'ready' if status['ready'] else 'not ready'}, health {status['health']}{because}"


_TOLD: Final[Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], str]]] = {
    "unit.exited": lambda event, _: exit_words(event["exit"]),
    "unit.state": lambda event, status: (
        f"{event['before']} -> {status['state']}: {status['reason'] or cause_words(event['cause'])}"
    ),
    "unit.condemned": lambda event, _: f"{event['reason'].replace('_', ' ')}: {event['detail']}",
    "unit.adopted": lambda _, status: f"pid {status['pid']}, incarnation {status['incarnation']}",
    "unit.probe": _of_probe,
    "unit.status": lambda event, status: status["reason"] or status.get("says") or cause_words(event["cause"]),
    "unit.defined": _of_unit,
    "unit.redefined": _of_unit,
    "unit.recalled": _of_unit,
    "daemon.started": lambda event, _: f"version {event['version']}, pid {event['pid']}",
    "daemon.stopping": lambda event, _: f"its agents are {'left running' if event['leave_units'] else 'stopped'}",
    "events.lost": lambda event, _: f"the events {event['first']} to {event['last']} could not be written",
}


def run_row(run: UnitRun, now: datetime) -> list[str]:
    """Return an incarnation as a row: its number, pid, start, how long it lasted, and its end."""
    began, ended = moment(run["started_at"]), moment(run["ended_at"])
    lasted = "-" if began is None else age(((ended or now) - began).total_seconds())
    taken = f" (taken over {run['adopted']} times)" if run["adopted"] > 1 else ""
    taken = " (taken over once)" if run["adopted"] == 1 else taken
    end = exit_words(run["exit"]) if run["exit"] else "-"
    return [str(run["incarnation"]), str(run["pid"] or "-"), run["started_at"] or "-", lasted, end + taken]
