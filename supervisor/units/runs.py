"""What the clock does to a unit with a schedule, phase by phase. Pure; the table says when each one applies."""

from __future__ import annotations

from datetime import datetime

from attrs import evolve

from supervisor.runtime.policy import RestartType
from supervisor.units.condition import AT_REST, Phase
from supervisor.units.draft import Draft
from supervisor.units.ends import span
from supervisor.units.moves import end, launch
from supervisor.units.schedule import Missed, Overlap
from supervisor.units.status import EndReason
from supervisor.units.timetable import LATE, aim_at, clock, drop, is_by_the_clock, outlook, plan, plan_if_wanted


def begin(draft: Draft, reason: str = "starting") -> None:
    """Start the unit; one with a schedule waits for its time instead."""
    if not is_by_the_clock(draft):
        launch(draft, reason)
        return
    plan_if_wanted(draft)
    phase = draft.now.phase if draft.now.phase in {Phase.STOPPED, Phase.EXITED} else Phase.STOPPED
    draft.enter(phase, outlook(draft))
    draft.note()


def go_by_the_clock_again(draft: Draft) -> None:
    """Take the plan up that is on record: a run that was due meanwhile was missed, or is a little late."""
    due = draft.now.next_run_at
    if due is None or due > draft.at.wall:
        plan(draft)  # anew, since the definition or the clock may have been set meanwhile
    else:
        aim_at(draft, due)


def recall_ended(draft: Draft, _event: object) -> None:
    """It has come to its end, and stays there until somebody starts it, or its time has come."""
    if is_by_the_clock(draft):
        go_by_the_clock_again(draft)
        draft.enter(draft.now.phase, f"{draft.now.reason.split('; next run at')[0]}; {outlook(draft)}")


def reschedule(draft: Draft) -> None:
    """Go by the schedule of a new definition, or by none."""
    if is_by_the_clock(draft):
        plan(draft)
    else:
        drop(draft)


def redefine_resting(draft: Draft, _event: object) -> None:
    """The next start is by the new definition anyway; but when that is may be new."""
    was_planned = draft.now.next_run_at is not None
    reschedule(draft)
    if is_by_the_clock(draft):
        draft.enter(draft.now.phase, outlook(draft))
    elif was_planned and draft.spec.restart is RestartType.PERMANENT:
        launch(draft, "starting, since there is no schedule any more")
    elif was_planned:
        draft.enter(draft.now.phase, "there is no schedule any more; nobody has started it since")


def look_at_the_clock(draft: Draft, _event: object) -> None:
    """See whether the time has come. The clock may have been set, either way."""
    schedule, due = draft.spec.schedule, draft.now.next_run_at
    if schedule is None or due is None:
        drop(draft)
        return
    if draft.at.wall < due:
        plan(draft)
        return
    plan(draft)
    late = (draft.at.wall - due).total_seconds()
    if late > LATE and schedule.missed is Missed.SKIP:
        _mention(draft, f"the run due at {clock(due)} was missed by {span(late)}")
    elif draft.now.phase in AT_REST:
        launch(draft, f"starting the run due at {clock(due)}")
    else:
        _collide(draft, due, schedule.overlap)


def _collide(draft: Draft, due: datetime, overlap: Overlap) -> None:
    running = draft.now.phase in {Phase.SETTLING, Phase.RUNNING}
    if overlap is Overlap.KILL and running:
        end(draft, EndReason.RESTARTED, Phase.SPAWNING, f"the run due at {clock(due)} takes its place")
    elif overlap is Overlap.SKIP or draft.now.phase is Phase.WAITING:
        _mention(draft, f"the run due at {clock(due)} was skipped, since the last one goes on")
    else:
        draft.now = evolve(draft.now, run_queued=True)
        _mention(draft, f"the run due at {clock(due)} follows once the last one has ended")


def _mention(draft: Draft, sentence: str) -> None:
    """Show a sentence where nothing more important is shown."""
    if draft.now.phase in AT_REST:
        draft.enter(draft.now.phase, f"{sentence}; {outlook(draft)}")
    elif draft.now.phase is Phase.RUNNING and not draft.now.paused:
        draft.enter(draft.now.phase, sentence)
