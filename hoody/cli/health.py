"""The health report in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hoody.cli import console

if TYPE_CHECKING:
    from hoody.client.types import HealthReport

_LATE = 1.0
"""Seconds of delay of the daemon's own work that a person should hear of."""
_COLOURS = {"healthy": "green", "degraded": "yellow", "unhealthy": "red"}


def is_healthy(report: HealthReport) -> bool:
    """Tell whether all is well."""
    return report["status"] == "healthy"


def health_word(report: HealthReport, *, colours: bool) -> str:
    """Return the one word that sums it up."""
    return console.paint(report["status"], _COLOURS.get(report["status"]), on=colours)


def counts(report: HealthReport) -> Iterator[tuple[str, str]]:
    """Yield for each kind of unit how many there are in which state."""
    for kind, found in report["kinds"].items():
        states = ", ".join(f"{number} {state}" for state, number in found["by_state"].items() if number)
        yield kind, f"{found['total']}" + (f" ({states})" if states else "")


def unwell(report: HealthReport) -> Iterator[tuple[str, str]]:
    """Yield what is not well: units that should run and do not run well, parts of the daemon, the state on disk."""
    for found in report["kinds"].values():
        if found["unhealthy"]:
            more = found["unhealthy_total"] - len(found["unhealthy"])
            yield "not well", ", ".join(found["unhealthy"]) + (f" and {more} more" if more else "")
        if found["crash_loops"]:
            yield "crash loops", str(found["crash_loops"])
    for part in report["parts"]:
        yield "daemon", f"{part['path']} is {'up again' if part['up'] else 'down'}: {part['detail']}"
    store = report["store"]
    if store["failing_since"]:
        yield "state", f"cannot be written since {store['failing_since']}: {store['error']}"
    for path in store["moved_aside"]:
        yield "state", f"a broken database was moved to {path}; {store['rescued']} units were rescued from it"
    if store["unreadable"]:
        yield "state", f"cannot be read: {', '.join(map(str, store['unreadable']))}"
    yield from _logs(report)
    vitals = report.get("daemon")
    if vitals and vitals["full_mailboxes"]:
        yield "daemon", f"these take no more requests: {', '.join(vitals['full_mailboxes'])}"
    if vitals and vitals["loop_lag"] > _LATE:
        yield "daemon", f"it was late by {vitals['loop_lag']:.1f} s within the last minute"


def _logs(report: HealthReport) -> Iterator[tuple[str, str]]:
    logs = report.get("logs")
    if logs is None:
        return  # a daemon of an earlier version
    for stream in logs["failing"]:
        yield "logs", f"{stream['unit']}/{stream['stream']} cannot be written: {stream['error']}"
    more = logs["failing_total"] - len(logs["failing"])
    if more:
        yield "logs", f"{more} more streams cannot be written"
    if logs["lost_bytes"]:
        yield "logs", f"{logs['lost_bytes']} bytes of output were lost"
    if logs["lost_fifos"]:
        yield "logs", f"{logs['lost_fifos']} FIFOs were removed by somebody; what stood in them is lost"
    if logs["housekeeping_error"]:
        yield "logs", f"old log files cannot be looked after: {logs['housekeeping_error']}"
    if logs.get("holder_error"):
        yield "logs", logs["holder_error"]
    if report.get("lost_log_lines"):
        yield "daemon", f"{report.get('lost_log_lines', 0)} lines of its own log could not be kept"
