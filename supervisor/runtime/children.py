"""A supervisor's books about its children. Pure.

The life of a child in the books::

    DOWN -> STARTING -> UP -> (ends by itself) -> WAITING -> STARTING ...      a restart, after a delay or at once
                                               -> FINISHED                      a wanted end
                                               -> FAILED                        its restarts are used up
            STARTING | UP -> STOPPING -> DOWN                                   by plan
                             STOPPING -> STUCK -> DOWN                          it would not end when cancelled

``LEGAL`` says which event may meet which state. An event of an incarnation that is not the present one changes nothing;
one that contradicts the books raises ``SupervisorBug``, and changes nothing either.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from attrs import define

from supervisor.runtime.brain import ChildEvent, DelayOver, Ended, StartChild, Started, Stuck
from supervisor.runtime.errors import SupervisorBug
from supervisor.runtime.policy import RestartType
from supervisor.runtime.reasons import ExitReason, failed
from supervisor.runtime.restart import FRESH, Decision, Dice, History, decide
from supervisor.runtime.spec import ChildSpec


class ChildState(StrEnum):
    """Where a child is in its life."""

    DOWN = "down"
    STARTING = "starting"
    UP = "up"
    WAITING = "waiting"
    STOPPING = "stopping"
    FINISHED = "finished"
    FAILED = "failed"
    STUCK = "stuck"


LIVE: Final = frozenset({ChildState.STARTING, ChildState.UP, ChildState.STOPPING, ChildState.STUCK})
"""The states in which something of the child runs."""


LEGAL: Final[Mapping[type[ChildEvent], frozenset[ChildState]]] = {
    # A child may say that it is up while it is being stopped already; a stuck one may still end.
    Started: frozenset({ChildState.STARTING, ChildState.STOPPING, ChildState.STUCK}),
    Ended: LIVE,
    # A nested supervisor finds out by itself, in any state, that it cannot end what is below it.
    Stuck: frozenset({ChildState.STARTING, ChildState.UP, ChildState.STOPPING}),
    DelayOver: frozenset({ChildState.WAITING}),
}


@define(eq=False)
class Child:
    """A child in the books. ``incarnation`` is that of its latest start; later starts have higher numbers.

    ``doom`` says why it is to be stopped by the present plan, ``wanted`` that it is to be started by it.
    """

    spec: ChildSpec
    state: ChildState = ChildState.DOWN
    incarnation: int = 0
    up_since: float = 0.0
    restarts: int = 0
    history: History = FRESH
    doom: str | None = None
    wanted: bool = False
    stuck: tuple[str, ...] = ()

    @property
    def temporary(self) -> bool:
        """Whether it is forgotten once it has ended."""
        return self.spec.restart.restart is RestartType.TEMPORARY

    def judge(self, reason: ExitReason, *, was_up: bool, now: float, dice: Dice) -> Decision:
        """Decide what follows an end that nobody planned, and remember it."""
        healthy_for = now - self.up_since if was_up else 0.0
        self.history, decision = decide(
            self.spec.restart, self.history, failed=failed(reason), healthy_for=healthy_for, now=now, dice=dice
        )
        return decision

    def restarts_in_window(self, now: float) -> int:
        """Return how many restarts count against the limit at ``now``."""
        if not self.history.recent:
            return 0
        return sum(1 for at in self.history.recent if now - at <= self.spec.restart.period)


@define(eq=False)
class Books:
    """The children of one supervisor by id, in the order in which they were added."""

    children: dict[str, Child]
    last_incarnation: int = 0

    def next_incarnation(self, child: Child) -> StartChild:
        """Begin a new incarnation of ``child``."""
        self.last_incarnation += 1
        child.incarnation = self.last_incarnation
        child.state = ChildState.STARTING
        child.wanted = False
        return StartChild(child.spec, child.incarnation)

    def find(self, event: ChildEvent) -> Child | None:
        """Return the child that ``event`` is about, or None for an event of an earlier incarnation.

        Raises ``SupervisorBug`` for an event that cannot be.
        """
        if event.incarnation > self.last_incarnation:
            raise SupervisorBug(f"{event!r} is of an incarnation that was never started")
        child = self.children.get(event.id)
        if child is None or child.incarnation != event.incarnation:
            return None
        if child.state not in LEGAL[type(event)]:
            raise SupervisorBug(f"{event!r} met child {child.spec.id!r} in state {child.state}")
        return child

    def forget(self, child: Child) -> None:
        """Leave nothing of ``child`` behind."""
        del self.children[child.spec.id]

    def stuck_paths(self) -> tuple[str, ...]:
        """Name everything that cannot be ended."""
        return tuple(path for child in self.children.values() for path in child.stuck)
