"""The condition of a unit: everything that its machine remembers, and what of it is shown. Pure data."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Final

from attrs import field, frozen

from supervisor.runtime.restart import FRESH, History
from supervisor.units.driver import Identity
from supervisor.units.events import Timer
from supervisor.units.status import Counters, Desired, EndReason, Health, LastExit, State, UnitStatus


class Phase(Enum):
    """Where the machine is; finer than the state that is shown."""

    STOPPED = "stopped"
    EXITED = "exited"
    FATAL = "fatal"
    ADOPTING = "adopting"
    """looking for the process on record"""
    WAITING = "waiting"
    """for dependencies"""
    SPAWNING = "spawning"
    """a start is under way"""
    SETTLING = "settling"
    """there is a process; it does not count as up yet"""
    RUNNING = "running"
    BACKOFF = "backoff"
    ABORTING = "aborting"
    """a start is under way, and what comes of it is to be ended"""
    ENDING = "ending"
    """it was asked to end and has time to do so"""
    CLEARING = "clearing"
    """what is left is killed until nothing is left"""


STATE: Final = {
    Phase.STOPPED: State.STOPPED,
    Phase.EXITED: State.EXITED,
    Phase.FATAL: State.FATAL,
    Phase.ADOPTING: State.UNKNOWN,
    Phase.WAITING: State.STARTING,
    Phase.SPAWNING: State.STARTING,
    Phase.SETTLING: State.STARTING,
    Phase.RUNNING: State.RUNNING,
    Phase.BACKOFF: State.BACKOFF,
    Phase.ABORTING: State.STOPPING,
    Phase.ENDING: State.STOPPING,
    Phase.CLEARING: State.STOPPING,
}

AT_REST: Final = frozenset({Phase.STOPPED, Phase.EXITED, Phase.FATAL})
"""Nothing of the unit runs, and nothing happens until somebody asks for something, or a run by its schedule is due."""

_BY_THE_CLOCK: Final = frozenset({Timer.RUN})
TIMERS: Final = {
    **dict.fromkeys(AT_REST, _BY_THE_CLOCK),
    Phase.WAITING: frozenset({Timer.RUN, Timer.CLEAR}),
    Phase.ADOPTING: frozenset({Timer.RUN, Timer.SPAWN, Timer.CLEAR}),
    Phase.SPAWNING: frozenset({Timer.RUN, Timer.SPAWN, Timer.CLEAR}),
    Phase.ABORTING: frozenset({Timer.RUN, Timer.SPAWN, Timer.CLEAR}),
    Phase.SETTLING: frozenset({Timer.RUN, Timer.START, Timer.CLEAR}),
    Phase.RUNNING: frozenset({Timer.RUN, Timer.STEADY, Timer.CLEAR}),
    Phase.BACKOFF: frozenset({Timer.RUN, Timer.RETRY, Timer.CLEAR}),
    Phase.ENDING: frozenset({Timer.RUN, Timer.STOP, Timer.CLEAR}),
    Phase.CLEARING: frozenset({Timer.RUN, Timer.CLEAR}),
}
"""The timers that may be armed in a phase. Entering a phase cancels the others, so that none is forgotten."""


@frozen
class Alarm:
    """An armed timer."""

    timer: Timer
    token: int


@frozen(kw_only=True)
class Condition:
    """Everything that the machine remembers of a unit.

    ``identity`` is that of the live main process, None where there is none. ``uncleared`` are the incarnations whose
    main process has ended, or was killed, and whose other processes are not yet known to be gone; ``clearing`` are
    those of them that a ``Clear`` is under way for. ``cause`` says why we end what runs and ``then`` what follows once
    it is gone: a phase of rest, SPAWNING for a new start, or BACKOFF for a decision about one.
    """

    phase: Phase = Phase.STOPPED
    desired: Desired = Desired.STOPPED
    reason: str = ""
    incarnation: int = 0
    identity: Identity | None = None
    born: float = 0.0
    started_at: datetime | None = None
    healthy_since: float | None = None
    ready: bool = False
    was_ready: bool = False
    """It was ready before, in this incarnation."""
    not_ready: str = ""
    not_healthy: str = ""
    """Why it is not what it should be, in words; empty where it is, or where that is not known yet."""
    health: Health = Health.NONE
    start_due: float = 0.0
    """Until when it has to become ready, by a clock that only goes forward."""
    says: str = ""
    paused: bool = False
    """Nothing of it runs, since somebody asked for that."""
    cause: EndReason | None = None
    cause_detail: str = ""
    hurry: bool = False
    killed: bool = False
    then: Phase | None = None
    then_reason: str = ""
    history: History = FRESH
    restarts: int = 0
    counters: Counters = field(factory=Counters)
    exit: LastExit | None = None
    next_retry_at: datetime | None = None
    next_run_at: datetime | None = None
    """When it runs next by its schedule, also while it runs."""
    run_queued: bool = False
    """A run was due while it ran, and follows."""
    stale: bool = False
    """What runs was started by an earlier definition, and is to be replaced."""
    blocked_by: tuple[str, ...] = ()
    blocked_why: str = ""
    uncleared: tuple[int, ...] = ()
    clearing: tuple[int, ...] = ()
    clear_attempts: int = 0
    alarms: tuple[Alarm, ...] = ()
    tokens: int = 0
    """How many timers were armed so far."""

    @property
    def state(self) -> State:
        """The state that is shown."""
        return STATE[self.phase]

    @property
    def at_rest(self) -> bool:
        """Whether nothing of it runs and nothing will happen by itself, but for a run by its schedule."""
        return self.phase in AT_REST


def status_of(condition: Condition) -> UnitStatus:
    """Return what is shown of a condition."""
    there = condition.identity is not None and condition.phase is not Phase.ADOPTING
    return UnitStatus(
        state=condition.state,
        desired=condition.desired,
        reason=condition.reason,
        ready=condition.ready,
        health=condition.health,
        pid=condition.identity.pid if condition.identity is not None and there else None,
        incarnation=condition.incarnation,
        restarts=condition.restarts,
        counters=condition.counters,
        started_at=condition.started_at if there else None,
        exit=condition.exit,
        next_retry_at=condition.next_retry_at,
        next_run_at=condition.next_run_at,
        crash_loop=condition.history.crash_loop,
        says=condition.says,
        paused=condition.paused,
        waiting_for=condition.blocked_by if condition.phase is Phase.WAITING else (),
    )
