"""From two views of a unit to what has happened between them. Pure.

The table of views is the one place through which every change of a unit goes, so nothing can change without an event;
and since this compares what is shown, an event never tells what is not so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from attrs import evolve

from supervisor.events.model import (
    Cause,
    ProbeChanged,
    StateChanged,
    StatusChanged,
    UnitAdopted,
    UnitCondemned,
    UnitDefined,
    UnitExited,
    UnitForgotten,
    UnitHappening,
    UnitPayload,
    UnitRecalled,
    UnitRedefined,
)
from supervisor.units import events as e
from supervisor.units.roster import Change
from supervisor.units.status import UnitStatus

_CAUSES: Final[dict[type[e.Event], Cause]] = {
    e.StartAsked: Cause.START_ASKED,
    e.RestartAsked: Cause.RESTART_ASKED,
    e.SignalAsked: Cause.KEEPER,
    e.PauseAsked: Cause.PAUSE_ASKED,
    e.ResumeAsked: Cause.RESUME_ASKED,
    e.FreezeRefused: Cause.KEEPER,
    e.DefinitionChanged: Cause.DEFINITION_CHANGED,
    e.Recalled: Cause.RECALLED,
    e.Spawned: Cause.SPAWNED,
    e.SpawnFailed: Cause.SPAWN_FAILED,
    e.Adopted: Cause.ADOPTED,
    e.AdoptionFailed: Cause.NOT_FOUND_AGAIN,
    e.MainExited: Cause.PROCESS_ENDED,
    e.Cleared: Cause.CLEARED,
    e.SignalRefused: Cause.KEEPER,
    e.ReadyChanged: Cause.PROBE,
    e.HealthChanged: Cause.PROBE,
    e.StartExtended: Cause.PROBE,
    e.Spoke: Cause.PROBE,
    e.Condemned: Cause.JUDGED,
    e.DependenciesMet: Cause.DEPENDENCIES,
    e.DependenciesUnmet: Cause.DEPENDENCIES,
    e.DependencyLost: Cause.DEPENDENCIES,
    e.EndDelayed: Cause.TIME,
    e.TimerFired: Cause.TIME,
}


def cause_of(event: e.Event | None) -> Cause:
    """Return what made a unit change, in one word."""
    if isinstance(event, e.StopAsked):
        return Cause.STOP_ASKED if event.lasting else Cause.DAEMON_STOPPING
    return Cause.KEEPER if event is None else _CAUSES.get(type(event), Cause.KEEPER)


def happenings(change: Change) -> Iterator[UnitHappening]:
    """Yield what has happened, in the order in which it is to be told; nothing where nothing did."""
    shown = change.after or change.before
    if shown is not None:
        for what in _payloads(change):
            yield UnitHappening(shown.kind, shown.name, what)


def _payloads(change: Change) -> Iterator[UnitPayload]:
    before, after = change.before, change.after
    if after is None:
        if before is not None:
            yield UnitForgotten(revision=before.revision)
    elif before is None:
        yield UnitDefined(unit=after) if change.new else UnitRecalled(unit=after)
    elif evolve(before, status=after.status) != after:
        yield UnitRedefined(unit=after)
    elif before.status != after.status:
        yield from _status_payloads(before.status, after.status, change.cause)


def _status_payloads(before: UnitStatus, after: UnitStatus, event: e.Event | None) -> Iterator[UnitPayload]:
    told = False
    if after.exit is not None and after.exit != before.exit:
        yield UnitExited(exit=after.exit, status=after)
        told = True
    if isinstance(event, e.Adopted):
        yield UnitAdopted(status=after)
        told = True
    if isinstance(event, e.Condemned):
        yield UnitCondemned(reason=event.cause, detail=event.detail, status=after)
        told = True
    if before.state is not after.state:
        yield StateChanged(before=before.state, cause=cause_of(event), status=after)
    elif (before.ready, before.health) != (after.ready, after.health):
        yield ProbeChanged(was_ready=before.ready, was_health=before.health, status=after)
    elif not told:
        yield StatusChanged(cause=cause_of(event), status=after)
