"""The health report in words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hoody.cli import console

if TYPE_CHECKING:
    from hoody.client.types import HealthReport

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
    """Yield what is not well: the units that should run and do not run well."""
    for found in report["kinds"].values():
        if found["unhealthy"]:
            more = found["unhealthy_total"] - len(found["unhealthy"])
            yield "not well", ", ".join(found["unhealthy"]) + (f" and {more} more" if more else "")
        if found["crash_loops"]:
            yield "crash loops", str(found["crash_loops"])
