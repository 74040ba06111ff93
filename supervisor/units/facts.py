"""What facts, reports and timers do to a unit, phase by phase. Pure; the table says when each one applies.

A handler is called only for events about the present incarnation (``Cleared`` excepted) and for timers that are armed,
so none of them asks for that again.
"""

from __future__ import annotations

from attrs import evolve

from supervisor.runtime.restart import FRESH
from supervisor.units.condition import Phase
from supervisor.units.draft import Draft
from supervisor.units.effects import Freeze, KillGroup, Outcome
from supervisor.units.ends import Judgement, processes, span
from supervisor.units.events import (
    Cleared,
    Condemned,
    DependenciesUnmet,
    DependencyLost,
    EndDelayed,
    FreezeRefused,
    HealthChanged,
    MainExited,
    ReadyChanged,
    SignalRefused,
    Spawned,
    SpawnFailed,
    Spoke,
    StartExtended,
    Timer,
)
from supervisor.units.moves import (
    SPAWN_PATIENCE,
    come_back,
    decide_restart,
    end,
    ended,
    finish_if_clear,
    is_up,
    kill,
    launch,
    record,
    rest,
    shortcomings,
)
from supervisor.units.status import Desired, EndReason, Health

# ---- the process on record ----


def adopted(draft: Draft, _event: object) -> None:
    """Go on with the process on record, or end it where that is what is wanted."""
    draft.now = evolve(draft.now, healthy_since=draft.now.born, health=_first_health(draft))
    draft.note()
    if draft.now.cause is not None and draft.now.then is not None:
        end(draft, draft.now.cause, draft.now.then)
    elif draft.now.desired is Desired.STOPPED:
        end(draft, EndReason.STOPPED, Phase.STOPPED)
    else:
        _settle(draft, up_for=draft.at.mono - draft.now.born)
        if draft.now.paused:
            # It was written down that it is paused; whether that had been done when the daemon ended is not known.
            draft.emit(Freeze(draft.now.incarnation, frozen=True))


def adoption_failed(draft: Draft, _event: object) -> None:
    """Treat the process on record as one that ended while nobody was looking."""
    detail = "ended while nobody was looking; how is not known"
    record(draft, Judgement(EndReason.UNKNOWN, failed=True, detail=detail))
    if draft.now.then is Phase.SPAWNING:
        launch(draft, "restarting")
    elif draft.now.cause is not None or draft.now.desired is Desired.STOPPED:
        rest(draft, Phase.STOPPED, "stopped")
    else:
        decide_restart(draft, failed=True, detail=detail)


# ---- starting ----


def spawned(draft: Draft, event: Spawned) -> None:
    """There is a process: see whether it stays up."""
    _exists(draft, event)
    _settle(draft, up_for=0.0)
    draft.sweep_soon()


def spawned_to_end(draft: Draft, event: Spawned) -> None:
    """There is a process that is not wanted any more."""
    _exists(draft, event)
    end(draft, draft.now.cause or EndReason.STOPPED, draft.now.then or Phase.STOPPED)
    draft.sweep_soon()


def _exists(draft: Draft, event: Spawned) -> None:
    draft.now = evolve(
        draft.now,
        identity=event.identity,
        born=draft.at.mono,
        started_at=draft.at.wall,
        healthy_since=draft.at.mono,
        health=_first_health(draft),
    )
    draft.note()


def _first_health(draft: Draft) -> Health:
    return Health.STARTING if draft.spec.has_liveness else Health.NONE


def _settle(draft: Draft, *, up_for: float) -> None:
    if draft.spec.start_deadline is not None:
        _await_readiness(draft, draft.spec.start_deadline)
        return
    left = draft.spec.start_seconds - up_for
    if left <= 0:
        is_up(draft)
        return
    draft.enter(Phase.SETTLING, draft.now.reason if up_for == 0 else "found again; not up for long")
    draft.arm(Timer.START, left)


def _await_readiness(draft: Draft, deadline: float) -> None:
    if draft.now.was_ready:
        # Found again by a new daemon: it is taken to be as it was until the probe says otherwise.
        is_up(draft)
        return
    draft.now = evolve(draft.now, start_due=draft.at.mono + deadline)
    draft.enter(Phase.SETTLING, "waiting until it is ready")
    draft.arm(Timer.START, deadline)


def spawn_failed(draft: Draft, event: SpawnFailed) -> None:
    """It never started: that is a failure like any other."""
    detail = f"could not start: {event.detail}"
    record(draft, Judgement(EndReason.SPAWN_FAILED, failed=True, detail=detail))
    draft.tell(Outcome.NOT_STARTED, event.detail)
    decide_restart(draft, failed=True, detail=detail)


def spawn_failed_anyway(draft: Draft, event: SpawnFailed) -> None:
    """It never started, and was not to run: what was to follow follows."""
    record(draft, Judgement(EndReason.SPAWN_FAILED, failed=True, detail=f"could not start: {event.detail}"))
    draft.enter(Phase.CLEARING, draft.now.reason)
    draft.sweep()
    finish_if_clear(draft)


def freeze_refused(draft: Draft, event: FreezeRefused) -> None:
    """It runs as it did: the wish could not be carried out."""
    draft.now = evolve(draft.now, paused=False)
    draft.now = evolve(draft.now, reason="; ".join(filter(None, (shortcomings(draft), event.detail))))
    draft.note()


def spawn_is_slow(draft: Draft, _event: object) -> None:
    """Say that the system takes long, and go on waiting: a second start could be a second process."""
    draft.enter(draft.now.phase, f"the system has not answered for {span(SPAWN_PATIENCE)}; still waiting for it")
    draft.arm(Timer.SPAWN, SPAWN_PATIENCE)


def stayed_up(draft: Draft, _event: object) -> None:
    """``start_seconds`` have passed; where it was to become ready instead, the time for that is over."""
    if draft.spec.start_deadline is None:
        is_up(draft)
        return
    why = f" ({draft.now.not_ready})" if draft.now.not_ready else ""
    detail = f"did not become ready within {span(draft.at.mono - draft.now.born)}{why}"
    end(draft, EndReason.NOT_READY, Phase.BACKOFF, detail)
    draft.tell(Outcome.NOT_STARTED, f"it {detail}")


def start_extended(draft: Draft, event: StartExtended) -> None:
    """Give it more time to become ready. Asking for less than it has is no reason to take time away."""
    due = draft.at.mono + event.seconds
    if draft.spec.start_deadline is not None and due > draft.now.start_due:
        draft.now = evolve(draft.now, start_due=due)
        draft.arm(Timer.START, event.seconds)


def try_again(draft: Draft, _event: object) -> None:
    """The backoff is over."""
    detail = draft.now.exit.detail if draft.now.exit is not None else ""
    come_back(draft, f"starting again: {detail}")


# ---- ends ----


def main_exited(draft: Draft, event: MainExited) -> None:
    """It ended by itself, or something else ended it: the policy decides what follows."""
    early = draft.now.phase is Phase.SETTLING
    # The group at once, so that a successor does not find its port taken; the rest of the tree by a sweep.
    draft.emit(KillGroup(event.incarnation))
    judgement = ended(draft, event)
    draft.leave_behind(event.incarnation)
    decide_restart(draft, failed=judgement.failed, detail=judgement.detail)
    wanted = draft.now.then is Phase.EXITED and not judgement.failed
    if early and not wanted:
        draft.tell(Outcome.ENDED_EARLY, judgement.detail)


def exited_as_asked(draft: Draft, event: MainExited) -> None:
    """It ended in the time that it had: nothing of it may be left."""
    judgement = ended(draft, event)
    draft.leave_behind(event.incarnation)
    draft.enter(Phase.CLEARING, judgement.detail)
    draft.sweep()


def exited_when_killed(draft: Draft, event: MainExited) -> None:
    """The main process is gone; the sweep says, or has said, whether the rest is."""
    ended(draft, event)
    finish_if_clear(draft)


def stop_time_over(draft: Draft, _event: object) -> None:
    """It had its time: kill it."""
    draft.now = evolve(draft.now, killed=True)
    kill(draft, f"killing it: it did not end within {span(draft.spec.stop_timeout)} of SIG{draft.spec.stop_signal}")


def signal_refused(draft: Draft, event: SignalRefused) -> None:
    """It cannot be asked to end; the only other way is to kill it."""
    kill(draft, f"killing it: {event.detail}")


# ---- sweeps ----


def swept(draft: Draft, event: Cleared) -> None:
    """Something that an earlier incarnation left is gone, or is not."""
    _take_note_of(draft, event)
    if event.survivors:
        draft.sweep_later()


def cleared(draft: Draft, event: Cleared) -> None:
    """What was killed is gone, or is not: only then does anything follow."""
    _take_note_of(draft, event)
    if not draft.now.uncleared and draft.now.identity is None:
        finish_if_clear(draft)
    elif event.survivors:
        delay = draft.sweep_later()
        left = f"{processes(event.survivors)} still there after SIGKILL"
        draft.enter(Phase.CLEARING, f"{left}; next try in {span(delay)}")
    elif not draft.now.clearing and not draft.armed(Timer.CLEAR):
        # Everything is gone but the end of the main process was not reported yet: look again rather than wait for ever.
        draft.sweep_later()


def _take_note_of(draft: Draft, event: Cleared) -> None:
    def without(numbers: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(number for number in numbers if number != event.incarnation)

    draft.now = evolve(draft.now, clearing=without(draft.now.clearing))
    if not event.survivors:
        draft.now = evolve(draft.now, uncleared=without(draft.now.uncleared))
        if not draft.now.uncleared:
            draft.cancel(Timer.CLEAR)
            draft.now = evolve(draft.now, clear_attempts=0)


def sweep_again(draft: Draft, _event: object) -> None:
    """Look again whether what was killed is gone."""
    if draft.now.phase is Phase.CLEARING and draft.now.identity is not None:
        draft.leave_behind(draft.now.incarnation)
    draft.sweep()


# ---- reports of judges ----


def ready_early(draft: Draft, event: ReadyChanged) -> None:
    """A readiness probe that passes makes ``start_seconds`` moot."""
    if event.ready:
        is_up(draft)
    elif event.detail:
        draft.now = evolve(draft.now, not_ready=event.detail)
        draft.enter(Phase.SETTLING, f"not ready yet: {event.detail}")


def ready_changed(draft: Draft, event: ReadyChanged) -> None:
    """Show whether it is ready. It is no reason to end it."""
    draft.now = evolve(draft.now, ready=event.ready, not_ready="" if event.ready else event.detail)
    draft.enter(Phase.RUNNING, shortcomings(draft))


def health_changed(draft: Draft, event: HealthChanged) -> None:
    """Show its health; only time that was healthy without a break counts as such."""
    since = draft.now.healthy_since
    if event.health is Health.UNHEALTHY:
        since = None
    elif since is None:
        since = draft.at.mono
    why = event.detail if event.health is Health.UNHEALTHY else ""
    draft.now = evolve(draft.now, health=event.health, healthy_since=since, not_healthy=why)
    if draft.now.phase is Phase.RUNNING:
        draft.enter(Phase.RUNNING, shortcomings(draft))


def spoke(draft: Draft, event: Spoke) -> None:
    """Show what the program says of itself."""
    draft.now = evolve(draft.now, says=event.text)


def condemned(draft: Draft, event: Condemned) -> None:
    """Replace it: end it, then let the policy decide."""
    early = draft.now.phase is Phase.SETTLING
    end(draft, event.cause, Phase.BACKOFF, event.detail)
    if early:
        draft.tell(Outcome.ENDED_EARLY, event.detail)


def steady(draft: Draft, _event: object) -> None:
    """The crash loop is over, if it was healthy all the while."""
    since = draft.now.healthy_since
    healthy_for = 0.0 if since is None else draft.at.mono - since
    left = draft.spec.backoff.reset_after - healthy_for
    if left > 0:
        draft.arm(Timer.STEADY, left)
    else:
        draft.now = evolve(draft.now, history=FRESH)


# ---- dependencies ----


def blocked(draft: Draft, event: DependenciesUnmet) -> None:
    """Remember what it may not be started without."""
    draft.now = evolve(draft.now, blocked_by=event.names, blocked_why=event.sentence)


def still_blocked(draft: Draft, event: DependenciesUnmet) -> None:
    """Show what it waits for now."""
    blocked(draft, event)
    draft.enter(Phase.WAITING, event.sentence)


def unblocked(draft: Draft, _event: object) -> None:
    """Remember that it may be started."""
    draft.now = evolve(draft.now, blocked_by=(), blocked_why="")


def start_unblocked(draft: Draft, event: object) -> None:
    """Start what waited for this."""
    unblocked(draft, event)
    launch(draft)


def lose_dependency(draft: Draft, event: DependencyLost) -> None:
    """End it together with what it depends on; it is started again once that is there. No failure of its own."""
    end(draft, EndReason.RESTARTED, Phase.SPAWNING, f"{event.name}, which it depends on, went")


def lose_dependency_early(draft: Draft, event: DependencyLost) -> None:
    """A start under way is of no use any more: end what comes of it."""
    draft.now = evolve(draft.now, cause=EndReason.RESTARTED, then=Phase.SPAWNING, then_reason="", hurry=False)
    draft.enter(Phase.ABORTING, f"starting again once {event.name} is there")


def tell_delay(draft: Draft, event: EndDelayed) -> None:
    """Say what its end waits for."""
    draft.now = evolve(draft.now, reason=f"is ended once {', '.join(event.names)} is gone, which depends on it")


def retry_unblocked(draft: Draft, event: object) -> None:
    """Do not wait for the end of the backoff: what it failed without may be what is there now."""
    if draft.now.blocked_by:
        unblocked(draft, event)
        try_again(draft, event)
