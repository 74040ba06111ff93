"""What can happen to a unit: the inputs of its machine. Frozen data, no behaviour.

*Commands* come from people and programs, *facts* from the driver, *reports* from whoever judges the unit (probes,
limits, dependencies), and :class:`TimerFired` from the clock. Facts and reports carry the number of the incarnation
that they speak of, so that a late one about an earlier incarnation changes nothing.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from attrs import frozen

from supervisor.units.driver import ExitStatus, Identity
from supervisor.units.status import EndReason, Health


class Timer(StrEnum):
    """The waits of a unit, by what ends them."""

    SPAWN = "spawn"
    """the system takes long to start or to find a process; time to say so"""
    START = "start"
    """``start_seconds`` have passed: it counts as up; or, with a readiness probe, ``start_timeout``: it is not"""
    STOP = "stop"
    """``stop_timeout`` has passed: it is killed"""
    CLEAR = "clear"
    """time to look again whether what was killed is gone"""
    RETRY = "retry"
    """the backoff is over"""
    RUN = "run"
    """time to see whether the next run by the schedule is due"""
    STEADY = "steady"
    """it has been well for ``backoff.reset_after``: the crash loop is over"""


# ---- commands ----


@frozen
class StartAsked:
    """Somebody wants it to run, from now on."""


@frozen
class StopAsked:
    """Somebody wants it not to run. ``now`` kills at once.

    With ``lasting=False`` the daemon itself goes down and takes its units along: what is desired stays as it was.
    """

    now: bool = False
    lasting: bool = True


@frozen
class RestartAsked:
    """Somebody wants a fresh incarnation, whatever it is doing."""


@frozen
class SignalAsked:
    """Somebody wants a signal delivered; what it causes is the program's own doing."""

    number: int
    whole_group: bool


@frozen
class PauseAsked:
    """Somebody wants nothing of it to run for a while, without ending it."""


@frozen
class ResumeAsked:
    """Somebody wants it to run on."""


@frozen
class DefinitionChanged:
    """There is a new definition; ``respawn`` says that what runs was started by a different one."""

    respawn: bool


@frozen(kw_only=True)
class Recorded:
    """A process on record. ``up_for`` is how long it has been up by the wall clock, which may have been set since."""

    incarnation: int
    identity: Identity
    started_at: datetime
    up_for: float
    was_ready: bool = False
    paused: bool = False
    """Its readiness probe has passed before."""


@frozen
class Recalled:
    """The unit's keeper begins; ``live`` is the process on record, if there is one."""

    live: Recorded | None = None


# ---- facts ----


@frozen
class Spawned:
    """The incarnation exists."""

    incarnation: int
    identity: Identity


@frozen
class SpawnFailed:
    """The incarnation could not be started; nothing of it exists. ``detail`` says why, in words."""

    incarnation: int
    detail: str


@frozen
class Adopted:
    """The process on record is still there and is looked after again."""

    incarnation: int


@frozen
class AdoptionFailed:
    """The process on record is gone."""

    incarnation: int


@frozen
class MainExited:
    """The main process has ended. Never sent before :class:`Spawned` or :class:`Adopted` of that incarnation."""

    incarnation: int
    status: ExitStatus


@frozen
class Cleared:
    """What was left of an incarnation was killed, except for the ``survivors``. May speak of any incarnation."""

    incarnation: int
    survivors: tuple[int, ...] = ()


@frozen
class FreezeRefused:
    """The system did not let us pause it."""

    incarnation: int
    detail: str


@frozen
class SignalRefused:
    """The system did not let us deliver the stop signal."""

    incarnation: int
    detail: str


# ---- reports ----


@frozen
class ReadyChanged:
    """The readiness probe has changed its mind, or its reason for a no; ``detail`` says why it is not ready."""

    incarnation: int
    ready: bool
    detail: str = ""


@frozen
class HealthChanged:
    """The liveness probe has changed its mind. It only informs; see :class:`Condemned`."""

    incarnation: int
    health: Health
    detail: str = ""


@frozen
class StartExtended:
    """The program asks for more time until it is ready: ``seconds`` from now on."""

    incarnation: int
    seconds: float


@frozen
class Spoke:
    """The program says something about itself, for people."""

    incarnation: int
    text: str


@frozen
class Condemned:
    """A judge (liveness, stall, limit) has found that this incarnation must be replaced."""

    incarnation: int
    cause: EndReason
    detail: str


@frozen
class DependenciesMet:
    """Everything that the unit waits for is there."""


@frozen
class DependenciesUnmet:
    """The unit may not be started before these are there; what runs already runs on. ``detail`` is for people."""

    names: tuple[str, ...]
    detail: str = ""

    @property
    def sentence(self) -> str:
        """What the unit waits for, in words."""
        return self.detail or "waiting for " + ", ".join(self.names)


@frozen
class DependencyLost:
    """What the unit depends on, and is restarted with, has ended or is about to be ended."""

    name: str


@frozen
class EndDelayed:
    """It is to be ended once these, which depend on it, are gone."""

    names: tuple[str, ...]


# ---- the clock ----


@frozen
class TimerFired:
    """A timer has run out. ``token`` is the one it was armed with: a late one is told from its successor by it."""

    timer: Timer
    token: int


Command: TypeAlias = (
    StartAsked | StopAsked | RestartAsked | SignalAsked | PauseAsked | ResumeAsked | DefinitionChanged | Recalled
)
Fact: TypeAlias = (
    Spawned | SpawnFailed | Adopted | AdoptionFailed | MainExited | Cleared | SignalRefused | FreezeRefused
)
Report: TypeAlias = (
    ReadyChanged
    | HealthChanged
    | StartExtended
    | Spoke
    | Condemned
    | DependenciesMet
    | DependenciesUnmet
    | DependencyLost
    | EndDelayed
)
Event: TypeAlias = Command | Fact | Report | TimerFired
