"""Dynamic supervisors: children that are added and removed at run time."""

from __future__ import annotations

import trio

from supervisor.runtime.brain import AddAsked, DynamicEvent, RemoveAsked
from supervisor.runtime.dynamic_core import DynamicCore
from supervisor.runtime.errors import ActorStopped
from supervisor.runtime.service import ServiceContext
from supervisor.runtime.shell import SupervisorShell
from supervisor.runtime.spec import ChildSpec
from supervisor.runtime.tree import TreeNode


class _Request:
    """Somebody who waits for an answer."""

    __slots__ = ("_answered", "_error")

    def __init__(self) -> None:
        self._answered = trio.Event()
        self._error: Exception | None = None

    def answer(self, error: Exception | None) -> None:
        self._error = error
        self._answered.set()

    async def wait(self) -> None:
        # Bounded by the child's own start_within, or by its shutdown and abandon_after.
        await self._answered.wait()
        if self._error is not None:
            raise self._error


class DynamicSupervisor:
    """The handle of one incarnation of a dynamic supervisor. Ask the system for it each time; do not keep it."""

    def __init__(self, service: ServiceContext, name: str, *, max_children: int, stop_within: float) -> None:
        self.name = name
        self._requests: dict[int, _Request] = {}
        self._last_request = 0
        core = DynamicCore(service.path, max_children=max_children, dice=service.system.dice)
        self._shell: SupervisorShell[DynamicEvent] = SupervisorShell(
            service, core, stop_within=stop_within, on_answer=self._answer
        )

    async def start_child(self, spec: ChildSpec) -> None:
        """Add a child and return once it is up.

        Raises ``StartFailed`` (then it is not added), ``DuplicateChild``, ``TooManyChildren`` or ``ActorStopped``.
        Cancelling the wait undoes nothing.
        """
        number, request = self._new_request()
        self._shell.dispatch(AddAsked(number, spec))
        await request.wait()

    async def stop_child(self, child_id: str) -> None:
        """Stop a child, forget it, and return once nothing of it runs.

        Raises ``ChildNotFound``, ``Unstoppable`` or ``ActorStopped``. Cancelling the wait undoes nothing.
        """
        number, request = self._new_request()
        self._shell.dispatch(RemoveAsked(number, child_id))
        await request.wait()

    def children(self) -> tuple[TreeNode, ...]:
        """Return a snapshot of the children, in the order in which they were added."""
        return self._shell.snapshot()

    async def run(self) -> None:
        """Live until stopped."""
        try:
            await self._shell.run(None)
        finally:
            for request in self._requests.values():
                request.answer(ActorStopped(self.name))
            self._requests.clear()

    def _new_request(self) -> tuple[int, _Request]:
        if self._shell.closed:
            raise ActorStopped(self.name)
        self._last_request += 1
        request = self._requests[self._last_request] = _Request()
        return self._last_request, request

    def _answer(self, number: int, error: Exception | None) -> None:
        self._requests.pop(number).answer(error)
