"""What a unit is doing: the observed side, beside the definition and never mixed into it. Frozen data, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from attrs import field, frozen

from supervisor.units.spec import AgentSpec


class Kind(StrEnum):
    """What a unit is made of."""

    AGENT = "agent"


class State(StrEnum):
    """Where a unit is in its life; the words that users of supervisord know."""

    STOPPED = "STOPPED"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    BACKOFF = "BACKOFF"
    STOPPING = "STOPPING"
    EXITED = "EXITED"
    FATAL = "FATAL"
    UNKNOWN = "UNKNOWN"


LIVE_STATES: Final = frozenset({State.STARTING, State.RUNNING, State.STOPPING})
"""The states in which there may be a process."""


class Desired(StrEnum):
    """What somebody asked for; survives restarts of the daemon and always wins over what is observed."""

    RUNNING = "running"
    STOPPED = "stopped"


class Health(StrEnum):
    """What the liveness probe says; ``none`` where there is no probe, or no process to look at."""

    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    NONE = "none"


class EndReason(StrEnum):
    """Why an incarnation ended: what counters and sentences are kept apart by."""

    EXITED = "exited"
    """by itself, with an exit code"""
    CRASHED = "crashed"
    """by a signal that we did not send, or with an unwanted code"""
    OUT_OF_MEMORY = "out_of_memory"
    STOPPED = "stopped"
    """by us: somebody asked for a stop"""
    RESTARTED = "restarted"
    """by us: somebody asked for a restart, or the definition changed"""
    KILLED = "killed"
    """by us: it did not end within its stop timeout"""
    SPAWN_FAILED = "spawn_failed"
    """it never started"""
    NOT_READY = "not_ready"
    """by us: it did not become ready in time"""
    LIVENESS = "liveness"
    """by us: its liveness probe has failed"""
    STALLED = "stalled"
    """by us: it was silent for too long"""
    LIMIT = "limit"
    """by us: it was over a limit"""
    UNKNOWN = "unknown"
    """it ended while no daemon was looking and the kernel did not keep its status"""


@frozen(kw_only=True)
class LastExit:
    """The last end of a unit. Exactly one of ``code`` and ``signal`` is set, or neither where it never started."""

    reason: EndReason
    at: datetime
    code: int | None = None
    signal: str | None = None
    core_dumped: bool = False
    detail: str = ""
    """One sentence for people."""
    incarnation: int = 0


@frozen(kw_only=True)
class Counters:
    """How often the unit was restarted, by cause, since it was defined."""

    spawn_failures: int = 0
    crashes: int = 0
    liveness_failures: int = 0
    stalls: int = 0
    limits: int = 0


@frozen(kw_only=True)
class UnitStatus:
    """The observed state of a unit at one instant."""

    state: State = State.STOPPED
    desired: Desired = Desired.STOPPED
    reason: str = ""
    ready: bool = False
    health: Health = Health.NONE
    pid: int | None = None
    incarnation: int = 0
    restarts: int = 0
    """How often it came back by itself since somebody last started it."""
    counters: Counters = field(factory=Counters)
    started_at: datetime | None = None
    exit: LastExit | None = None
    next_retry_at: datetime | None = None
    next_run_at: datetime | None = None
    """When it runs next by its ``schedule``."""
    crash_loop: bool = False
    waiting_for: tuple[str, ...] = ()
    paused: bool = False
    """Nothing of it runs until it is resumed; probes and the limit on silence hold still meanwhile."""
    ports: Mapping[str, int] = field(factory=dict)
    """The ports that it has, by name."""
    limits: Mapping[str, str] = field(factory=dict)
    """How its limits are enforced, by their keys, for those where machines differ."""
    says: str = ""
    """What the program says of itself (STATUS of sd_notify)."""


@frozen(kw_only=True)
class UnitView:
    """A unit as it is shown: definition and status together.

    Replaced whole at every change, so the same object is the same truth.
    """

    kind: Kind
    name: str
    workspace: str | None
    labels: Mapping[str, str]
    revision: int
    created_at: datetime
    spec: AgentSpec
    status: UnitStatus
    source: str | None = None
    """Where it was declared, if an apply declared it."""
