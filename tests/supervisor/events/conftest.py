"""A feed over a store in memory, with units to tell of."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from inspect import iscoroutinefunction
from typing import Any

import pytest
import trio
from attrs import define, evolve

from supervisor.events import EventLog, Retention
from supervisor.runtime import ChildSpec, Shutdown, System, run, supervisor
from supervisor.units.roster import Roster
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Kind, UnitStatus, UnitView
from supervisor.units.testing.store import Shelf, memory_store
from tests.supervisor.units.conftest import run_in_virtual_time

MORNING = datetime(2030, 1, 2, 6, tzinfo=UTC)


def a_view(name: str = "web", status: UnitStatus | None = None, **changes: Any) -> UnitView:
    view = UnitView(
        kind=Kind.AGENT,
        name=name,
        workspace=None,
        labels={},
        revision=1,
        created_at=MORNING,
        spec=AgentSpec(command=("sleep", "1"), environment={"KEY": "secret"}),
        status=status or UnitStatus(),
    )
    return evolve(view, **changes)


@define
class Feed:
    """What a test holds of it."""

    log: EventLog
    roster: Roster
    shelf: Shelf
    system: System

    async def settled(self) -> int:
        """Wait until all that has happened can be read; return the last number."""
        return (await self.log.snapshot()).number


class Wall:
    """A clock on the wall that goes with trio's."""

    def __call__(self) -> datetime:
        return MORNING + timedelta(seconds=trio.current_time())


@asynccontextmanager
async def a_feed(
    shelf: Shelf | None = None,
    *,
    retention: Retention | None = None,
    most_in_memory: int = 5000,
    most_unwritten: int = 50_000,
) -> AsyncIterator[Feed]:
    found, roster, system = shelf or Shelf(), Roster(Kind.AGENT), System()
    log = EventLog(wall=Wall(), retention=retention, most_in_memory=most_in_memory, most_unwritten=most_unwritten)
    log.watch(roster)
    children = [memory_store(found), ChildSpec("events", log.serve, shutdown=Shutdown.within(10))]
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(run, system=system), supervisor("root", children=children))
        yield Feed(log, roster, found, system)
        system.shutdown("the block is over")


StartFeed = Callable[..., AbstractAsyncContextManager[Feed]]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what starts feeds on a clock that jumps ahead; see the units' conftest for why it is done so."""
    for item in items:
        if "start_feed" in getattr(item, "fixturenames", ()) and iscoroutinefunction(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.trio(run=run_in_virtual_time), append=False)


@pytest.fixture
def start_feed() -> StartFeed:
    """Start feeds of one's own, on a clock that jumps ahead."""
    return a_feed


@pytest.fixture
def view() -> Callable[..., UnitView]:
    """Return a maker of views."""
    return a_view
