"""A running tree and everything that is shared in it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import trio

from supervisor.runtime.children import ChildState
from supervisor.runtime.dead_letters import DeadLetters
from supervisor.runtime.errors import ActorNotFound, NameTaken, StartFailed, SupervisorBug
from supervisor.runtime.incarnation import Incarnation
from supervisor.runtime.reasons import NORMAL, Crashed, ExitReason, describe
from supervisor.runtime.registry import Registry
from supervisor.runtime.restart import Dice
from supervisor.runtime.service import HURRY, ServiceContext
from supervisor.runtime.spec import ChildSpec
from supervisor.runtime.telemetry import Telemetry, TreeStuck
from supervisor.runtime.timers import Timers
from supervisor.runtime.tree import TreeNode

if TYPE_CHECKING:
    from supervisor.runtime.dynamic import DynamicSupervisor
    from supervisor.runtime.shell import SupervisorShell


class System:
    """What the actors of one tree share: names, timers, telemetry, dead letters, and the tree itself.

    Make one beforehand to attach telemetry handlers before anything happens; it serves one :func:`run`. ``dice``
    yields numbers in [0, 1) for the jitter of delays. All methods are to be called on the trio thread.
    """

    def __init__(self, *, dice: Dice | None = None) -> None:
        self.dice: Dice = dice if dice is not None else random.Random().random  # noqa: S311 - jitter, no secret
        self.telemetry = Telemetry()
        self.dead_letters = DeadLetters(self.telemetry)
        self.registry = Registry()
        self.timers = Timers()
        self.shells: set[SupervisorShell[Any]] = set()
        self._dynamics: dict[str, DynamicSupervisor] = {}
        self._token: trio.lowlevel.TrioToken | None = None
        self._root: _RootHost | None = None
        self._shutdown_asked = False
        self.unstoppable: tuple[str, ...] = ()

    @property
    def token(self) -> trio.lowlevel.TrioToken:
        """The way back to the trio thread for code that runs on another one."""
        if self._token is None:
            raise SupervisorBug("the system is not running")
        return self._token

    def tree(self) -> TreeNode:
        """Return the whole tree as it is now. Synchronous; costs a few microseconds per node."""
        if self._root is None:
            raise ActorNotFound("the tree")
        return self._root.node()

    def dynamic(self, name: str) -> DynamicSupervisor:
        """Return the live dynamic supervisor of that name. Raises ``ActorNotFound``."""
        found = self._dynamics.get(name)
        if found is None:
            raise ActorNotFound(name)
        return found

    def shutdown(self, reason: str) -> None:
        """Stop the root in order. A second call means that somebody is out of patience: see :meth:`hurry`."""
        if self._root is None:
            return
        if self._shutdown_asked:
            self.hurry()
            return
        self._shutdown_asked = True
        self._root.child.stop(reason)

    def hurry(self) -> None:
        """Make a stop short: the order is kept, but everything is cancelled at once when its turn comes."""
        self._shutdown_asked = True
        if self._root is not None:
            self._root.child.stop("in a hurry", at_once=True)
            self._root.child.hasten(HURRY)
            for shell in tuple(self.shells):
                shell.hurry()

    @contextmanager
    def dynamic_registered(self, name: str, dynamic: DynamicSupervisor) -> Iterator[None]:
        """Keep ``dynamic`` findable as ``name``. For the runtime itself."""
        if self._dynamics.setdefault(name, dynamic) is not dynamic:
            raise NameTaken(name)
        try:
            yield
        finally:
            del self._dynamics[name]

    async def run_root(self, root: ChildSpec, task_status: trio.TaskStatus[System]) -> ExitReason:
        """Run the whole tree. See :func:`run`."""
        if self._token is not None:
            raise SupervisorBug("a system runs one tree, once")
        self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as outside:
            # As in a supervisor: a cancellation reaches the relay only, and the tree ends by plan.
            outside.start_soon(self._relay, name="cancel relay")
            with trio.CancelScope(shield=True):
                host = await self._host_root(root, task_status)
            outside.cancel_scope.cancel(reason="the tree has ended")
        if not host.child.up and task_status is not trio.TASK_STATUS_IGNORED:
            # Somebody waits in nursery.start(): tell them what kept the tree from coming up.
            raise _start_error(root, host.reason)
        return host.reason

    async def _host_root(self, root: ChildSpec, task_status: trio.TaskStatus[System]) -> _RootHost:
        async with trio.open_nursery() as nursery:
            host = self._root = _RootHost(self, root, nursery, task_status)
            try:
                nursery.start_soon(self.timers.run, name="timers")
                nursery.start_soon(host.child.run, name=root.id)
                await host.ended.wait()
            finally:
                self._root = None
                self.timers.close()
        return host

    async def _relay(self) -> None:
        try:
            await trio.sleep_forever()
        finally:
            if self._root is not None:
                self._root.child.cancel("the run of the tree was cancelled")


class _RootHost:
    """The host of the root: it restarts nothing."""

    def __init__(
        self, system: System, root: ChildSpec, nursery: trio.Nursery, task_status: trio.TaskStatus[System]
    ) -> None:
        self.nursery = nursery
        self.ended = trio.Event()
        self.reason: ExitReason = NORMAL
        self.child = Incarnation(self, system, root, root.id, 1)
        self._system = system
        self._task_status = task_status

    def child_started(self, _child: ServiceContext) -> None:
        self._task_status.started(self._system)

    def child_ended(self, _child: ServiceContext, reason: ExitReason) -> None:
        self.reason = reason
        self.ended.set()

    def child_stuck(self, _child: ServiceContext, paths: tuple[str, ...]) -> None:
        self._system.unstoppable = paths
        self._system.telemetry.emit(TreeStuck(paths=paths))

    def node(self) -> TreeNode:
        child = self.child
        state = ChildState.UP if child.up else ChildState.STARTING
        if child.stop_detail is not None:
            state = ChildState.STOPPING
        return TreeNode(
            id=child.spec.id,
            kind=child.spec.kind,
            state=state,
            strategy=child.spec.strategy,
            incarnation=1,
            children=child.snapshot() if child.snapshot is not None else (),
        )


def _start_error(root: ChildSpec, reason: ExitReason) -> Exception:
    return reason.error if isinstance(reason, Crashed) else StartFailed(root.id, f"it {describe(reason)}")


async def run(
    root: ChildSpec,
    *,
    system: System | None = None,
    task_status: trio.TaskStatus[System] = trio.TASK_STATUS_IGNORED,
) -> ExitReason:
    """Run the tree below ``root`` until it ends, and return why it ended.

    ``task_status.started(system)`` is called once the root is up, so ``nursery.start(run, root)`` returns the system;
    where the root does not come up it raises ``StartFailed``, which a plain call returns as the reason.
    Cancelling the call stops the tree in order before it returns. Raises only what ends the whole program, never what a
    child raised.
    """
    return await (system if system is not None else System()).run_root(root, task_status)
