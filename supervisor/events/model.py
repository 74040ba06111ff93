"""The events, one class each. Frozen data; the class says the type, its fields are what is told.

Every event about a unit that changes how the unit looks carries how it looks then: the whole ``unit`` where it is new
or newly defined, its whole ``status`` otherwise. So whoever has a snapshot and applies every event that follows has an
exact copy, and an event can be understood without the ones before it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, TypeAlias

from attrs import frozen

from supervisor.units.status import EndReason, Health, Kind, LastExit, State, UnitStatus, UnitView


class Cause(StrEnum):
    """What made a unit change."""

    START_ASKED = "start_asked"
    STOP_ASKED = "stop_asked"
    RESTART_ASKED = "restart_asked"
    PAUSE_ASKED = "pause_asked"
    RESUME_ASKED = "resume_asked"
    DAEMON_STOPPING = "daemon_stopping"
    DEFINITION_CHANGED = "definition_changed"
    RECALLED = "recalled"
    """its keeper took it up"""
    SPAWNED = "spawned"
    SPAWN_FAILED = "spawn_failed"
    ADOPTED = "adopted"
    NOT_FOUND_AGAIN = "not_found_again"
    """the process on record is gone"""
    PROCESS_ENDED = "process_ended"
    CLEARED = "cleared"
    """nothing of the ended incarnation is left"""
    PROBE = "probe"
    JUDGED = "judged"
    """liveness, a limit or silence"""
    DEPENDENCIES = "dependencies"
    TIME = "time"
    """a wait was over: a backoff, a stop timeout, the time in which it had to come up"""
    KEEPER = "keeper"
    """nothing about the program itself"""


@frozen(kw_only=True)
class UnitDefined:
    """There is a new unit."""

    type: ClassVar[str] = "unit.defined"
    unit: UnitView


@frozen(kw_only=True)
class UnitRecalled:
    """A daemon has begun, and has a unit of an earlier one."""

    type: ClassVar[str] = "unit.recalled"
    unit: UnitView


@frozen(kw_only=True)
class UnitRedefined:
    """A unit has another definition, or other labels."""

    type: ClassVar[str] = "unit.redefined"
    unit: UnitView


@frozen(kw_only=True)
class UnitForgotten:
    """A unit is no more."""

    type: ClassVar[str] = "unit.forgotten"
    revision: int


@frozen(kw_only=True)
class UnitExited:
    """An incarnation has ended, or could not be started."""

    type: ClassVar[str] = "unit.exited"
    exit: LastExit
    status: UnitStatus


@frozen(kw_only=True)
class UnitAdopted:
    """A process that an earlier daemon, or an earlier keeper, has started is looked after again."""

    type: ClassVar[str] = "unit.adopted"
    status: UnitStatus


@frozen(kw_only=True)
class UnitCondemned:
    """A judge has found that what runs must be replaced: liveness, a limit, silence."""

    type: ClassVar[str] = "unit.condemned"
    reason: EndReason
    detail: str
    status: UnitStatus


@frozen(kw_only=True)
class StateChanged:
    """A unit has another state."""

    type: ClassVar[str] = "unit.state"
    before: State
    cause: Cause
    status: UnitStatus


@frozen(kw_only=True)
class ProbeChanged:
    """A unit has become ready, or healthy, or is it no more, in the state that it was in."""

    type: ClassVar[str] = "unit.probe"
    was_ready: bool
    was_health: Health
    status: UnitStatus


@frozen(kw_only=True)
class StatusChanged:
    """Something else of a unit's status is different: what it waits for, what it says, what is wanted of it."""

    type: ClassVar[str] = "unit.status"
    cause: Cause
    status: UnitStatus


@frozen(kw_only=True)
class DaemonStarted:
    """A daemon has begun."""

    type: ClassVar[str] = "daemon.started"
    version: str
    pid: int
    instance: str


@frozen(kw_only=True)
class DaemonStopping:
    """The daemon was asked to end."""

    type: ClassVar[str] = "daemon.stopping"
    leave_units: bool


@frozen(kw_only=True)
class EventsLost:
    """The disk could not be written for so long that events were dropped; their numbers are missing."""

    type: ClassVar[str] = "events.lost"
    first: int
    last: int


UnitPayload: TypeAlias = (
    UnitDefined
    | UnitRecalled
    | UnitRedefined
    | UnitForgotten
    | UnitExited
    | UnitAdopted
    | UnitCondemned
    | StateChanged
    | ProbeChanged
    | StatusChanged
)
DaemonPayload: TypeAlias = DaemonStarted | DaemonStopping | EventsLost


@frozen
class UnitHappening:
    """Something that has happened to a unit."""

    kind: Kind
    name: str
    what: UnitPayload


Happening: TypeAlias = UnitHappening | DaemonPayload
