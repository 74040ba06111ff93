"""What ``hoody top`` shows: one screen of units, the busiest first. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

from hoody.cli.output import STATE_COLOURS, command_line, size, uptime
from hoody.cli.table import render_table
from hoody.cli.text import clean_cell, cut

if TYPE_CHECKING:
    from hoody.client.types import Unit

Order = Literal["cpu", "memory", "name"]
ORDERS: Final = ("cpu", "memory", "name")
_HEAD: Final = ("NAME", "STATE", "PID", "CPU", "MEM", "PROCS", "THREADS", "UPTIME", "RESTARTS", "COMMAND")
_NOTHING: Final = "-"


def in_order(units: Sequence[Unit], order: Order) -> list[Unit]:
    """Return the units, those that use most first, those of one use by name."""
    if order == "name":
        return sorted(units, key=lambda unit: unit["name"])
    return sorted(units, key=lambda unit: (-_used(unit, order), unit["name"]))


def screen(
    units: Sequence[Unit],
    now: datetime,
    *,
    columns: int = 0,
    lines: int = 0,
    colour: Callable[[str, str | None], str] | None = None,
) -> str:
    """Return a head line and the table; what does not fit into ``lines`` (0: any) is counted in the last of them."""
    head = cut(clean_cell(_head(units, now)), columns) if columns else _head(units, now)
    table = render_table(
        _HEAD,
        [_row(unit, now) for unit in units],
        columns=columns,
        paint=lambda column, text: STATE_COLOURS.get(text) if column == 1 else None,
        colour=colour,
    ).split("\n")
    room = lines - 3
    if lines and len(table) > max(room, 1):
        kept = table[: max(room - 1, 1)]
        table = [*kept, f"... and {len(table) - len(kept)} more"]
    return "\n".join([head, "", *table])


def _used(unit: Unit, order: Order) -> float:
    stats = unit["status"].get("stats")
    return 0.0 if stats is None else stats["cpu"] if order == "cpu" else float(stats["memory"])


def _head(units: Sequence[Unit], now: datetime) -> str:
    found = [stats for unit in units if (stats := unit["status"].get("stats"))]
    running = sum(unit["status"]["state"] == "RUNNING" for unit in units)
    return (
        f"{now:%H:%M:%S}  {len(units)} agents, {running} running; "
        f"{sum(stats['processes'] for stats in found)} processes, "
        f"CPU {sum(stats['cpu'] for stats in found):.0f}%, MEM {size(sum(stats['memory'] for stats in found))}"
    )


def _row(unit: Unit, now: datetime) -> list[str]:
    status = unit["status"]
    stats = status.get("stats")
    lives = stats is not None and stats["processes"] > 0
    return [
        unit["name"],
        status["state"],
        str(status["pid"] or _NOTHING),
        f"{stats['cpu']:.1f}%" if stats and lives else _NOTHING,
        size(stats["memory"]) if stats and lives else _NOTHING,
        str(stats["processes"]) if stats and lives else _NOTHING,
        str(stats["threads"]) if stats and lives else _NOTHING,
        uptime(status["started_at"], now) if lives else _NOTHING,
        str(status["restarts"]),
        command_line(unit),
    ]
