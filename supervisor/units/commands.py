"""What the wishes of people and programs do to a unit, phase by phase. Pure; the table says when each one applies."""

from __future__ import annotations

from attrs import evolve

from supervisor.runtime.restart import FRESH
from supervisor.units.condition import Phase
from supervisor.units.draft import Draft
from supervisor.units.effects import Adopt, Freeze, Outcome, SendSignal
from supervisor.units.events import DefinitionChanged, Recalled, SignalAsked, StopAsked, Timer
from supervisor.units.moves import SPAWN_PATIENCE, end, kill, launch, rest, shortcomings, start_afresh, want
from supervisor.units.runs import begin, go_by_the_clock_again, reschedule
from supervisor.units.status import Desired, EndReason
from supervisor.units.timetable import is_by_the_clock

# ---- the beginning ----


def recall(draft: Draft, event: Recalled) -> None:
    """Look for the process on record, or start what should run."""
    live = event.live
    if live is None:
        if is_by_the_clock(draft):
            go_by_the_clock_again(draft)
        if draft.now.desired is Desired.RUNNING:
            begin(draft)
        return
    draft.now = evolve(
        draft.now,
        incarnation=max(live.incarnation, draft.now.incarnation),
        identity=live.identity,
        born=draft.at.mono - max(0.0, live.up_for),
        started_at=live.started_at,
        was_ready=live.was_ready,
        paused=live.paused,
    )
    draft.enter(Phase.ADOPTING, f"looking for process {live.identity.pid}, which ran before")
    draft.emit(Adopt(draft.now.incarnation, live.identity))
    if draft.now.stale and draft.now.desired is Desired.RUNNING:
        # The daemon, or the keeper, ended between the new definition and the restart that it asks for.
        draft.now = evolve(draft.now, cause=EndReason.RESTARTED, then=Phase.SPAWNING)
    draft.arm(Timer.SPAWN, SPAWN_PATIENCE)
    if is_by_the_clock(draft):
        go_by_the_clock_again(draft)


# ---- start ----


def start(draft: Draft, _event: object) -> None:
    """Start what does not run, at once; with a schedule, at its time."""
    start_afresh(draft)
    begin(draft)


def run_now(draft: Draft, _event: object) -> None:
    """Start what does not run, at once, whatever its schedule says."""
    start_afresh(draft)
    launch(draft)


def start_again(draft: Draft, event: object) -> None:
    """Start as soon as what is being ended is gone; with a schedule, at its time."""
    if draft.spec.schedule is None:
        start_after(draft, event)
        return
    start_afresh(draft)
    if draft.now.then is not Phase.SPAWNING:
        draft.now = evolve(draft.now, then=Phase.STOPPED, then_reason="")


def go_on(draft: Draft, _event: object) -> None:
    """Run or starting already: only the wish is new."""
    want(draft, Desired.RUNNING)


def keep_after_all(draft: Draft, _event: object) -> None:
    """Keep the process on record, if it is found, although a stop was asked meanwhile."""
    start_afresh(draft)
    if draft.now.cause is EndReason.STOPPED:
        draft.now = evolve(draft.now, cause=None, hurry=False, then=None)


def start_after(draft: Draft, _event: object) -> None:
    """Start as soon as what is being ended is gone."""
    start_afresh(draft)
    draft.now = evolve(draft.now, then=Phase.SPAWNING, then_reason="")


# ---- stop ----


def stop_resting(draft: Draft, event: StopAsked) -> None:
    """Nothing runs: only the wish is new."""
    if event.lasting:
        want(draft, Desired.STOPPED)
        draft.enter(Phase.STOPPED, "stopped")
        draft.now = evolve(draft.now, history=FRESH)
        draft.note()
    draft.tell(Outcome.DOWN)


def stop_before_start(draft: Draft, event: StopAsked) -> None:
    """No process runs, and none will."""
    _stop_wanted(draft, event)
    rest(draft, Phase.STOPPED, "stopped")


def stop_when_known(draft: Draft, event: StopAsked) -> None:
    """Whether there is a process is not known yet: end it as soon as it is."""
    _stop_wanted(draft, event)
    draft.now = evolve(draft.now, cause=EndReason.STOPPED, then=Phase.STOPPED, then_reason="")


def stop_spawning(draft: Draft, event: StopAsked) -> None:
    """A start is under way: end what comes of it."""
    stop_when_known(draft, event)
    draft.enter(Phase.ABORTING, "stopping as soon as the start under way is done")


def stop_running(draft: Draft, event: StopAsked) -> None:
    """Ask the process to end."""
    _stop_wanted(draft, event)
    end(draft, EndReason.STOPPED, Phase.STOPPED)


def stop_ending(draft: Draft, event: StopAsked) -> None:
    """It was asked to end already: nothing follows. With ``now``, its time is over."""
    stop_clearing(draft, event)
    if draft.now.cause is EndReason.RESTARTED:
        draft.now = evolve(draft.now, cause=EndReason.STOPPED)
    if event.now:
        kill(draft, "killing it, as asked")


def stop_clearing(draft: Draft, event: StopAsked) -> None:
    """It is being killed already: nothing follows."""
    if event.lasting:
        want(draft, Desired.STOPPED)
    draft.now = evolve(draft.now, then=Phase.STOPPED, then_reason="")


def _stop_wanted(draft: Draft, event: StopAsked) -> None:
    if event.lasting:
        want(draft, Desired.STOPPED)
    draft.now = evolve(draft.now, hurry=draft.now.hurry or event.now)


# ---- restart, signal, definition ----


def restart_running(draft: Draft, _event: object) -> None:
    """End the process, then start."""
    start_afresh(draft)
    end(draft, EndReason.RESTARTED, Phase.SPAWNING)


def restart_when_known(draft: Draft, _event: object) -> None:
    """Whether there is a process is not known yet: replace it as soon as it is."""
    start_afresh(draft)
    draft.now = evolve(draft.now, cause=EndReason.RESTARTED, then=Phase.SPAWNING, hurry=False)


def restart_spawning(draft: Draft, _event: object) -> None:
    """A start under way is as fresh as one can be."""
    start_afresh(draft)


def signal(draft: Draft, event: SignalAsked) -> None:
    """Pass a signal on."""
    draft.emit(SendSignal(draft.now.incarnation, event.number, event.whole_group))


def pause(draft: Draft, _event: object) -> None:
    """Let nothing of it run. What is paused already stays so."""
    if not draft.now.paused:
        draft.now = evolve(draft.now, paused=True)
        _freeze(draft)


def resume(draft: Draft, _event: object) -> None:
    """Let it run on. What runs already just does."""
    if draft.now.paused:
        draft.now = evolve(draft.now, paused=False)
        _freeze(draft)


def _freeze(draft: Draft) -> None:
    draft.now = evolve(draft.now, reason=shortcomings(draft))
    draft.emit(Freeze(draft.now.incarnation, draft.now.paused))
    draft.note()


def redefine_running(draft: Draft, event: DefinitionChanged) -> None:
    """Replace what was started by another definition."""
    reschedule(draft)
    if event.respawn:
        draft.now = evolve(draft.now, stale=True)
        restart_running(draft, event)


def redefine_spawning(draft: Draft, event: DefinitionChanged) -> None:
    """The start under way is by the old definition: replace what comes of it."""
    reschedule(draft)
    if event.respawn:
        draft.now = evolve(draft.now, stale=True)
        restart_when_known(draft, event)
        draft.enter(Phase.ABORTING, "starting again by the new definition")


def redefine_adopting(draft: Draft, event: DefinitionChanged) -> None:
    """Replace the process on record as soon as it is found, unless it is to be stopped anyway."""
    reschedule(draft)
    if event.respawn and draft.now.cause is None and draft.now.desired is Desired.RUNNING:
        draft.now = evolve(draft.now, stale=True)
        restart_when_known(draft, event)


def redefine_failed(draft: Draft, event: DefinitionChanged) -> None:
    """Try the new definition at once: what failed was the old one."""
    if draft.now.desired is Desired.RUNNING and (event.respawn or draft.spec.schedule is not None):
        start_afresh(draft)
        reschedule(draft)
        begin(draft, "starting by the new definition")


def redefine_ending(draft: Draft, event: DefinitionChanged) -> None:
    """Where a decision about a restart was to follow, the new definition has made it."""
    reschedule(draft)
    if event.respawn and draft.now.then in {Phase.BACKOFF, Phase.FATAL}:
        start_again(draft, event)
