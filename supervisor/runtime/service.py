"""One incarnation of a child, as the child itself may use it."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias, TypeVarTuple

import trio

from supervisor.runtime.errors import ActorStopped
from supervisor.runtime.exits import contain
from supervisor.runtime.reasons import Crashed, ExitReason
from supervisor.runtime.telemetry import ChildEnded, ChildStarted, ChildUnstoppable, CleanupFailed
from supervisor.runtime.timers import Timer

if TYPE_CHECKING:
    from supervisor.runtime.spec import ChildSpec
    from supervisor.runtime.system import System
    from supervisor.runtime.tree import TreeNode

Ts = TypeVarTuple("Ts")
AtEnd: TypeAlias = Callable[[ExitReason], Awaitable[None]]

HURRY: Final = 2.0
"""How long a stop may still take once somebody has lost patience."""


class Host(Protocol):
    """Where incarnations live: a supervisor, or the system itself for the root."""

    @property
    def nursery(self) -> trio.Nursery:
        """The nursery that their tasks run in; cancelled only when the whole host is given up."""

    def child_started(self, child: ServiceContext, /) -> None:
        """``child`` is up."""

    def child_ended(self, child: ServiceContext, reason: ExitReason, /) -> None:
        """Nothing of ``child`` runs any more."""

    def child_stuck(self, child: ServiceContext, paths: tuple[str, ...], /) -> None:
        """``child``, or the nodes below it that ``paths`` names, cannot be ended."""


class ServiceContext:
    """What one incarnation of a child is given.

    ``path`` names it from the root down, ``incarnation`` tells it from earlier and later ones.
    """

    __slots__ = (
        "_at_end", "_cleanup_scope", "_failure", "_host", "_main_reason", "_stopping", "_task_scopes", "_tasks_done",
        "_timer", "_winding_up", "cancelled_by", "cleanup", "incarnation", "on_stop", "path", "scope", "snapshot",
        "spec", "stop_detail", "system", "up",
    )  # fmt: skip

    def __init__(self, host: Host, system: System, spec: ChildSpec, path: str, incarnation: int) -> None:
        self._host = host
        self.system = system
        self.spec = spec
        self.path = path
        self.incarnation = incarnation
        self.scope = trio.CancelScope()
        self.cancelled_by = ""
        self.up = False
        self.stop_detail: str | None = None
        self.cleanup = 0.0
        self.on_stop: Callable[[str], None] | None = None
        self.snapshot: Callable[[], tuple[TreeNode, ...]] | None = None
        self._stopping: trio.Event | None = None
        self._at_end: AtEnd | None = None
        self._cleanup_scope: trio.CancelScope | None = None
        self._winding_up = False
        self._failure: Exception | None = None
        self._main_reason: ExitReason | None = None
        self._task_scopes: set[trio.CancelScope] | None = None
        self._tasks_done: trio.Event | None = None
        self._timer: Timer | None = None

    @property
    def stopping(self) -> trio.Event:
        """Set when a stop is asked. The incarnation is cancelled once its shutdown time has passed after that."""
        if self._stopping is None:
            self._stopping = trio.Event()
            if self.stop_detail is not None:
                self._stopping.set()
        return self._stopping

    def started(self) -> None:
        """Say that the incarnation is up. To be called once; siblings that start later wait for it."""
        if self.up:
            return
        self.up = True
        if self.stop_detail is None and not self.scope.cancel_called:
            self._disarm()
        self.system.telemetry.emit(ChildStarted(path=self.path, incarnation=self.incarnation))
        self._host.child_started(self)

    def spawn(self, task: Callable[[*Ts], Awaitable[None]], *args: *Ts) -> None:
        """Run a background task that belongs to this incarnation.

        It is cancelled when the incarnation ends, which has not ended before the task has; if the task crashes, so does
        the incarnation. Raises ``ActorStopped`` after its end.
        """
        if self._main_reason is not None and not self._task_scopes:
            raise ActorStopped(self.path, self._main_reason)
        scope = trio.CancelScope()
        if self._task_scopes is None:
            self._task_scopes = set()
        self._task_scopes.add(scope)
        if self._main_reason is not None or self.scope.cancel_called:
            scope.cancel(reason=f"{self.path} is ending")
        self._host.nursery.start_soon(self._run_task, scope, task, args, name=f"{self.path} task")

    def fail(self, error: Exception) -> None:
        """End the incarnation as crashed with ``error``, from any synchronous code on the trio thread."""
        if self._failure is None:
            self._failure = error
        self.cancel(f"it failed: {error}")

    def at_end(self, cleanup: AtEnd, *, within: float = 3.0) -> None:
        """Call ``cleanup`` with the reason once the incarnation's function is through, however it ended.

        It runs shielded from cancellation for at most ``within`` seconds, also after a crash. One per incarnation.
        """
        self._at_end = cleanup
        self.cleanup = within

    async def tasks_ended(self) -> None:
        """Cancel the background tasks and wait until they are gone."""
        self._cancel_tasks("it is ending")
        if self._task_scopes:
            self._tasks_done = trio.Event()
            await self._tasks_done.wait()

    def stuck(self, paths: tuple[str, ...]) -> None:
        """Tell the host that nodes below this one cannot be ended, so that it does not wait for them."""
        self._host.child_stuck(self, paths)

    def cancel(self, why: str) -> None:
        """Cancel the incarnation and its tasks, and report it if it goes on all the same.

        Its clean-up still gets its time: only :meth:`hasten` shortens that.
        """
        if self.scope.cancel_called:
            return
        self.cancelled_by = why
        self.scope.cancel(reason=f"{self.path}: {why}")
        self._cancel_tasks(why)
        if not self._winding_up:
            self.arm(self.cleanup + self.spec.shutdown.abandon_after, self._abandon)

    def hasten(self, within: float) -> None:
        """Let the clean-up, now or when it comes to it, take no longer than ``within`` seconds from now on."""
        self.cleanup = min(self.cleanup, within)
        now = trio.current_time()
        if self._cleanup_scope is not None:
            self._cleanup_scope.deadline = min(self._cleanup_scope.deadline, now + within)
        if self._winding_up or self.scope.cancel_called:
            patience = within + self.spec.shutdown.abandon_after
            if self._timer is not None and now + patience < self._timer.when:
                self.arm(patience, self._abandon)

    def arm(self, delay: float, callback: Callable[[], None]) -> None:
        """Set the one deadline that the incarnation is under, replacing the one before."""
        self._disarm()
        if not math.isinf(delay):
            self._timer = self.system.timers.call_later(delay, callback)

    def _disarm(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _abandon(self) -> None:
        self.system.telemetry.emit(ChildUnstoppable(path=self.path, incarnation=self.incarnation))
        self._host.child_stuck(self, (self.path,))

    def _cancel_tasks(self, why: str) -> None:
        for scope in self._task_scopes or ():
            scope.cancel(reason=f"{self.path}: {why}")

    async def _run_task(
        self, scope: trio.CancelScope, task: Callable[[*Ts], Awaitable[None]], args: tuple[*Ts]
    ) -> None:
        reason = await contain(scope, task, *args)
        if isinstance(reason, Crashed):
            self._task_crashed(reason)
        # A crash's traceback refers to this frame: without this the two would keep each other alive.
        del reason
        if self._task_scopes is not None:
            self._task_scopes.discard(scope)
        if not self._task_scopes:
            self._task_scopes = None
            if self._tasks_done is not None:
                self._tasks_done.set()
            self._report_end()

    def _task_crashed(self, reason: Crashed) -> None:
        if self._main_reason is None and not self.scope.cancel_called:
            self.fail(reason.error)
        else:
            self.system.telemetry.emit(CleanupFailed(path=self.path, reason=reason))

    def _report_end(self) -> None:
        """Tell the host of the end, once the function and all of its tasks are through."""
        reason = self._main_reason
        if reason is not None and not self._task_scopes:
            self._disarm()
            self.system.telemetry.emit(ChildEnded(path=self.path, incarnation=self.incarnation, reason=reason))
            self._host.child_ended(self, reason)
