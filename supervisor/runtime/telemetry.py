"""What the runtime says about itself: typed events first, log lines only where a handler makes them.

Handlers are called synchronously, in the order in which they were attached, on the trio thread. One that raises is
detached at once and reported to the others: an observer never harms what it observes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from attrs import frozen

from supervisor.runtime.reasons import ExitReason


@frozen(kw_only=True)
class ChildStarted:
    """A child is up. ``path`` leads from the root to it; ``incarnation`` counts the starts of its supervisor."""

    path: str
    incarnation: int


@frozen(kw_only=True)
class ChildEnded:
    """An incarnation has ended, for whatever reason. A crash carries its error with the traceback."""

    path: str
    incarnation: int
    reason: ExitReason


@frozen(kw_only=True)
class RestartScheduled:
    """A child that ended will be started again after ``delay`` seconds."""

    path: str
    delay: float
    crash_loop: bool


@frozen(kw_only=True)
class ChildGaveUp:
    """A child has used up its restarts and stays down; with ``escalated`` its supervisor fails because of it."""

    path: str
    restarts: int
    escalated: bool


@frozen(kw_only=True)
class ChildUnstoppable:
    """A child goes on although it was cancelled. The plan to stop goes on without it."""

    path: str
    incarnation: int


@frozen(kw_only=True)
class CleanupFailed:
    """What a child had to do at its end failed or was cut off, after the child had ended for another reason."""

    path: str
    reason: ExitReason


@frozen(kw_only=True)
class TreeStuck:
    """The tree has stopped except for these nodes, which cannot be ended from inside this process."""

    paths: tuple[str, ...]


@frozen(kw_only=True)
class DeadLetter:
    """A message found nobody to handle it. ``suppressed`` counts those that were not reported since the last one."""

    actor: str
    message: str
    suppressed: int


@frozen(kw_only=True)
class HandlerDetached:
    """A telemetry handler raised and gets no more events."""

    handler: str
    error: Exception


Event: TypeAlias = (
    ChildStarted
    | ChildEnded
    | RestartScheduled
    | ChildGaveUp
    | ChildUnstoppable
    | CleanupFailed
    | TreeStuck
    | DeadLetter
    | HandlerDetached
)
Handler: TypeAlias = Callable[[Event], None]


class Telemetry:
    """The event bus of one system."""

    __slots__ = ("_handlers",)

    def __init__(self) -> None:
        self._handlers: tuple[Handler, ...] = ()

    def attach(self, handler: Handler) -> None:
        """Call ``handler`` with every event from now on. Attaching it twice calls it twice."""
        self._handlers = (*self._handlers, handler)

    def detach(self, handler: Handler) -> None:
        """Stop calling ``handler``. Detaching one that is not attached does nothing."""
        self._handlers = tuple(each for each in self._handlers if each != handler)

    def emit(self, event: Event) -> None:
        """Tell every handler. Never raises because of one."""
        for handler in self._handlers:
            try:
                handler(event)
            except Exception as error:  # noqa: BLE001 - the contract: a handler's failure is its own
                self.detach(handler)
                self.emit(HandlerDetached(handler=repr(handler), error=error))
