"""The containers that are looked after, by id: what outlives the service that serves them."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import trio
from attrs import define, field

from supervisor.containers.engine import Engine
from supervisor.containers.events import Died
from supervisor.containers.facts import ContainerFacts

if TYPE_CHECKING:
    from supervisor.containers.incarnation import LiveContainer

Job: TypeAlias = Callable[[], Awaitable[None]]


@define(eq=False)
class Table:
    """The live containers, and the work that is to be done for them in the background.

    Used on the trio thread only. Jobs end by themselves; one that raises ends the service, which starts again.
    """

    engine: Engine
    live: dict[str, LiveContainer] = field(factory=dict, init=False)
    wanted: trio.Event = field(factory=trio.Event, init=False)
    """Set by the first container: until then there is no reason to look for an engine."""
    _arriving: int = field(default=0, init=False)
    _early: dict[str, Died] = field(factory=dict, init=False)
    _jobs: deque[Job] = field(factory=deque, init=False)
    _more: trio.Event = field(factory=trio.Event, init=False)

    @contextmanager
    def arrival(self) -> Iterator[None]:
        """Keep the deaths of unknown containers meanwhile: one that is being started may die before it is known."""
        self.wanted.set()
        self._arriving += 1
        try:
            yield
        finally:
            self._arriving -= 1
            if not self._arriving:
                self._early.clear()

    def add(self, container: LiveContainer, facts: ContainerFacts) -> None:
        """Look after a container from now on. To be called within :meth:`arrival`.

        What is known already of its end, from an event or from the inspection after its start, is told to it a little
        later: whoever has started it must hear of the start first.
        """
        self.live[container.id] = container
        early = self._early.pop(container.id, None)
        self.submit(container.watch)
        if early is not None:
            self.submit(partial(_tell, container, early))
        if not facts.state.running:
            self.submit(partial(_compare, container, facts))

    def remove(self, container: LiveContainer) -> None:
        """Look after it no longer."""
        if self.live.get(container.id) is container:
            del self.live[container.id]

    def note_early(self, death: Died) -> None:
        """Remember the death of a container that nobody looks after, if somebody may be about to."""
        if self._arriving:
            self._early[death.id] = death

    def submit(self, job: Job) -> None:
        """Have ``job`` run by the service, now or as soon as it is up."""
        self._jobs.append(job)
        self._more.set()

    async def serve_jobs(self, nursery: trio.Nursery) -> None:
        """Run what was submitted and what will be. Runs until cancelled."""
        while True:
            while self._jobs:
                nursery.start_soon(self._jobs.popleft())
            self._more = trio.Event()
            await self._more.wait()


async def _tell(container: LiveContainer, death: Died) -> None:
    container.died(death)


async def _compare(container: LiveContainer, facts: ContainerFacts) -> None:
    container.compare(facts)
