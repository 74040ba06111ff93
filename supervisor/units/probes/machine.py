"""What a row of answers means: the machine of one probe of one incarnation. Pure.

    standing    a pass                              a failure
    unknown     PASSING after ``successes`` in a    FAILING after ``failures`` in a row, of which those within the
                row                                 start period do not count
    passing     passing                             FAILING after ``failures`` in a row
    failing     PASSING after ``successes`` in a    failing
                row

A new incarnation begins with a new gauge: nothing is held against it that another one did.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from attrs import evolve, frozen

from supervisor.units.probes.spec import Probe

EARLY_INTERVAL: Final = 1.0
"""Within the start period it is looked at least this often (s), so that what is up soon is known to be up soon."""


class Standing(StrEnum):
    """The verdict on an incarnation."""

    UNKNOWN = "unknown"
    PASSING = "passing"
    FAILING = "failing"


@frozen
class Gauge:
    """The verdict, how many answers in a row speak for or against it, and what the last failure was."""

    standing: Standing = Standing.UNKNOWN
    passes: int = 0
    failures: int = 0
    detail: str = ""


def observe(gauge: Gauge, probe: Probe, failure: str | None, *, age: float) -> Gauge:
    """Return the gauge after one more answer: None for a pass, or the failure in words.

    ``age`` is for how long the incarnation has been judged.
    """
    if failure is None:
        passes = gauge.passes + 1
        standing = Standing.PASSING if passes >= probe.successes else gauge.standing
        return Gauge(standing, passes=passes)
    if gauge.standing is Standing.UNKNOWN and age < probe.start_period:
        return evolve(gauge, passes=0, failures=0, detail=failure)
    failures = gauge.failures + 1
    standing = Standing.FAILING if failures >= probe.failures else gauge.standing
    return Gauge(standing, failures=failures, detail=failure)


def pause(gauge: Gauge, probe: Probe, *, age: float) -> float:
    """Return how long to wait until the next look."""
    early = gauge.standing is Standing.UNKNOWN and age < probe.start_period
    return min(probe.interval, EARLY_INTERVAL) if early else probe.interval


def row(gauge: Gauge) -> str:
    """Say how often in a row it has failed, and how the last time."""
    if gauge.failures <= 1:
        return gauge.detail
    return f"{gauge.detail} ({gauge.failures} times in a row)"
