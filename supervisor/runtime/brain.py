"""What goes into a supervisor's brain (events) and what comes out of it (effects). Pure data.

The brains are ``SupervisorCore`` and ``DynamicCore``; ``SupervisorShell`` is the body.
"""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

from supervisor.runtime.reasons import ExitReason
from supervisor.runtime.spec import ChildSpec

# ---- events: what has happened ----


@frozen
class Begin:
    """Start the children."""


@frozen
class Started:
    """An incarnation is up."""

    id: str
    incarnation: int


@frozen
class Ended:
    """Nothing of an incarnation runs any more."""

    id: str
    incarnation: int
    reason: ExitReason


@frozen
class Stuck:
    """An incarnation goes on although it was cancelled; ``paths`` names what exactly does."""

    id: str
    incarnation: int
    paths: tuple[str, ...]


@frozen
class DelayOver:
    """The time to wait after the end of this incarnation has passed."""

    id: str
    incarnation: int


@frozen
class StopAsked:
    """The supervisor is to stop, with ``reason`` as its own end."""

    reason: ExitReason


@frozen
class AddAsked:
    """Somebody wants a child added and waits as ``request``."""

    request: int
    spec: ChildSpec


@frozen
class RemoveAsked:
    """Somebody wants a child stopped and forgotten and waits as ``request``."""

    request: int
    id: str


ChildEvent: TypeAlias = Started | Ended | Stuck | DelayOver
CoreEvent: TypeAlias = Begin | ChildEvent | StopAsked
DynamicEvent: TypeAlias = ChildEvent | StopAsked | AddAsked | RemoveAsked

# ---- effects: what is to be done ----


@frozen
class StartChild:
    """Start an incarnation of a child."""

    spec: ChildSpec
    incarnation: int


@frozen
class StopChild:
    """Ask an incarnation to stop, and cancel it once its time has passed."""

    id: str
    incarnation: int
    detail: str


@frozen
class Delay:
    """Report ``DelayOver`` after ``seconds``."""

    id: str
    incarnation: int
    seconds: float


@frozen
class CancelDelay:
    """Forget the delay of a child."""

    id: str


@frozen
class Restarting:
    """A child that ended will be started again: for those who watch."""

    id: str
    delay: float
    crash_loop: bool


@frozen
class GivenUp:
    """A child has used up its restarts: for those who watch."""

    id: str
    restarts: int
    escalated: bool


@frozen
class AllUp:
    """The supervisor itself is up."""


@frozen
class Answer:
    """Answer a request: done, or refused with ``error``."""

    request: int
    error: Exception | None


@frozen
class Finish:
    """The supervisor is through. ``stuck`` names what still runs and cannot be ended."""

    reason: ExitReason
    stuck: tuple[str, ...]


Effect: TypeAlias = StartChild | StopChild | Delay | CancelDelay | Restarting | GivenUp | AllUp | Answer | Finish
