"""A small tree with units in it: store, keepers and directory, on a driver of one's own choice."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TypeVar

import trio
from attrs import define

from supervisor.runtime import ActorRef, Reply, Strategy, System, run, supervisor
from supervisor.units.directory import unit_children
from supervisor.units.messages import (
    CreateUnit,
    DeleteUnit,
    DirectoryRequest,
    GetUnit,
    PauseUnit,
    ReplaceUnit,
    RestartUnit,
    ResumeUnit,
    SignalUnit,
    StartUnit,
    StopUnit,
)
from supervisor.units.quantities import SignalName
from supervisor.units.services import UnitServices
from supervisor.units.spec import AgentDefinition, AgentSpec
from supervisor.units.status import UnitView
from supervisor.units.testing.store import Shelf, memory_store

R = TypeVar("R")
TIMEOUT = 1000.0
"""Seconds that a request may take unless told otherwise; on a virtual clock they cost nothing."""


@define(eq=False)
class Units:
    """The units of a running tree, as a client uses them."""

    system: System
    services: UnitServices
    shelf: Shelf

    @property
    def directory(self) -> ActorRef[DirectoryRequest]:
        """The present directory."""
        return self.system.registry.ref(self.services.plural)

    async def ask(self, make: Callable[[Reply[R]], DirectoryRequest], timeout: float = TIMEOUT) -> R:
        """Ask the directory."""
        return await self.directory.ask(make, timeout=timeout)

    async def create(
        self,
        name: str,
        spec: AgentSpec | None = None,
        *,
        start: bool = True,
        labels: Mapping[str, str] | None = None,
    ) -> UnitView:
        """Define a unit; without a spec, its command is its name."""
        made = definition(name, spec, labels)
        return await self.ask(lambda reply: CreateUnit(definition=made, start=start, reply_to=reply))

    async def replace(
        self,
        name: str,
        spec: AgentSpec | None = None,
        *,
        revision: int | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> UnitView:
        """Give a unit another definition."""
        made = definition(name, spec, labels)
        return await self.ask(
            lambda reply: ReplaceUnit(name=name, definition=made, expected_revision=revision, reply_to=reply)
        )

    async def start(self, name: str, *, wait: bool = False, timeout: float = TIMEOUT) -> UnitView:
        """Start a unit."""
        return await self.ask(lambda reply: StartUnit(name=name, wait=wait, reply_to=reply), timeout)

    async def stop(self, name: str, *, wait: bool = False, now: bool = False, timeout: float = TIMEOUT) -> UnitView:
        """Stop a unit."""
        return await self.ask(lambda reply: StopUnit(name=name, wait=wait, now=now, reply_to=reply), timeout)

    async def restart(self, name: str, *, wait: bool = False, timeout: float = TIMEOUT) -> UnitView:
        """Restart a unit."""
        return await self.ask(lambda reply: RestartUnit(name=name, wait=wait, reply_to=reply), timeout)

    async def signal(self, name: str, signal: str, *, whole_group: bool = True) -> UnitView:
        """Signal a unit."""
        return await self.ask(
            lambda reply: SignalUnit(name=name, signal=SignalName(signal), whole_group=whole_group, reply_to=reply)
        )

    async def pause(self, name: str) -> UnitView:
        """Pause a unit."""
        return await self.ask(lambda reply: PauseUnit(name=name, reply_to=reply))

    async def resume(self, name: str) -> UnitView:
        """Let a unit run on."""
        return await self.ask(lambda reply: ResumeUnit(name=name, reply_to=reply))

    async def delete(self, name: str, *, force: bool = False, revision: int | None = None) -> None:
        """Forget a unit."""
        await self.ask(lambda reply: DeleteUnit(name=name, force=force, expected_revision=revision, reply_to=reply))

    async def get(self, name: str) -> UnitView:
        """Look at a unit."""
        return await self.ask(lambda reply: GetUnit(name=name, reply_to=reply))


def definition(name: str, spec: AgentSpec | None = None, labels: Mapping[str, str] | None = None) -> AgentDefinition:
    """Define an agent; without a spec, its command is its name."""
    return AgentDefinition(name=name, spec=spec or AgentSpec(command=(name,)), labels=labels or {})


@asynccontextmanager
async def running_units(
    services: UnitServices, shelf: Shelf | None = None, *, store_mailbox: int = 100_000
) -> AsyncIterator[Units]:
    """Run a tree of store, keepers and directory; leaving the block stops it in order, as a daemon does.

    Whether the units are stopped with it is said by ``services.departure``, as for a daemon.
    """
    found = shelf if shelf is not None else Shelf()
    store = memory_store(found, mailbox=store_mailbox)
    root = supervisor("hoody", strategy=Strategy.REST_FOR_ONE, children=(store, *unit_children(services)))
    async with trio.open_nursery() as nursery:
        system: System = await nursery.start(run, root)
        yield Units(system, services, found)
        system.shutdown("the block is over")
