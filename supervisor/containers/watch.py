"""The service that listens to the engine: deaths are told to the runs they end, and nothing is missed in an outage.

The event stream alone is not enough: an engine forgets its events when it restarts, and keeps only the last few. So
each time the stream begins it is asked for what happened a little before, and then every run that is looked after is
looked at once. While the engine is silent it is asked now and then for the list of running containers: that is its sign
of life, and one call however many there are.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Final

import trio
from attrs import define, evolve, field, frozen

from supervisor.containers.addresses import EngineAddress
from supervisor.containers.client import Client
from supervisor.containers.engine import Engine
from supervisor.containers.errors import EngineUnavailable
from supervisor.containers.events import (
    ACTIONS,
    NANO,
    Died,
    EngineEvent,
    Frozen,
    HealthTold,
    Lines,
    OutOfMemory,
    Removed,
    Started,
    engine_event,
)
from supervisor.containers.facts import ContainerFacts, EngineFacts, table
from supervisor.containers.live import Table
from supervisor.errors import HoodyError
from supervisor.runtime import ServiceContext

_log = logging.getLogger("hoody.containers")

_OVERLAP: Final = 3 * NANO
"""What is asked for twice when a stream begins: the engine subscribes us a moment after it says that it has."""
_FIRST_RETRY: Final = 0.1
_LONGEST_RETRY: Final = 3.0
_SIGN_OF_LIFE: Final = 30.0
_ANSWER_WITHIN: Final = 5.0
_LOOK_WITHIN: Final = 60.0


@frozen(kw_only=True)
class EngineStatus:
    """Whether the engine answers, for those who ask and for ``hoody status``."""

    reachable: bool | None = None
    """None: nobody has asked for it yet."""
    reason: str = ""
    """Why it does not answer, in a sentence."""
    address: EngineAddress | None = None
    facts: EngineFacts | None = None


StatusListener = Callable[[EngineStatus], None]
EventListener = Callable[[EngineEvent], None]


@define(eq=False)
class Watch:
    """Listens to one engine for the runs of one table. A crash of the service loses nothing: the table outlives it."""

    engine: Engine
    table: Table
    sign_of_life: float = _SIGN_OF_LIFE
    """How often a silent engine is looked at, in seconds."""
    answer_within: float = _ANSWER_WITHIN
    """How long it may take to answer then."""
    status: EngineStatus = field(factory=EngineStatus, init=False)
    _last: int = field(default=0, init=False)
    _on_status: list[StatusListener] = field(factory=list, init=False)
    _on_event: list[EventListener] = field(factory=list, init=False)

    def on_status(self, listener: StatusListener) -> None:
        """Call ``listener`` on the trio thread whenever the engine goes or comes back."""
        self._on_status.append(listener)

    def on_event(self, listener: EventListener) -> None:
        """Call ``listener`` on the trio thread with each event of the engine, after it was acted on here."""
        self._on_event.append(listener)

    async def serve(self, context: ServiceContext) -> None:
        """Run as a child of the tree. It is up at once: without an engine, everything else goes on."""
        context.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.table.serve_jobs, nursery)
            for container in tuple(self.table.live.values()):
                self.table.submit(container.watch)
            nursery.start_soon(self._listen)
            await context.stopping.wait()
            nursery.cancel_scope.cancel(reason="the service was asked to stop")

    async def _listen(self) -> None:
        await self.table.wanted.wait()
        delay = _FIRST_RETRY
        while True:
            try:
                await self._listen_once()
            except* HoodyError as failures:
                if self.status.reachable:
                    delay = _FIRST_RETRY
                self._tell(evolve(self.status, reachable=False, reason=_first_words(failures)))
            await trio.sleep(delay)
            delay = min(_LONGEST_RETRY, delay * 2)

    async def _listen_once(self) -> None:
        address, facts = await self.engine.facts(within=self.answer_within)
        since = (self._last or time.time_ns()) - _OVERLAP
        query = {
            "since": f"{since // NANO}.{since % NANO:09d}",
            "filters": json.dumps(_filters(facts)),
        }
        lines = Lines()
        async with (
            self.engine.stream(
                "GET", "/events", query, what="listen to the engine", within=self.answer_within
            ) as answer,
            trio.open_nursery() as nursery,
        ):
            self._tell(EngineStatus(reachable=True, address=address, facts=facts))
            nursery.start_soon(self._compare)
            nursery.start_soon(self._stay_sure)
            async for piece in answer:
                for line in lines.feed(piece):
                    self._take(line)
            raise EngineUnavailable(f"the engine at {address.url} has ended its event stream")

    def _take(self, line: bytes) -> None:
        try:
            document = json.loads(line)
        except ValueError:
            _log.warning("the engine sent an event that cannot be read: %r", line[:200])
            return
        event = engine_event(table(document))
        if event is None:
            return
        self._last = max(self._last, event.at)
        self._act(event)
        for listener in self._on_event:
            listener(event)

    def _act(self, event: EngineEvent) -> None:
        container = self.table.live.get(event.id)
        match event:
            case Died() if container is None:
                self.table.note_early(event)
            case Died() if container is not None:
                container.died(event)
            case OutOfMemory() if container is not None:
                container.ran_out_of_memory(event.at)
            case Removed() | OutOfMemory() | Died() | Started() | Frozen() | HealthTold():
                pass

    async def _compare(self) -> None:
        """Look at every run that is looked after: what ended in the outage is told now."""
        looked_after = tuple(self.table.live.values())
        if not looked_after:
            return
        ids = tuple(container.id for container in looked_after)
        found = await self.engine.call(partial(_inspect_all, ids=ids), within=_LOOK_WITHIN)
        for container in looked_after:
            container.compare(found[container.id])

    async def _stay_sure(self) -> None:
        """Notice an engine that hangs, and the end of a container whose event got lost."""
        while True:
            await trio.sleep(self.sign_of_life)
            if not self.table.live:
                continue
            before = tuple(self.table.live.values())
            running = await self.engine.call(
                lambda client: {each.id for each in client.list(running=True)}, within=self.answer_within
            )
            for container in before:
                if container.id not in running:
                    found = await self.engine.call(
                        partial(_inspect_all, ids=(container.id,)), within=self.answer_within
                    )
                    container.compare(found[container.id])

    def _tell(self, status: EngineStatus) -> None:
        before, self.status = self.status, status
        if before.reachable is status.reachable:
            return
        if status.reachable:
            _log.info("the container engine answers at %s", status.address.url if status.address else "?")
        else:
            _log.warning("the container engine does not answer: %s", status.reason)
        for listener in self._on_status:
            listener(status)


def _filters(facts: EngineFacts) -> dict[str, list[str]]:
    kinds = {"type": ["container"]}
    # Podman (4.3) wants an event to be all of them at once, and so tells nothing.
    return kinds if facts.is_podman else kinds | {"event": list(ACTIONS)}


def _inspect_all(client: Client, ids: tuple[str, ...]) -> dict[str, ContainerFacts | None]:
    return {container: client.find(container) for container in ids}


def _first_words(failures: BaseExceptionGroup[HoodyError]) -> str:
    first: BaseException = failures
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return str(first)
