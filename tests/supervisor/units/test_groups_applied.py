"""Groups in an apply: with their agents in one transaction, started in their order, or everything as it was."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from supervisor.errors import HoodyError, InvalidInput, NotFound, StorageError
from supervisor.groups.actor import groups_child
from supervisor.groups.messages import DefineGroup, GetGroup
from supervisor.groups.spec import GroupDefinition, GroupSpec, GroupState, GroupView
from supervisor.groups.table import GroupWatch
from supervisor.runtime import Strategy, System, run, supervisor
from supervisor.store.messages import SaveUnits
from supervisor.units.actor import UnitActor
from supervisor.units.directory import unit_children
from supervisor.units.messages import Applied, ApplyUnits, ListUnits
from supervisor.units.services import UnitServices
from supervisor.units.spec import AgentSpec
from supervisor.units.testing import FakeDriver, Program, Shelf, Units, fake_driver
from supervisor.units.testing.store import memory_store
from supervisor.units.testing.tree import definition

WEB = AgentSpec(command=("web",))
PIPE = ("sink", "filter", "source")


@pytest.fixture
async def driver(virtual_time: None) -> AsyncIterator[FakeDriver]:
    async with fake_driver(web=Program()) as computer:
        yield computer


@pytest.fixture
async def units(driver: FakeDriver) -> AsyncIterator[Units]:
    services, shelf = UnitServices(driver=driver), Shelf()
    children = (memory_store(shelf), groups_child(GroupWatch(services)), *unit_children(services))
    async with trio.open_nursery() as nursery:
        system: System = await nursery.start(
            run, supervisor("hoody", strategy=Strategy.REST_FOR_ONE, children=children)
        )
        yield Units(system, services, shelf)
        system.shutdown("the block is over")


async def apply(units: Units, *agents: str, prune: bool = False, **groups: tuple[str, ...]) -> Applied:
    wanted = tuple(
        GroupDefinition(name=name, spec=GroupSpec(members=members, strategy=Strategy.REST_FOR_ONE))
        for name, members in groups.items()
    )
    return await units.ask(
        lambda reply: ApplyUnits(
            definitions=tuple(definition(name, WEB) for name in agents),
            groups=wanted,
            source="here",
            prune=prune,
            dry_run=False,
            reply_to=reply,
        )
    )


async def group(units: Units, name: str) -> GroupView:
    keeper: Any = units.system.registry.ref("groups")
    view: GroupView = await keeper.ask(lambda reply: GetGroup(name=name, reply_to=reply), timeout=10)
    return view


async def reaches(units: Units, name: str, state: GroupState) -> GroupView:
    with trio.fail_after(1000):
        while (view := await group(units, name)).state is not state:  # noqa: ASYNC110 - as a client looks
            await trio.sleep(0.01)
    return view


async def test_a_group_and_its_agents_are_written_together_and_started_in_their_order(
    units: Units, driver: FakeDriver
) -> None:
    await apply(units, *PIPE, pipe=PIPE)
    await reaches(units, "pipe", GroupState.UP)

    (written,) = [each for each in units.shelf.log if isinstance(each, SaveUnits)]
    assert len(written.records) == 3
    assert [each[:2] for each in written.documents] == [("group", "pipe")]
    assert [launch.unit for launch in driver.launches] == list(PIPE)


async def test_a_group_that_is_changed_restarts_nothing_and_applied_again_nothing_is_written(
    units: Units, driver: FakeDriver
) -> None:
    await apply(units, *PIPE, pipe=PIPE)
    await reaches(units, "pipe", GroupState.UP)
    await apply(units, *PIPE, pipe=PIPE[:2], whole=("groups/pipe", "source"))
    view = await reaches(units, "whole", GroupState.UP)
    log = len(units.shelf.log)
    again = await apply(units, *PIPE, pipe=PIPE[:2], whole=("groups/pipe", "source"))

    assert [member.address for member in view.members] == ["groups/pipe", "agents/source"]
    assert len(driver.launches) == 3
    assert (again.plan.empty, again.groups.empty) == (True, True)
    assert not [each for each in units.shelf.log[log:] if isinstance(each, SaveUnits)]


async def test_what_cannot_be_written_changes_neither_agents_nor_groups(units: Units) -> None:
    await apply(units, *PIPE, pipe=PIPE)
    before = await reaches(units, "pipe", GroupState.UP)
    units.shelf.broken = "the disk is full"

    with pytest.raises(StorageError, match="the disk is full"):
        await apply(units, *PIPE, "more", pipe=PIPE[:1], others=("more",))

    units.shelf.broken = None
    assert await group(units, "pipe") == before
    with pytest.raises(NotFound):
        await group(units, "others")
    await apply(units, *PIPE, "more", pipe=PIPE[:1], others=("more",))
    await reaches(units, "others", GroupState.UP)


async def test_a_failure_half_way_takes_groups_back_too(units: Units, monkeypatch: pytest.MonkeyPatch) -> None:
    await apply(units, *PIPE, pipe=PIPE, old=("groups/pipe",))
    before, documents = await reaches(units, "pipe", GroupState.UP), dict(units.shelf.documents)

    async def fail(_self: UnitActor, _context: Any) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(UnitActor, "pre_start", fail)
    with pytest.raises(HoodyError, match="boom"):
        await apply(units, *PIPE, "more", prune=True, pipe=PIPE[:1], others=("more",))
    monkeypatch.undo()

    assert await reaches(units, "pipe", GroupState.UP) == before
    await reaches(units, "old", GroupState.UP)
    assert units.shelf.documents == documents
    with pytest.raises(NotFound):
        await group(units, "others")


async def test_pruning_forgets_a_group_with_its_agents_and_leaves_others_of_them(units: Units) -> None:
    await apply(units, *PIPE, pipe=PIPE)
    await reaches(units, "pipe", GroupState.UP)
    done = await apply(units, "sink", prune=True)

    views = await units.ask(lambda reply: ListUnits(reply_to=reply))
    assert [view.name for view in views] == ["sink"]
    assert done.groups.removed == ("pipe",)
    assert units.shelf.documents == {}
    assert (await units.restart("sink", wait=True)).status.waiting_for == ()


async def test_a_group_that_one_from_elsewhere_contains_is_not_removed(units: Units) -> None:
    await apply(units, *PIPE, pipe=PIPE)
    keeper: Any = units.system.registry.ref("groups")
    outer = GroupDefinition(name="outer", spec=GroupSpec(members=("groups/pipe",)))
    await keeper.ask(lambda reply: DefineGroup(definition=outer, replace=False, reply_to=reply), timeout=10)

    with pytest.raises(InvalidInput, match=r"groups\.outer"):
        await apply(units, *PIPE, prune=True)

    assert (await group(units, "pipe")).source == "here"


async def test_a_member_that_the_same_apply_removes_is_refused(units: Units) -> None:
    await apply(units, *PIPE)

    with pytest.raises(InvalidInput, match=r"groups\.pipe\.members"):
        await apply(units, "sink", prune=True, pipe=PIPE)

    assert len(await units.ask(lambda reply: ListUnits(reply_to=reply))) == 3
