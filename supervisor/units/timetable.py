"""The next run of a unit that runs by the clock: planned, dropped, and said in words. Pure.

Timers go by a clock that nobody sets, and a schedule by one that people and time servers do. So the timer of a run is
never armed for longer than :data:`LOOK_AGAIN`: when it fires, the wall clock is asked whether the time has come.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from attrs import evolve

from supervisor.units.draft import Draft
from supervisor.units.events import Timer
from supervisor.units.status import Desired

LOOK_AGAIN: Final = 60.0
"""Seconds after which a clock that was set is noticed."""
LATE: Final = 90.0
"""A run that is more seconds late than this was missed: it could not be noticed later with everything at work."""


def is_by_the_clock(draft: Draft) -> bool:
    """Tell whether the unit runs by the clock, and somebody wants it to."""
    return draft.spec.schedule is not None and draft.now.desired is Desired.RUNNING


def plan(draft: Draft) -> None:
    """Find the next run after this instant, and arm the timer for it."""
    schedule = draft.spec.schedule
    if schedule is not None:
        aim_at(draft, schedule.next_after(draft.at.wall))


def aim_at(draft: Draft, due: datetime | None) -> None:
    """Let the next run be at ``due``, or never."""
    if due != draft.now.next_run_at:
        draft.now = evolve(draft.now, next_run_at=due)
        draft.note()
    if due is None:
        draft.cancel(Timer.RUN)
        return
    draft.arm(Timer.RUN, min(LOOK_AGAIN, max(0.0, (due - draft.at.wall).total_seconds())))


def plan_if_wanted(draft: Draft) -> None:
    """Plan the next run where there is none planned and one is wanted."""
    if is_by_the_clock(draft) and not draft.armed(Timer.RUN):
        plan(draft)


def drop(draft: Draft) -> None:
    """Plan nothing any more."""
    draft.cancel(Timer.RUN)
    if draft.now.next_run_at is not None or draft.now.run_queued:
        draft.now = evolve(draft.now, next_run_at=None, run_queued=False)
        draft.note()


def outlook(draft: Draft) -> str:
    """Say when the next run is."""
    due = draft.now.next_run_at
    return "no run to come" if due is None else f"next run at {clock(due)}"


def clock(instant: datetime) -> str:
    """Write a time for people."""
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
