"""The brain of a static supervisor: events in, effects out. Pure; the clock and the dice are handed in.

What is to happen is written into the books (``doom``, ``wanted``), never into a plan of its own; after every event
``_advance`` takes the next steps that the books allow. So a crash in the middle of a restart, or a stop in the middle
of a start, needs no special case:

1. doomed children are stopped one at a time, the last started first;
2. when none is left and the supervisor is ending, it finishes;
3. otherwise wanted children are started in the order of the specs: one at a time while the supervisor comes up, and
   always where siblings depend on each other (``one_for_all``, ``rest_for_one``); a child that waits for its delay
   holds back those that depend on it.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import assert_never

from supervisor.runtime.brain import (
    AllUp,
    Begin,
    CancelDelay,
    CoreEvent,
    Delay,
    DelayOver,
    Effect,
    Ended,
    Finish,
    GivenUp,
    Restarting,
    Started,
    StopAsked,
    StopChild,
    Stuck,
)
from supervisor.runtime.children import Books, Child, ChildState
from supervisor.runtime.errors import RestartsExhausted, StartFailed, SupervisorBug, Unstoppable
from supervisor.runtime.policy import AutoShutdown, Strategy
from supervisor.runtime.reasons import NORMAL, Crashed, ExitReason, Stopped
from supervisor.runtime.restart import Again, Dice, Finished, GaveUp
from supervisor.runtime.spec import ChildSpec, check_children


class Mode(Enum):
    """Where the supervisor itself is in its life."""

    NEW = auto()
    BOOTING = auto()
    RUNNING = auto()
    ENDING = auto()
    ENDED = auto()


class SupervisorCore:
    """Decides for a supervisor whose children are fixed. ``path`` is only used to name things."""

    def __init__(
        self,
        path: str,
        strategy: Strategy,
        children: tuple[ChildSpec, ...],
        *,
        dice: Dice,
        auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
    ) -> None:
        check_children(path, children, auto_shutdown)
        self.path = path
        self.strategy = strategy
        self.auto_shutdown = auto_shutdown
        self.books = Books({spec.id: Child(spec) for spec in children})
        self.mode = Mode.NEW
        self._dice = dice
        self._reason: ExitReason = NORMAL
        self._effects: list[Effect] = []

    def handle(self, event: CoreEvent, now: float) -> tuple[Effect, ...]:
        """Take note of ``event`` and return what is to be done, in order.

        Raises ``SupervisorBug`` for an event that cannot be, and then nothing has changed.
        """
        match event:
            case Begin():
                self._begin()
            case StopAsked(reason):
                self._end(reason)
            case Started() | Ended() | Stuck() | DelayOver():
                child = self.books.find(event)
                if child is None:
                    return ()
                self._child_event(child, event, now)
            case _:
                assert_never(event)
        self._advance()
        effects, self._effects = tuple(self._effects), []
        return effects

    # ---- events ----

    def _begin(self) -> None:
        if self.mode is Mode.NEW:
            self.mode = Mode.BOOTING
            for child in self.books.children.values():
                child.wanted = True
        elif self.mode is not Mode.ENDED:
            raise SupervisorBug(f"supervisor {self.path!r} was begun twice")

    def _child_event(self, child: Child, event: Started | Ended | Stuck | DelayOver, now: float) -> None:
        match event:
            case Started():
                if child.state is ChildState.STARTING:
                    child.state = ChildState.UP
                    child.up_since = now
            case Ended(_, _, reason):
                self._ended(child, reason, now)
            case Stuck(_, _, paths):
                child.state = ChildState.STUCK
                child.stuck = paths
                # What cannot be stopped cannot be restarted either: two of it would run.
                self._end(Crashed.by(Unstoppable(paths)))
            case DelayOver():
                child.state = ChildState.DOWN
                child.wanted = True
            case _:
                assert_never(event)

    def _ended(self, child: Child, reason: ExitReason, now: float) -> None:
        was = child.state
        planned = child.doom is not None or was is ChildState.STUCK or self.mode in {Mode.ENDING, Mode.ENDED}
        child.state = ChildState.DOWN
        child.doom = None
        child.stuck = ()
        if planned:
            if child.temporary:
                self.books.forget(child)
        elif self.mode is Mode.BOOTING and was is ChildState.STARTING:
            self._end(Crashed.by(self._rollback_cause(child, reason)))
        else:
            self._judge(child, reason, was_up=was is ChildState.UP, now=now)

    def _judge(self, child: Child, reason: ExitReason, *, was_up: bool, now: float) -> None:
        decision = child.judge(reason, was_up=was_up, now=now, dice=self._dice)
        match decision:
            case Again(delay, crash_loop):
                child.restarts += 1
                self._effects.append(Restarting(child.spec.id, delay, crash_loop))
                if delay > 0:
                    child.state = ChildState.WAITING
                    self._effects.append(Delay(child.spec.id, child.incarnation, delay))
                else:
                    child.wanted = True
                self._doom_group_of(child)
            case Finished():
                if child.temporary:
                    self.books.forget(child)
                else:
                    child.state = ChildState.FINISHED
                self._maybe_auto_shutdown(child)
            case GaveUp(escalate, restarts):
                child.state = ChildState.FAILED
                self._effects.append(GivenUp(child.spec.id, restarts, escalate))
                if escalate:
                    self._end(Crashed.by(RestartsExhausted(self._path_of(child), restarts, reason)))
                else:
                    self._maybe_auto_shutdown(child)
            case _:
                assert_never(decision)

    # ---- consequences ----

    def _doom_group_of(self, crashed: Child) -> None:
        """Note that the siblings that depend on ``crashed`` go down and come up with it."""
        if self.strategy is Strategy.ONE_FOR_ONE:
            return
        concerned = self.strategy is Strategy.ONE_FOR_ALL
        for child in self.books.children.values():
            if child is crashed:
                concerned = True
            elif concerned:
                if child.state in {ChildState.STARTING, ChildState.UP, ChildState.STOPPING}:
                    child.doom = child.doom or f"restart of {crashed.spec.id!r}"
                    child.wanted = True
                elif child.state is ChildState.FINISHED:
                    child.wanted = True

    def _maybe_auto_shutdown(self, ended: Child) -> None:
        if not ended.spec.significant or self.auto_shutdown is AutoShutdown.NEVER:
            return
        if self.auto_shutdown is AutoShutdown.ALL_SIGNIFICANT and any(
            child.spec.significant and child is not ended and _is_active(child)
            for child in self.books.children.values()
        ):
            return
        self._end(Stopped(f"its significant child {ended.spec.id!r} has ended"))

    def _end(self, reason: ExitReason) -> None:
        if self.mode in {Mode.ENDING, Mode.ENDED}:
            return
        self.mode = Mode.ENDING
        self._reason = reason
        detail = reason.detail if isinstance(reason, Stopped) else f"{self.path} is ending"
        for child in self.books.children.values():
            if child.state is ChildState.WAITING:
                child.state = ChildState.DOWN
                self._effects.append(CancelDelay(child.spec.id))
            elif child.state in {ChildState.STARTING, ChildState.UP}:
                child.doom = child.doom or detail

    # ---- the next steps ----

    def _advance(self) -> None:
        if self.mode is Mode.ENDED:
            return
        children = self.books.children.values()
        if any(child.state is ChildState.STOPPING for child in children):
            return
        doomed = [child for child in children if child.doom is not None and child.state is not ChildState.STUCK]
        if doomed:
            last = max(doomed, key=lambda child: child.incarnation)
            last.state = ChildState.STOPPING
            self._effects.append(StopChild(last.spec.id, last.incarnation, last.doom or ""))
        elif self.mode is Mode.ENDING:
            self.mode = Mode.ENDED
            self._effects.append(Finish(self._reason, self.books.stuck_paths()))
        elif self.mode is not Mode.NEW:
            self._start_wanted()

    def _start_wanted(self) -> None:
        children = tuple(self.books.children.values())
        in_turn = self.mode is Mode.BOOTING or self.strategy is not Strategy.ONE_FOR_ONE
        if in_turn and any(child.state is ChildState.STARTING for child in children):
            return
        waiting = [child.state is ChildState.WAITING for child in children]
        if self.strategy is Strategy.ONE_FOR_ALL and any(waiting):
            return
        for child, waits in zip(children, waiting, strict=True):
            if waits and self.strategy is Strategy.REST_FOR_ONE:
                return
            if child.wanted:
                self._effects.append(self.books.next_incarnation(child))
                if in_turn:
                    return
        if self.mode is Mode.BOOTING:
            self.mode = Mode.RUNNING
            self._effects.append(AllUp())

    def _rollback_cause(self, child: Child, reason: ExitReason) -> Exception:
        if isinstance(reason, Crashed):
            return reason.error
        return StartFailed(self._path_of(child), "it was ended before it was up")

    def _path_of(self, child: Child) -> str:
        return f"{self.path}/{child.spec.id}"


def _is_active(child: Child) -> bool:
    """Tell whether something of the child runs or will run again."""
    return child.wanted or child.state in {
        ChildState.STARTING,
        ChildState.UP,
        ChildState.STOPPING,
        ChildState.STUCK,
        ChildState.WAITING,
    }
