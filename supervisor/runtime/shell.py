"""The shell around a supervisor's brain: carries its effects out and tells it what happens.

Children live in a nursery that is shielded from cancellation, because trio cancels all tasks of a nursery in no
particular order. A cancellation from outside reaches one small task only, the relay, which turns it into a request to
stop: so the children are stopped by plan, in order, whoever ends the supervisor and how. From that moment on the whole
stop has a deadline.

Events are handled synchronously where they happen (a child's last step, a timer, a request), so a restart takes no
detour through another task.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Generic, Protocol, TypeAlias, TypeVar, assert_never

import trio

from supervisor.runtime.brain import (
    AllUp,
    Answer,
    CancelDelay,
    ChildEvent,
    Delay,
    DelayOver,
    Effect,
    Ended,
    Finish,
    GivenUp,
    Restarting,
    StartChild,
    Started,
    StopAsked,
    StopChild,
    Stuck,
)
from supervisor.runtime.children import Books, Child
from supervisor.runtime.errors import SupervisorBug
from supervisor.runtime.incarnation import Incarnation
from supervisor.runtime.reasons import Cancelled, Crashed, ExitReason, Stopped
from supervisor.runtime.service import HURRY, ServiceContext
from supervisor.runtime.spec import ChildSpec
from supervisor.runtime.telemetry import ChildGaveUp, RestartScheduled
from supervisor.runtime.timers import Timer
from supervisor.runtime.tree import TreeNode, node_of

E = TypeVar("E")
E_contra = TypeVar("E_contra", contravariant=True)

SharedEvent: TypeAlias = ChildEvent | StopAsked


class Core(Protocol[E_contra]):
    """A supervisor's brain."""

    books: Books

    def handle(self, event: E_contra | SharedEvent, now: float) -> tuple[Effect, ...]:
        """Take note of an event and return what is to be done."""


class SupervisorShell(Generic[E]):
    """One incarnation of a supervisor. ``stop_within`` bounds a stop that was forced by cancellation."""

    def __init__(
        self,
        service: ServiceContext,
        core: Core[E],
        *,
        stop_within: float,
        on_answer: Callable[[int, Exception | None], None] | None = None,
    ) -> None:
        self.core = core
        self.path = service.path
        self.system = service.system
        self._service = service
        self._stop_within = stop_within
        self._on_answer = on_answer
        self._nursery: trio.Nursery | None = None
        self._live: dict[str, Incarnation] = {}
        self._delays: dict[str, Timer] = {}
        self._events: deque[E | SharedEvent] = deque()
        self._dispatching = False
        self._hurried = False
        self._deadline: Timer | None = None
        self._through = trio.Event()
        self._finish: Finish | None = None
        self._bug: SupervisorBug | None = None
        self.closed = False

    # ---- the life of the supervisor ----

    async def run(self, begin: E | None) -> None:
        """Live until the core finishes; then return, or raise what it failed with.

        Without ``begin`` the supervisor is up at once.
        """
        service = self._service
        service.snapshot = self.snapshot
        service.on_stop = self._asked_to_stop
        self.system.shells.add(self)
        try:
            async with trio.open_nursery() as outside:
                outside.start_soon(self._relay, name=f"{self.path} relay")
                # Without a deadline of its own: the relay sets one the moment a cancellation arrives.
                with trio.CancelScope(shield=True):
                    await self._host_children(begin)
                outside.cancel_scope.cancel(reason=f"{self.path} is through")
        finally:
            self._close()
        if self._bug is not None:
            raise self._bug
        match self._finish:
            case Finish(Crashed(error)):
                raise error
            case Finish(Stopped(detail)) if service.stop_detail is None:
                # It has stopped itself, for a significant child: not a wish of its parent, but an orderly end.
                service.stop_detail = detail

    async def _host_children(self, begin: E | None) -> None:
        try:
            async with trio.open_nursery() as self._nursery:
                if begin is None:
                    self._service.started()
                else:
                    self.dispatch(begin)
                await self._through.wait()
                if self._finish is not None and self._finish.stuck:
                    self._service.stuck(self._finish.stuck)
        finally:
            self.closed = True

    async def _relay(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            if not self._through.is_set():
                self.dispatch(StopAsked(Cancelled("its supervisor was cancelled")))
                # Cancelled although it was asked to stop already: whoever did it has lost patience.
                self._expire_after(self._stop_within if self._service.stop_detail is None else HURRY)

    def _close(self) -> None:
        self.system.shells.discard(self)
        if self._deadline is not None:
            self._deadline.cancel()
        for timer in self._delays.values():
            timer.cancel()

    def _asked_to_stop(self, detail: str) -> None:
        self.dispatch(StopAsked(Stopped(detail)))

    # ---- the clock of a stop ----

    def hurry(self) -> None:
        """Cut the stop short: what is being stopped is cancelled now, and whatever is left after ``HURRY`` seconds too.

        The order of the stop is kept until then. Supervisors below are hurried by the system, not from here.
        """
        self._hurried = True
        for child in tuple(self._live.values()):
            if child.stop_detail is not None:
                child.stop(child.stop_detail, at_once=True)
                child.hasten(HURRY)
        self._expire_after(HURRY)

    def _expire_after(self, seconds: float) -> None:
        when = trio.current_time() + seconds
        if self._deadline is None or when < self._deadline.when:
            if self._deadline is not None:
                self._deadline.cancel()
            self._deadline = self.system.timers.call_at(when, self._expire)

    def _expire(self) -> None:
        self.dispatch(StopAsked(Cancelled("its time to stop has passed")))
        for child in tuple(self._live.values()):
            child.stop("the time of the whole stop has passed")
            child.cancel("the time of the whole stop has passed")
            child.hasten(0.0)

    # ---- the host of incarnations ----

    @property
    def nursery(self) -> trio.Nursery:
        """The nursery of the children."""
        if self._nursery is None:
            raise SupervisorBug(f"{self.path!r} has no nursery yet")
        return self._nursery

    def child_started(self, child: ServiceContext) -> None:
        """Tell the core that a child is up."""
        self.dispatch(Started(child.spec.id, child.incarnation))

    def child_ended(self, child: ServiceContext, reason: ExitReason) -> None:
        """Tell the core that a child has ended."""
        del self._live[child.spec.id]
        self.dispatch(Ended(child.spec.id, child.incarnation, reason))

    def child_stuck(self, child: ServiceContext, paths: tuple[str, ...]) -> None:
        """Tell the core that a child cannot be ended."""
        self.dispatch(Stuck(child.spec.id, child.incarnation, paths))

    def snapshot(self) -> tuple[TreeNode, ...]:
        """Return the children as the tree shows them."""
        now = trio.current_time()
        return tuple(self._node(child, now) for child in self.core.books.children.values())

    def _node(self, child: Child, now: float) -> TreeNode:
        live = self._live.get(child.spec.id)
        below = live.snapshot() if live is not None and live.snapshot is not None else ()
        return node_of(child, now, below)

    # ---- events and effects ----

    def dispatch(self, event: E | SharedEvent) -> None:
        """Hand ``event`` to the core and carry out its effects, now; in order where one causes another."""
        if self.closed or self._bug is not None:
            return
        self._events.append(event)
        if self._dispatching:
            return
        self._dispatching = True
        try:
            while self._events:
                for effect in self.core.handle(self._events.popleft(), trio.current_time()):
                    self._perform(effect)
        except SupervisorBug as bug:
            self._give_up(bug)
        finally:
            self._dispatching = False

    def _give_up(self, bug: SupervisorBug) -> None:
        """End this supervisor, and nothing else, because its books are wrong."""
        self._bug = bug
        for child in tuple(self._live.values()):
            child.cancel("its supervisor has a defect")
        self._through.set()

    def _perform(self, effect: Effect) -> None:
        match effect:
            case StartChild(spec, incarnation):
                self._start(spec, incarnation)
            case StopChild(child_id, _, detail):
                self._stop(self._live[child_id], detail)
            case Delay(child_id, incarnation, seconds):
                due = partial(self._delay_over, child_id, incarnation)
                self._delays[child_id] = self.system.timers.call_later(seconds, due)
            case CancelDelay(child_id):
                self._delays.pop(child_id).cancel()
            case AllUp():
                self._service.started()
            case Finish():
                self._finish = effect
                self._through.set()
            case Answer(request, error):
                if self._on_answer is not None:
                    self._on_answer(request, error)
            case Restarting(child_id, delay, crash_loop):
                path = f"{self.path}/{child_id}"
                self.system.telemetry.emit(RestartScheduled(path=path, delay=delay, crash_loop=crash_loop))
            case GivenUp(child_id, restarts, escalated):
                path = f"{self.path}/{child_id}"
                self.system.telemetry.emit(ChildGaveUp(path=path, restarts=restarts, escalated=escalated))
            case _:
                assert_never(effect)

    def _start(self, spec: ChildSpec, incarnation: int) -> None:
        child = Incarnation(self, self.system, spec, f"{self.path}/{spec.id}", incarnation)
        self._live[spec.id] = child
        child.arm(spec.start_within, child.start_overdue)
        self.nursery.start_soon(child.run, name=child.path)

    def _stop(self, child: Incarnation, detail: str) -> None:
        child.stop(detail, at_once=self._hurried)
        if self._hurried:
            child.hasten(HURRY)

    def _delay_over(self, child_id: str, incarnation: int) -> None:
        del self._delays[child_id]
        self.dispatch(DelayOver(child_id, incarnation))
