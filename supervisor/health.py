"""The health of everything: the units by kind, the parts of the daemon, and the state on disk.

It is pushed up, never polled: units keep the counts of their kind, and the parts of the daemon are followed by what the
runtime says of them. So a report is the read of a few values, whatever the number of units.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Final

from attrs import frozen

from supervisor.logs import LogHealth
from supervisor.runtime import ChildEnded, ChildGaveUp, ChildStarted, Crashed, Event, RestartScheduled
from supervisor.runtime.reasons import Cancelled, describe
from supervisor.store.health import StoreHealth, StoreReport
from supervisor.units.messages import HealthCounts
from supervisor.vitals import Vitals

KEEPERS: Final = frozenset({"agents-units", "containers-units"})
"""The supervisors whose children are keepers of units: those are told of by the views of their units."""


class Overall(StrEnum):
    """The one word that sums it up."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    """the daemon does its work; a unit is not well, or the state on disk needs attention"""
    UNHEALTHY = "unhealthy"
    """a part of the daemon itself is down: it is not ready to be used"""


@frozen(kw_only=True)
class PartHealth:
    """A part of the daemon that is not well, or was restarted."""

    path: str
    """Its place in the tree."""
    up: bool
    restarts: int
    """How often it came back after a failure."""
    detail: str
    """The last failure, and what follows from it."""


@frozen(kw_only=True)
class HealthReport:
    """The health of everything at one moment."""

    status: Overall
    ready: bool
    """Whether every part of the daemon is up: what a readiness probe asks."""
    kinds: Mapping[str, HealthCounts]
    """The units, by the plural of their kind."""
    parts: tuple[PartHealth, ...]
    """Only the parts that have ever failed; none is the rule."""
    store: StoreHealth
    """The state on disk."""
    logs: LogHealth
    """The output of the units on its way to their log files."""
    daemon: Vitals | None
    """The daemon's own process; null where nobody takes its pulse."""
    lost_log_lines: int
    """How many lines the daemon's own log could not keep."""


def no_logs() -> LogHealth:
    """Return the health of logs that nobody keeps, which is perfect."""
    return LogHealth(
        running=True,
        streams=0,
        failing=(),
        failing_total=0,
        index_errors=0,
        lost_fifos=0,
        lost_bytes=0,
        housekeeping_error="",
    )


class HealthWatch:
    """Follows the parts of the daemon. Attach it to the system's telemetry before the tree runs.

    Costs nothing per unit: what happens below the supervisors of keepers is passed over.
    """

    __slots__ = ("_logs", "_lost_lines", "_parts", "_store", "_vitals")

    def __init__(
        self, store: StoreReport, *, logs: Callable[[], LogHealth] = no_logs, lost_lines: Callable[[], int] = int
    ) -> None:
        self._store = store
        self._logs = logs
        self._lost_lines = lost_lines
        self._vitals: Callable[[], Vitals | None] = lambda: None
        self._parts: dict[str, PartHealth] = {}

    def follow_pulse(self, read: Callable[[], Vitals]) -> None:
        """Have the figures of the daemon's own process in the report."""
        self._vitals = read

    def __call__(self, event: Event) -> None:
        """Take an event of the runtime in."""
        match event:
            case ChildStarted(path=path) if path in self._parts and not self._parts[path].up:
                part = self._parts[path]
                self._parts[path] = PartHealth(
                    path=path, up=True, restarts=part.restarts + 1, detail=part.detail.partition(";")[0]
                )
            case ChildEnded(path=path, reason=Crashed() | Cancelled() as reason) if not _of_a_unit(path):
                self._down(path, describe(reason))
            case RestartScheduled(path=path, delay=delay) if path in self._parts:
                self._down(path, f"{self._parts[path].detail}; next try in {delay:g} s")
            case ChildGaveUp(path=path, restarts=restarts) if path in self._parts:
                self._down(path, f"{self._parts[path].detail}; gave up after {restarts} restarts")
            case _:
                pass

    def report(self, counts: Iterable[HealthCounts]) -> HealthReport:
        """Sum up, with the counts that the directories have answered."""
        kinds = {f"{found.kind.value}s": found for found in counts}
        parts = tuple(self._parts.values())
        logs = self._logs()
        ready = all(part.up for part in parts)
        well = self._store.health.ok and logs.ok and not any(found.unhealthy_total for found in kinds.values())
        return HealthReport(
            status=Overall.UNHEALTHY if not ready else Overall.HEALTHY if well else Overall.DEGRADED,
            ready=ready,
            kinds=kinds,
            parts=parts,
            store=self._store.health,
            logs=logs,
            daemon=self._vitals(),
            lost_log_lines=self._lost_lines(),
        )

    def _down(self, path: str, detail: str) -> None:
        before = self._parts.get(path)
        self._parts[path] = PartHealth(
            path=path, up=False, restarts=before.restarts if before is not None else 0, detail=detail
        )


def _of_a_unit(path: str) -> bool:
    return not KEEPERS.isdisjoint(path.split("/")[:-1])
