"""The stage on which a keeper ends its unit after its own end has begun.

From then on its mailbox is deaf and its tasks are gone; the machine goes on all the same, on timers and tasks of this
stage, until nothing of the unit is left.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, Protocol, TypeVar, TypeVarTuple

import trio

M = TypeVar("M")
M_contra = TypeVar("M_contra", contravariant=True)
Ts = TypeVarTuple("Ts")


class Stage(Protocol[M_contra]):
    """What the shell of a machine acts on: the part of an actor's ``Context`` that it uses."""

    def post(self, message: M_contra) -> None:
        """Send a message to the shell itself."""

    def start_timer(self, key: Hashable, delay: float, message: M_contra) -> None:
        """Deliver a message later, replacing the timer of this key."""

    def cancel_timer(self, key: Hashable) -> None:
        """Do not deliver it."""

    def spawn(self, task: Callable[[*Ts], Awaitable[None]], *args: *Ts) -> None:
        """Run a task."""


class Farewell(Generic[M]):
    """A stage within a nursery, whose messages are received by whoever runs the farewell."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._messages: deque[M] = deque()
        self._came = trio.Event()
        self._timers: dict[Hashable, trio.CancelScope] = {}

    async def receive(self) -> M:
        """Wait for the next message."""
        while not self._messages:
            self._came = trio.Event()
            await self._came.wait()
        return self._messages.popleft()

    def post(self, message: M) -> None:
        """Send a message to the receiver."""
        self._messages.append(message)
        self._came.set()

    def start_timer(self, key: Hashable, delay: float, message: M) -> None:
        """Deliver a message later."""
        self.cancel_timer(key)
        scope = self._timers[key] = trio.CancelScope()
        self._nursery.start_soon(self._wait, scope, delay, message)

    def cancel_timer(self, key: Hashable) -> None:
        """Do not deliver it."""
        scope = self._timers.pop(key, None)
        if scope is not None:
            scope.cancel(reason="the timer is not wanted any more")

    def spawn(self, task: Callable[[*Ts], Awaitable[None]], *args: *Ts) -> None:
        """Run a task in the nursery."""
        self._nursery.start_soon(lambda: task(*args))

    async def _wait(self, scope: trio.CancelScope, delay: float, message: M) -> None:
        with scope:
            await trio.sleep(delay)
            self.post(message)
