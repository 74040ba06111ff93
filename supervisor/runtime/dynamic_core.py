"""The brain of a dynamic supervisor: independent children that come and go at run time. Pure.

Every request is answered exactly once, whatever the children do meanwhile, and children are started and stopped side by
side: fifty that take ten seconds each to stop take ten seconds together.
"""

from __future__ import annotations

from typing import assert_never

from supervisor.runtime.brain import (
    AddAsked,
    Answer,
    CancelDelay,
    Delay,
    DelayOver,
    DynamicEvent,
    Effect,
    Ended,
    Finish,
    GivenUp,
    RemoveAsked,
    Restarting,
    Started,
    StopAsked,
    StopChild,
    Stuck,
)
from supervisor.runtime.children import Books, Child, ChildState
from supervisor.runtime.errors import (
    ActorStopped,
    ChildNotFound,
    DuplicateChild,
    RestartsExhausted,
    SpecError,
    StartFailed,
    TooManyChildren,
    Unstoppable,
)
from supervisor.runtime.reasons import Crashed, ExitReason, Stopped, describe
from supervisor.runtime.restart import Again, Dice, Finished, GaveUp
from supervisor.runtime.spec import ChildSpec


class DynamicCore:
    """Decides for a dynamic supervisor. ``path`` is only used to name things."""

    def __init__(self, path: str, *, max_children: int, dice: Dice) -> None:
        self.path = path
        self.max_children = max_children
        self.books = Books({})
        self._dice = dice
        self._reason: ExitReason | None = None
        self._finished = False
        self._stuck = 0
        # Who waits for a start, and who for an end. Kept apart from the children: most never have anybody waiting.
        self._starters: dict[str, int] = {}
        self._removers: dict[str, list[int]] = {}
        self._effects: list[Effect] = []

    def handle(self, event: DynamicEvent, now: float) -> tuple[Effect, ...]:
        """Take note of ``event`` and return what is to be done, in order.

        Raises ``SupervisorBug`` for an event that cannot be, and then nothing has changed.
        """
        match event:
            case AddAsked(request, spec):
                self._add(request, spec)
            case RemoveAsked(request, child_id):
                self._remove(request, child_id)
            case StopAsked(reason):
                self._end(reason)
            case Started() | Ended() | Stuck() | DelayOver():
                child = self.books.find(event)
                if child is None:
                    return ()
                self._child_event(child, event, now)
            case _:
                assert_never(event)
        self._finish_when_empty()
        effects, self._effects = tuple(self._effects), []
        return effects

    # ---- requests ----

    def _add(self, request: int, spec: ChildSpec) -> None:
        refusal = self._refusal(spec)
        if refusal is not None:
            self._effects.append(Answer(request, refusal))
            return
        child = self.books.children[spec.id] = Child(spec)
        self._starters[spec.id] = request
        self._effects.append(self.books.next_incarnation(child))

    def _refusal(self, spec: ChildSpec) -> Exception | None:
        if self._reason is not None:
            return ActorStopped(self.path)
        if spec.id in self.books.children:
            return DuplicateChild(self.path, spec.id)
        if len(self.books.children) >= self.max_children:
            return TooManyChildren(self.path, self.max_children)
        if spec.significant:
            return SpecError(f"child {spec.id!r} of the dynamic supervisor {self.path!r} cannot be significant")
        return None

    def _remove(self, request: int, child_id: str) -> None:
        child = self.books.children.get(child_id)
        if child is None:
            self._effects.append(Answer(request, ChildNotFound(self.path, child_id)))
            return
        match child.state:
            case ChildState.STUCK:
                self._effects.append(Answer(request, Unstoppable(child.stuck)))
            case ChildState.WAITING | ChildState.FAILED | ChildState.FINISHED | ChildState.DOWN:
                if child.state is ChildState.WAITING:
                    self._effects.append(CancelDelay(child_id))
                self.books.forget(child)
                self._effects.append(Answer(request, None))
            case ChildState.STARTING | ChildState.UP | ChildState.STOPPING:
                self._removers.setdefault(child_id, []).append(request)
                self._stop(child, "its removal")
            case _:
                assert_never(child.state)

    # ---- events ----

    def _child_event(self, child: Child, event: Started | Ended | Stuck | DelayOver, now: float) -> None:
        match event:
            case Started():
                if child.state is ChildState.STARTING:
                    child.state = ChildState.UP
                    child.up_since = now
                    self._answer_starter(child, None)
            case Ended(_, _, reason):
                self._ended(child, reason, now)
            case Stuck(_, _, paths):
                child.state = ChildState.STUCK
                child.stuck = paths
                self._stuck += 1
                self._answer_starter(child, Unstoppable(paths))
                self._answer_removers(child, Unstoppable(paths))
            case DelayOver():
                self._effects.append(self.books.next_incarnation(child))
            case _:
                assert_never(event)

    def _ended(self, child: Child, reason: ExitReason, now: float) -> None:
        was = child.state
        if was is ChildState.STUCK:
            self._stuck -= 1
        if was in {ChildState.STOPPING, ChildState.STUCK} or child.spec.id in self._starters:
            self._answer_starter(child, self._start_error(child, reason))
            self._answer_removers(child, None)
            self.books.forget(child)
        else:
            self._judge(child, reason, was_up=was is ChildState.UP, now=now)

    def _judge(self, child: Child, reason: ExitReason, *, was_up: bool, now: float) -> None:
        decision = child.judge(reason, was_up=was_up, now=now, dice=self._dice)
        child_id = child.spec.id
        match decision:
            case Again(delay, crash_loop):
                child.restarts += 1
                self._effects.append(Restarting(child_id, delay, crash_loop))
                if delay > 0:
                    child.state = ChildState.WAITING
                    self._effects.append(Delay(child_id, child.incarnation, delay))
                else:
                    self._effects.append(self.books.next_incarnation(child))
            case Finished():
                self.books.forget(child)
            case GaveUp(escalate, restarts):
                child.state = ChildState.FAILED
                self._effects.append(GivenUp(child_id, restarts, escalate))
                if escalate:
                    self._end(Crashed.by(RestartsExhausted(f"{self.path}/{child_id}", restarts, reason)))
            case _:
                assert_never(decision)

    # ---- consequences ----

    def _stop(self, child: Child, detail: str) -> None:
        if child.state is not ChildState.STOPPING:
            child.state = ChildState.STOPPING
            self._effects.append(StopChild(child.spec.id, child.incarnation, detail))

    def _end(self, reason: ExitReason) -> None:
        if self._reason is not None:
            return
        self._reason = reason
        detail = reason.detail if isinstance(reason, Stopped) else f"{self.path} is ending"
        for child in tuple(self.books.children.values()):
            match child.state:
                case ChildState.STARTING | ChildState.UP:
                    self._stop(child, detail)
                case ChildState.WAITING:
                    self._effects.append(CancelDelay(child.spec.id))
                    self.books.forget(child)
                case ChildState.FAILED | ChildState.FINISHED | ChildState.DOWN:
                    self.books.forget(child)
                case ChildState.STOPPING | ChildState.STUCK:
                    pass
                case _:
                    assert_never(child.state)

    def _finish_when_empty(self) -> None:
        if self._reason is not None and not self._finished and len(self.books.children) == self._stuck:
            self._finished = True
            self._effects.append(Finish(self._reason, self.books.stuck_paths()))

    def _answer_starter(self, child: Child, error: Exception | None) -> None:
        request = self._starters.pop(child.spec.id, None)
        if request is not None:
            self._effects.append(Answer(request, error))

    def _answer_removers(self, child: Child, error: Exception | None) -> None:
        for request in self._removers.pop(child.spec.id, ()):
            self._effects.append(Answer(request, error))

    def _start_error(self, child: Child, reason: ExitReason) -> Exception:
        if isinstance(reason, Crashed):
            return reason.error
        return StartFailed(f"{self.path}/{child.spec.id}", f"it {describe(reason)}")
