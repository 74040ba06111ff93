"""How units are printed: as a table, as JSON, or by name."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from hoody.cli import console
from hoody.cli.console import say
from hoody.cli.table import render_table
from hoody.cli.text import clean_cell

if TYPE_CHECKING:
    from hoody.client.types import Unit, UnitStatus

STATE_COLOURS: Final = {
    "RUNNING": "green",
    "STARTING": "yellow",
    "STOPPING": "yellow",
    "BACKOFF": "yellow",
    "FATAL": "red",
    "UNKNOWN": "red",
    "STOPPED": "dim",
    "EXITED": "dim",
    "healthy": "green",
    "not ready": "yellow",
    "unhealthy": "red",
}
_NOTHING: Final = "-"
_HEAD: Final = ("NAME", "STATE", "HEALTH", "PID", "UPTIME", "RESTARTS", "CPU", "MEM", "COMMAND")
_WIDE_HEAD: Final = (*_HEAD[:-1], "WORKSPACE", "LABELS", "REASON", "COMMAND")


def print_json(document: object) -> None:
    """Print one JSON document. ASCII alone, so that nothing in it can reach a terminal as a control character."""
    say(json.dumps(document, indent=2))


def print_units(units: Sequence[Unit], output: str, now: datetime | None = None) -> None:
    """Print units in the form ``output``; ``now`` is for tests."""
    if output == "json":
        print_json(list(units))
    elif output == "jsonl":
        for unit in units:
            say(json.dumps(unit, separators=(",", ":")))
    elif output == "name":
        for unit in units:
            say(clean_cell(unit["name"]))
    else:
        say(_table(units, wide=output == "wide", now=now or datetime.now(UTC)))


def _table(units: Sequence[Unit], *, wide: bool, now: datetime) -> str:
    colours = console.has_colour(sys.stdout)
    return render_table(
        _WIDE_HEAD if wide else _HEAD,
        [_row(unit, now, wide=wide) for unit in units],
        columns=0 if wide else console.columns(sys.stdout),
        paint=lambda column, text: STATE_COLOURS.get(text) if column in {1, 2} else None,
        colour=lambda text, colour: console.paint(text, colour, on=colours),
    )


def _row(unit: Unit, now: datetime, *, wide: bool) -> list[str]:
    status = unit["status"]
    alive = status["state"] in {"RUNNING", "STARTING", "STOPPING"}
    stats = status.get("stats") if alive else None
    row = [
        unit["name"],
        status["state"],
        _health(status),
        str(status["pid"] or _NOTHING),
        uptime(status["started_at"], now) if alive else _NOTHING,
        str(status["restarts"]),
        f"{stats['cpu']:.0f}%" if stats else _NOTHING,
        size(stats["memory"]) if stats else _NOTHING,
    ]
    if wide:
        labels = ",".join(f"{key}={value}" for key, value in unit["labels"].items())
        row += [unit["workspace"] or _NOTHING, labels or _NOTHING, status["reason"] or _NOTHING]
    return [*row, command_line(unit)]


def _health(status: UnitStatus) -> str:
    """Return what there is to say about a unit's health, the gravest first."""
    if status["health"] != "unhealthy" and status["state"] == "RUNNING" and not status["ready"]:
        return "not ready"
    return _NOTHING if status["health"] == "none" else status["health"]


def command_line(unit: Unit) -> str:
    """Return the command of a unit as one would type it."""
    command = unit["spec"]["command"]
    if isinstance(command, str):
        return command
    from shlex import join

    return join(command)


def uptime(started_at: str | None, now: datetime) -> str:
    """Return how long ago ``started_at`` was, in the two largest units."""
    started = moment(started_at)
    return _NOTHING if started is None else age((now - started).total_seconds())


def moment(text: str | None) -> datetime | None:
    """Read a time of the API; None where there is none or it cannot be read."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def age(seconds: float) -> str:
    """Write a length of time in its two largest units: ``42s``, ``3m12s``, ``2h05m``, ``4d03h``."""
    whole = max(0, int(seconds))
    for unit, length, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "m", 60), ("m", 60, "s", 1)):
        if whole >= length:
            return f"{whole // length}{unit}{whole % length // part:02d}{smaller}"
    return f"{whole}s"


def size(amount: float) -> str:
    """Write bytes in a few characters: ``512B``, ``3.2MiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.0f}{unit}" if unit == "B" or amount >= 100 else f"{amount:.1f}{unit}"
        amount /= 1024
    return f"{amount:.1f}TiB"
