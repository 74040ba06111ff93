"""The moves of a unit's machine: what is done to a draft, whatever event asks for it. Pure.

``supervisor.units.handlers`` says which event makes which move; the restart decisions are those of
``supervisor.runtime.restart.decide`` and of nothing else.
"""

from __future__ import annotations

from typing import Final

from attrs import evolve

from supervisor.runtime.restart import FRESH, Again, Finished, GaveUp, decide, forget
from supervisor.units.condition import Phase
from supervisor.units.draft import Draft
from supervisor.units.effects import Freeze, KillGroup, Outcome, SendSignal, Spawn
from supervisor.units.ends import Judgement, count, judge, judge_ours, ordinal, signal_name, span
from supervisor.units.events import MainExited, Timer
from supervisor.units.quantities import signal_number
from supervisor.units.status import Desired, EndReason, Health, LastExit
from supervisor.units.timetable import drop, is_by_the_clock, outlook, plan_if_wanted

PAUSED: Final = "paused: nothing of it runs until it is resumed"
SPAWN_PATIENCE: Final = 30.0
"""Seconds after which it is said that the system takes long to start something."""


def want(draft: Draft, desired: Desired) -> None:
    """Remember what is wanted."""
    if draft.now.desired is not desired:
        draft.now = evolve(draft.now, desired=desired)
        draft.note()
    if desired is Desired.STOPPED:
        drop(draft)
    else:
        plan_if_wanted(draft)


def start_afresh(draft: Draft) -> None:
    """Remember that somebody wants it to run: what happened before does not count any more."""
    want(draft, Desired.RUNNING)
    draft.now = evolve(draft.now, history=forget(draft.now.history), restarts=0)


def launch(draft: Draft, reason: str = "starting") -> None:
    """Start the next incarnation, or wait for what it depends on."""
    if draft.now.blocked_by:
        draft.now = evolve(draft.now, next_retry_at=None)
        draft.enter(Phase.WAITING, draft.now.blocked_why)
        draft.sweep()
        draft.note()
        return
    number = draft.now.incarnation + 1
    # What the last incarnation left is swept once this one exists: a sweep reads all of /proc, and a start beside it
    # would be the slower for it.
    draft.cancel_all_but((Timer.RUN,))
    # In one go, since somebody waits for this: each copy of a condition costs as much as everything else here.
    draft.now = evolve(
        draft.now,
        phase=Phase.SPAWNING,
        reason=reason,
        incarnation=number,
        ready=False,
        was_ready=False,
        not_ready="",
        not_healthy="",
        health=Health.NONE,
        healthy_since=None,
        says="",
        next_retry_at=None,
        stale=False,
        cause=None,
        cause_detail="",
        hurry=False,
        killed=False,
        then=None,
        then_reason="",
    )
    draft.emit(Spawn(number))
    draft.arm(Timer.SPAWN, SPAWN_PATIENCE)
    draft.note()


def come_back(draft: Draft, reason: str) -> None:
    """Start the next incarnation although nobody has asked."""
    draft.now = evolve(draft.now, restarts=draft.now.restarts + 1)
    launch(draft, reason)


def is_up(draft: Draft) -> None:
    """Count it as up."""
    draft.now = evolve(draft.now, ready=True, was_ready=True, not_ready="")
    draft.enter(Phase.RUNNING, shortcomings(draft))
    if draft.spec.start_deadline is not None:
        draft.note()  # a program that tells by itself that it is ready does not tell the next daemon again
    if draft.now.history.crash_loop:
        draft.arm(Timer.STEADY, draft.spec.backoff.reset_after)
    draft.tell(Outcome.UP)


def shortcomings(draft: Draft) -> str:
    """Say what of a unit that is up is not as it should be; nothing where all is well."""
    now = draft.now
    found = (
        PAUSED if now.paused else "",
        f"not ready: {now.not_ready}" if now.not_ready else "",
        f"unhealthy: {now.not_healthy}" if now.not_healthy else "",
    )
    return "; ".join(filter(None, found))


def ended(draft: Draft, event: MainExited) -> Judgement:
    """Record the end of the main process."""
    up_for = max(0.0, draft.at.mono - draft.now.born)
    if draft.now.cause is None:
        judgement = judge(event.status, draft.spec, up_for=up_for)
    else:
        judgement = judge_ours(
            event.status,
            draft.spec,
            cause=draft.now.cause,
            detail=draft.now.cause_detail,
            killed=draft.now.killed,
        )
    number = event.status.signal
    record(
        draft,
        judgement,
        code=event.status.code,
        signal=None if number is None else signal_name(number).removeprefix("SIG"),
        core_dumped=event.status.core_dumped,
    )
    draft.note()
    return judgement


def record(
    draft: Draft, judgement: Judgement, *, code: int | None = None, signal: str | None = None, core_dumped: bool = False
) -> None:
    """Remember an end, the last one and by cause, and that there is no process now."""
    found = LastExit(
        reason=judgement.reason,
        at=draft.at.wall,
        code=code,
        signal=signal,
        core_dumped=core_dumped,
        detail=judgement.detail,
        incarnation=draft.now.incarnation,
    )
    draft.now = evolve(
        draft.now,
        exit=found,
        counters=count(draft.now.counters, judgement.reason),
        identity=None,
        paused=False,
        ready=False,
        health=Health.NONE,
        says="",
    )


def decide_restart(draft: Draft, *, failed: bool, detail: str) -> None:
    """Let the restart policy decide what follows an end that nobody asked for."""
    since = draft.now.healthy_since
    history, decision = decide(
        draft.spec.restart_policy,
        draft.now.history,
        failed=failed,
        healthy_for=0.0 if since is None else draft.at.mono - since,
        now=draft.at.mono,
        dice=draft.setting.dice,
    )
    draft.now = evolve(draft.now, history=history)
    match decision:
        case Again(delay=0.0):
            come_back(draft, f"starting again: {detail}")
        case Again(delay=delay, crash_loop=crash_loop):
            row = f"{ordinal(history.in_a_row)} in a row" + (", a crash loop" if crash_loop else "")
            draft.now = evolve(draft.now, next_retry_at=draft.at.after(delay))
            _plan_nothing(draft)
            draft.enter(Phase.BACKOFF, f"{detail}; next try in {span(delay)} ({row})")
            draft.arm(Timer.RETRY, delay)
            draft.sweep()
            draft.note()
        case Finished():
            alone = failed and draft.spec.schedule is None
            unwanted = f"; not started again, since restart is {draft.spec.restart.value!r}" if alone else ""
            rest(draft, Phase.EXITED, detail + unwanted)
        case GaveUp(escalate=escalate, restarts=restarts):
            told = ", and told its group" if escalate else ""
            advice = f"gave up after {restarts} failures in a row{told}; find the cause, then start it again"
            rest(draft, Phase.FATAL, f"{detail}; {advice}")


def end(draft: Draft, cause: EndReason, then: Phase, detail: str = "") -> None:
    """Ask what runs to end, or kill it at once where there is a hurry."""
    draft.now = evolve(draft.now, cause=cause, cause_detail=detail, then=then, then_reason="", ready=False)
    if draft.now.hurry:
        kill(draft, "killing it, as asked")
        return
    name = draft.spec.stop_signal
    why = f"{detail}; " if detail else ""
    draft.enter(Phase.ENDING, f"{why}asked to end with SIG{name}; has {span(draft.spec.stop_timeout)}")
    draft.arm(Timer.STOP, draft.spec.stop_timeout)
    draft.emit(SendSignal(draft.now.incarnation, signal_number(name)))
    if draft.now.paused:
        # What is frozen hears the signal once it runs on, and only then.
        draft.now = evolve(draft.now, paused=False)
        draft.emit(Freeze(draft.now.incarnation, frozen=False))
    draft.note()


def kill(draft: Draft, reason: str) -> None:
    """Kill what runs, and go on until nothing of it is left."""
    draft.enter(Phase.CLEARING, reason)
    draft.emit(KillGroup(draft.now.incarnation))
    draft.leave_behind(draft.now.incarnation)
    draft.sweep()


def rest(draft: Draft, phase: Phase, reason: str) -> None:
    """Come to rest in ``phase`` as soon as nothing of the unit is left."""
    draft.now = evolve(draft.now, then=phase, then_reason=reason, next_retry_at=None)
    draft.enter(Phase.CLEARING, reason)
    draft.sweep()
    finish_if_clear(draft)


def finish_if_clear(draft: Draft) -> None:
    """Do what was to follow, if nothing of the unit is left."""
    if draft.now.uncleared or draft.now.identity is not None:
        return
    then, reason = draft.now.then, draft.now.then_reason
    draft.now = evolve(draft.now, clear_attempts=0)
    draft.cancel(Timer.CLEAR)
    if then is Phase.SPAWNING:
        draft.tell(Outcome.DOWN)
        launch(draft, reason or "restarting")
    elif then is Phase.BACKOFF:
        decide_restart(draft, failed=True, detail=draft.now.exit.detail if draft.now.exit else "")
    else:
        _come_to_rest(draft, then or Phase.STOPPED, reason)


def _come_to_rest(draft: Draft, phase: Phase, reason: str) -> None:
    _plan_nothing(draft)
    if phase is Phase.EXITED and draft.now.run_queued:
        draft.now = evolve(draft.now, run_queued=False)
        draft.tell(Outcome.DOWN)
        launch(draft, f"starting the run that was due meanwhile: {reason}")
        return
    if is_by_the_clock(draft):
        plan_if_wanted(draft)
        reason = f"{reason or 'stopped'}; {outlook(draft)}"
    kept = draft.now.history if phase is Phase.FATAL else FRESH
    draft.now = evolve(draft.now, history=kept, ready=False, health=Health.NONE, healthy_since=None)
    draft.enter(phase, reason or "stopped")
    draft.note()
    draft.tell(Outcome.DOWN)


def _plan_nothing(draft: Draft) -> None:
    draft.now = evolve(draft.now, cause=None, cause_detail="", hurry=False, killed=False, then=None, then_reason="")
