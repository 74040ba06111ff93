"""What of a unit's condition outlives its keeper, and how a keeper begins with it. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import evolve

from supervisor.store.messages import LiveRecord, Progress, UnitRecord
from supervisor.units.condition import AT_REST, Condition, Phase
from supervisor.units.draft import Moment
from supervisor.units.events import Event, MainExited, Recalled, Recorded, Spawned
from supervisor.units.status import State

_RESTING = {State.EXITED: Phase.EXITED, State.FATAL: Phase.FATAL}


def progress_of(condition: Condition) -> Progress:
    """Return what the store is to remember."""
    identity, started_at = condition.identity, condition.started_at
    live = None
    if identity is not None and started_at is not None:
        live = LiveRecord(
            incarnation=condition.incarnation,
            identity=identity,
            started_at=started_at,
            was_ready=condition.was_ready,
            paused=condition.paused,
        )
    return Progress(
        state=condition.state if condition.phase in AT_REST else State.RUNNING,
        reason=condition.reason if condition.phase in AT_REST else "",
        incarnation=condition.incarnation,
        restarts=condition.restarts,
        counters=condition.counters,
        exit=condition.exit,
        live=live,
        stale=condition.stale,
        next_run_at=condition.next_run_at,
    )


def remember(record: UnitRecord) -> Condition:
    """Return the condition with which a keeper begins; :func:`recalled` is its first event."""
    progress = record.progress
    phase = Phase.STOPPED if progress.live is not None else _RESTING.get(progress.state, Phase.STOPPED)
    return Condition(
        phase=phase,
        desired=record.desired,
        reason=progress.reason or "not started yet",
        incarnation=progress.incarnation,
        restarts=progress.restarts,
        counters=progress.counters,
        exit=progress.exit,
        stale=progress.stale,
        next_run_at=progress.next_run_at,
    )


def recalled(record: UnitRecord, at: Moment) -> Recalled:
    """Return the event that tells the machine of the process on record."""
    live = record.progress.live
    if live is None:
        return Recalled()
    return Recalled(
        Recorded(
            incarnation=live.incarnation,
            identity=live.identity,
            started_at=live.started_at,
            up_for=(at.wall - live.started_at).total_seconds(),
            was_ready=live.was_ready,
            paused=live.paused,
        )
    )


def take_stock(condition: Condition, unheard: Iterable[Event], at: Moment) -> Condition:
    """Return the condition with what has happened to its process since, and nothing decided about it.

    For a keeper that must not act any more: whoever comes next is to find the process that exists, and none that does
    not.
    """
    for event in unheard:
        match event:
            case Spawned(incarnation=number, identity=identity) if number == condition.incarnation:
                condition = evolve(condition, identity=identity, started_at=at.wall)
            case MainExited(incarnation=number) if number == condition.incarnation:
                condition = evolve(condition, identity=None)
            case _:
                pass
    return condition
