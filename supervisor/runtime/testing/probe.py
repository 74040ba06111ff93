"""Observers: an actor that keeps what it gets, and a telemetry handler that keeps what it hears."""

from __future__ import annotations

import math
from collections import deque
from typing import Any, Generic, TypeVar

import trio

from supervisor.runtime.actor import Actor
from supervisor.runtime.build import actor
from supervisor.runtime.context import Context
from supervisor.runtime.monitors import Down, MonitorId
from supervisor.runtime.ref import ActorRef
from supervisor.runtime.spec import ChildSpec
from supervisor.runtime.telemetry import ChildEnded, ChildStarted, Event

M = TypeVar("M")
E = TypeVar("E")


class Probe(Generic[M]):
    """An actor to be put into a tree that keeps every message and every ``Down`` for the test.

    What it has kept outlives restarts of the actor itself.
    """

    def __init__(self, name: str = "probe") -> None:
        self.name = name
        self.received: deque[M | Down] = deque()
        self._arrived = trio.Event()
        self._context: Context[M] | None = None

    def spec(self) -> ChildSpec:
        """Describe the actor."""
        return actor(self.name, lambda: _ProbeActor(self))

    @property
    def context(self) -> Context[M]:
        """The context of the live incarnation."""
        if self._context is None:
            raise RuntimeError(f"probe {self.name!r} is not in a running tree")
        return self._context

    @property
    def ref(self) -> ActorRef[M]:
        """The ref of the live incarnation."""
        return self.context.ref

    def monitor(self, ref: ActorRef[Any]) -> MonitorId:
        """Have the probe monitor ``ref``."""
        return self.context.monitor(ref)

    async def expect(self, *, within: float = 5.0) -> M | Down:
        """Return the next message or ``Down``, waiting for it. Raises ``trio.TooSlowError``."""
        with trio.fail_after(within):
            while not self.received:
                self._arrived = trio.Event()
                await self._arrived.wait()
        return self.received.popleft()

    async def expect_nothing(self, *, for_seconds: float = 5.0) -> None:
        """Wait this long and fail if anything arrives."""
        await trio.sleep(for_seconds)
        if self.received:
            raise AssertionError(f"probe {self.name!r} got {self.received[0]!r}")

    def note(self, item: M | Down) -> None:
        """Keep ``item``."""
        self.received.append(item)
        self._arrived.set()

    def bind(self, context: Context[M]) -> None:
        """Take note of the live incarnation."""
        self._context = context


class _ProbeActor(Actor[M]):
    def __init__(self, probe: Probe[M]) -> None:
        self._probe = probe

    async def pre_start(self, context: Context[M]) -> None:
        self._probe.bind(context)

    async def handle(self, message: M, _context: Context[M]) -> None:
        self._probe.note(message)

    async def on_down(self, down: Down, _context: Context[M]) -> None:
        self._probe.note(down)


class EventLog:
    """A telemetry handler that keeps every event: ``system.telemetry.attach(log)``."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self._heard = trio.Event()

    def __call__(self, event: Event) -> None:
        """Keep ``event``."""
        self.events.append(event)
        self._heard.set()

    def of(self, kind: type[E]) -> list[E]:
        """Return the events of one type, in order."""
        return [event for event in self.events if isinstance(event, kind)]

    def lives(self) -> list[str]:
        """Return the starts and ends in order, as ``+path`` and ``-path``."""
        found = []
        for event in self.events:
            if isinstance(event, ChildStarted):
                found.append(f"+{event.path}")
            elif isinstance(event, ChildEnded):
                found.append(f"-{event.path}")
        return found

    async def wait_for(self, kind: type[E], *, count: int = 1, within: float = math.inf) -> E:
        """Return the ``count``-th event of a type, waiting for it. Raises ``trio.TooSlowError``."""
        with trio.fail_after(within):
            while len(self.of(kind)) < count:
                self._heard = trio.Event()
                await self._heard.wait()
        return self.of(kind)[count - 1]
