"""Groups of units, on a fake computer in virtual time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from attrs import evolve, frozen

from supervisor.errors import AlreadyExists, InvalidInput, NotFound, StorageError
from supervisor.groups.actor import groups_child
from supervisor.groups.messages import (
    DefineGroup,
    ForgetGroup,
    GetGroup,
    ListGroups,
    RestartGroup,
    StartGroup,
    StopGroup,
)
from supervisor.groups.spec import GroupDefinition, GroupSpec, GroupState, GroupView
from supervisor.groups.table import GroupWatch
from supervisor.runtime import OnGiveUp, RestartType, Strategy, System, run, supervisor
from supervisor.units.directory import unit_children
from supervisor.units.driver import ExitStatus
from supervisor.units.quantities import Duration
from supervisor.units.services import UnitServices
from supervisor.units.spec import AgentSpec, BackoffSpec
from supervisor.units.status import State, UnitView
from supervisor.units.testing import FakeDriver, Program, Shelf, Units, fake_driver, memory_store

WEB = AgentSpec(command=("web",))


@frozen
class Groups:
    """A running tree with groups in it."""

    units: Units
    driver: FakeDriver

    async def ask(self, make: Any, timeout: float = 1000.0) -> Any:
        return await self.units.system.registry.ref("groups").ask(make, timeout=timeout)

    async def define(self, name: str, *members: str, replace: bool = False, **spec: Any) -> GroupView:
        made = GroupDefinition(name=name, spec=GroupSpec(members=members, **spec))
        view: GroupView = await self.ask(lambda reply: DefineGroup(definition=made, replace=replace, reply_to=reply))
        return view

    async def get(self, name: str) -> GroupView:
        view: GroupView = await self.ask(lambda reply: GetGroup(name=name, reply_to=reply))
        return view

    async def start(self, name: str) -> GroupView:
        view: GroupView = await self.ask(lambda reply: StartGroup(name=name, wait=True, reply_to=reply))
        return view

    async def stop(self, name: str) -> GroupView:
        view: GroupView = await self.ask(lambda reply: StopGroup(name=name, reply_to=reply))
        return view

    async def unit(self, name: str, state: State = State.RUNNING) -> UnitView:
        with trio.fail_after(1000):
            while (view := await self.units.get(name)).status.state is not state:  # noqa: ASYNC110 - as a client looks
                await trio.sleep(0.01)
        return view

    async def reaches(self, name: str, state: GroupState) -> GroupView:
        with trio.fail_after(1000):
            while (view := await self.get(name)).state is not state:  # noqa: ASYNC110 - as a client looks
                await trio.sleep(0.01)
        return view

    @property
    def starts(self) -> list[str]:
        return [launch.unit for launch in self.driver.launches]


@asynccontextmanager
async def tree(driver: FakeDriver, shelf: Shelf) -> AsyncIterator[Groups]:
    services = UnitServices(driver=driver)
    watch = GroupWatch(services)
    children = (memory_store(shelf), groups_child(watch), *unit_children(services))
    root = supervisor("hoody", strategy=Strategy.REST_FOR_ONE, children=children)
    async with trio.open_nursery() as nursery:
        system: System = await nursery.start(run, root)
        yield Groups(Units(system, services, shelf), driver)
        system.shutdown("the block is over")


@pytest.fixture
async def driver(virtual_time: None) -> AsyncIterator[FakeDriver]:
    async with fake_driver(
        web=Program(),
        polite=Program(code_on_term=0, ends_after=1.0),
        crashes=Program(runs_for=0.2, ends=ExitStatus(code=1)),
        slow=Program(starts_in=3.0),
    ) as computer:
        yield computer


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def groups(driver: FakeDriver, shelf: Shelf) -> AsyncIterator[Groups]:
    async with tree(driver, shelf) as found:
        yield found


async def pipeline(groups: Groups, strategy: Strategy, **spec: Any) -> None:
    for name in ("a", "b", "c"):
        await groups.units.create(name, WEB, start=False)
    await groups.define("pipe", "a", "b", "c", strategy=strategy, **spec)
    assert (await groups.start("pipe")).state is GroupState.UP
    assert groups.starts == ["a", "b", "c"]


@pytest.mark.parametrize("strategy", [*Strategy])
async def test_the_members_are_started_one_after_the_other_in_their_order(groups: Groups, strategy: Strategy) -> None:
    for name in ("z", "m", "a"):
        await groups.units.create(name, evolve(WEB, start_seconds=Duration(2)), start=False)
    view = await groups.define("pipe", "z", "m", "a", strategy=strategy)
    assert view.state is GroupState.STOPPED
    began = trio.current_time()

    view = await groups.start("pipe")

    assert view.state is GroupState.UP
    assert groups.starts == ["z", "m", "a"]
    assert trio.current_time() - began == pytest.approx(6, abs=0.1)


@pytest.mark.parametrize(
    ("strategy", "victim", "restarted"),
    [
        (Strategy.ONE_FOR_ONE, "b", ["b"]),
        (Strategy.REST_FOR_ONE, "a", ["a", "b", "c"]),
        (Strategy.REST_FOR_ONE, "b", ["b", "c"]),
        (Strategy.REST_FOR_ONE, "c", ["c"]),
        (Strategy.ONE_FOR_ALL, "c", ["a", "b", "c"]),
    ],
)
async def test_the_strategy_says_who_is_restarted_with_a_member_that_fails(
    groups: Groups, strategy: Strategy, victim: str, restarted: list[str]
) -> None:
    await pipeline(groups, strategy)
    before = {process.unit: process for process in groups.driver.live()}

    groups.driver.kill(victim)
    await trio.sleep(0.05)
    view = await groups.reaches("pipe", GroupState.UP)

    assert groups.starts[3:] == restarted
    assert {name for name, process in before.items() if not process.alive} == set(restarted)
    assert view.restarts == 1
    assert groups.driver.doubled == set()
    for name in set(restarted) - {victim}:
        assert (await groups.unit(name)).status.restarts == 0


async def test_the_others_are_ended_in_reverse_order_before_anybody_comes_back(groups: Groups) -> None:
    for name in ("a", "b", "c"):
        await groups.units.create(name, AgentSpec(command=("polite",)), start=False)
    await groups.define("pipe", "a", "b", "c", strategy=Strategy.ONE_FOR_ALL)
    await groups.start("pipe")
    first = {process.unit: process for process in groups.driver.live()}

    groups.driver.kill("a")
    await trio.sleep(0.5)
    assert first["c"].signals
    assert not first["b"].signals
    assert "its group pipe" in (await groups.units.get("a")).status.reason
    await trio.sleep(1)
    assert first["b"].signals
    assert groups.starts == ["a", "b", "c"]
    await groups.reaches("pipe", GroupState.UP)

    assert groups.starts[3:] == ["a", "b", "c"]


async def test_a_member_that_keeps_failing_is_tried_again_by_its_own_policy(groups: Groups) -> None:
    backoff = BackoffSpec(initial=Duration(10), factor=1.0, jitter=0)
    await groups.units.create("a", WEB, start=False)
    await groups.units.create(
        "b", AgentSpec(command=("crashes",), start_seconds=Duration(0), backoff=backoff), start=False
    )
    await groups.define("pipe", "a", "b", strategy=Strategy.REST_FOR_ONE)
    await groups.start("pipe")
    await trio.sleep(35)

    assert groups.starts == ["a", "b", "b", "b", "b", "b"]
    assert (await groups.get("pipe")).members[1].restarts == 5


async def test_what_somebody_does_with_one_member_concerns_nobody_else(groups: Groups) -> None:
    await pipeline(groups, Strategy.ONE_FOR_ALL)

    await groups.units.restart("a", wait=True)
    await groups.units.stop("b", wait=True)
    assert (await groups.get("pipe")).state is GroupState.UP
    await groups.units.start("b", wait=True)

    assert groups.starts == ["a", "b", "c", "a", "b"]
    assert (await groups.get("pipe")).restarts == 0


async def test_a_stopped_member_stays_stopped_when_the_others_are_restarted(groups: Groups) -> None:
    await pipeline(groups, Strategy.ONE_FOR_ALL)
    await groups.units.stop("b", wait=True)

    groups.driver.kill("a")
    await trio.sleep(0.1)
    await groups.reaches("pipe", GroupState.UP)

    assert groups.starts[3:] == ["a", "c"]


async def test_a_group_is_stopped_in_the_reverse_order_and_started_in_its_own(groups: Groups) -> None:
    for name in ("a", "b"):
        await groups.units.create(name, AgentSpec(command=("polite",)), start=False)
    await groups.define("pipe", "a", "b", strategy=Strategy.REST_FOR_ONE)
    await groups.start("pipe")
    a = groups.driver.only("a")
    began = trio.current_time()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(groups.stop, "pipe")
        await trio.sleep(0.9)
        assert not a.signals

    assert trio.current_time() - began == pytest.approx(2, abs=0.1)
    assert (await groups.get("pipe")).state is GroupState.STOPPED
    view = await groups.ask(lambda reply: RestartGroup(name="pipe", wait=True, reply_to=reply))
    assert view.state is GroupState.UP
    assert groups.starts == ["a", "b", "a", "b"]


async def test_a_member_that_gives_up_and_escalates_ends_its_group(groups: Groups) -> None:
    gives_up = AgentSpec(command=("crashes",), start_seconds=Duration(0), max_restarts=1, on_give_up=OnGiveUp.ESCALATE)
    await groups.units.create("a", WEB, start=False)
    await groups.units.create("b", gives_up, start=False)
    await groups.units.create("c", WEB, start=False)
    await groups.define("pipe", "a", "b", "c")
    await groups.start("pipe")

    view = await groups.reaches("pipe", GroupState.FAILED)

    assert "agents/b" in view.reason
    a = await groups.unit("a", State.STARTING)
    assert "has failed: start it again (hoody groups start pipe)" in a.status.reason
    await trio.sleep(10)
    assert groups.driver.live() == []
    groups.driver.programs["crashes"] = Program()
    view = await groups.start("pipe")
    assert view.state is GroupState.UP


async def test_too_many_failures_of_a_member_are_for_the_group_to_judge(groups: Groups) -> None:
    quick = AgentSpec(
        command=("crashes",),
        start_seconds=Duration(0),
        backoff=BackoffSpec(initial=Duration(0.1), factor=1.0, jitter=0),
    )
    await groups.units.create("a", WEB, start=False)
    await groups.units.create("b", quick, start=False)
    await groups.define("pipe", "a", "b", max_restarts=3, on_give_up=OnGiveUp.ESCALATE)
    await groups.start("pipe")

    view = await groups.reaches("pipe", GroupState.FAILED)

    assert "kept failing" in view.reason
    assert groups.driver.live() == []


async def test_a_group_in_a_group_fails_to_it_and_is_restarted_by_it(groups: Groups) -> None:
    gives_up = AgentSpec(
        command=("crashes",),
        start_seconds=Duration(0),
        max_restarts=1,
        on_give_up=OnGiveUp.ESCALATE,
        backoff=BackoffSpec(initial=Duration(5), jitter=0),
    )
    for name, spec in (("a", WEB), ("b", gives_up), ("c", WEB)):
        await groups.units.create(name, spec, start=False)
    groups.driver.programs["crashes"] = (
        Program(runs_for=2, ends=ExitStatus(code=1)),
        Program(runs_for=2, ends=ExitStatus(code=1)),
        Program(),
    )
    await groups.define("inner", "b")
    await groups.define("outer", "a", "groups/inner", "c", strategy=Strategy.REST_FOR_ONE)
    view = await groups.start("outer")
    assert view.state is GroupState.UP
    assert groups.starts == ["a", "b", "c"]
    await trio.sleep(30)

    outer, inner = await groups.get("outer"), await groups.get("inner")
    assert [(member.address, member.restarts) for member in outer.members] == [
        ("agents/a", 0),
        ("groups/inner", 1),
        ("agents/c", 0),
    ]
    assert (outer.state, inner.state) == (GroupState.UP, GroupState.UP)
    assert groups.starts == ["a", "b", "c", "b", "b", "c"]


async def test_a_group_that_contains_others_is_stopped_and_started_whole(groups: Groups) -> None:
    for name in ("a", "b", "c"):
        await groups.units.create(name, WEB, start=False)
    await groups.define("inner", "b")
    await groups.define("outer", "a", "groups/inner", "c", strategy=Strategy.REST_FOR_ONE)
    await groups.start("outer")

    view = await groups.stop("outer")
    assert (view.state, groups.driver.live()) == (GroupState.STOPPED, [])
    view = await groups.start("outer")

    assert view.state is GroupState.UP
    assert groups.starts == ["a", "b", "c"] * 2
    with pytest.raises(InvalidInput, match="is a member of the group 'outer'"):
        await groups.ask(lambda reply: ForgetGroup(name="inner", reply_to=reply))
    groups.driver.kill("a")
    await trio.sleep(0.1)
    await groups.reaches("outer", GroupState.UP)
    assert groups.starts[6:] == ["a", "b", "c"]


# ---- over restarts ----


async def test_at_the_start_of_the_daemon_the_members_are_started_in_their_order(
    driver: FakeDriver, shelf: Shelf
) -> None:
    async with tree(driver, shelf) as groups:
        for name in ("z", "m", "a"):
            await groups.units.create(name, WEB, start=False)
        await groups.define("pipe", "z", "m", "a", strategy=Strategy.REST_FOR_ONE)
        await groups.start("pipe")
        groups.units.services.departure.take_units = True
    driver.launches.clear()

    async with tree(driver, shelf) as groups:
        await groups.reaches("pipe", GroupState.UP)
        assert groups.starts == ["z", "m", "a"]
        driver.kill("m")
        await trio.sleep(0.1)
        await groups.reaches("pipe", GroupState.UP)
        assert groups.starts[3:] == ["m", "a"]


async def test_when_the_keeper_of_groups_fails_what_runs_runs_on_and_is_supervised_again(groups: Groups) -> None:
    await pipeline(groups, Strategy.ONE_FOR_ALL)
    pids = {process.pid for process in groups.driver.live()}

    groups.units.system.registry.ref("groups").tell("nonsense")
    await trio.sleep(5)
    assert pids == {process.pid for process in groups.driver.live()}
    groups.driver.kill("a")
    await trio.sleep(0.1)
    await groups.reaches("pipe", GroupState.UP)

    assert sorted(groups.starts[3:]) == ["a", "b", "c"]


# ---- definitions ----


async def test_a_group_that_cannot_be_is_refused_with_every_fault(groups: Groups) -> None:
    for name in ("a", "b"):
        await groups.units.create(name, WEB, start=False)
    await groups.define("one", "a")

    with pytest.raises(InvalidInput) as caught:
        await groups.define("two", "a", "ghost", "groups/none")
    assert [str(problem) for problem in caught.value.problems] == [
        "members[0]: 'a' is a member of the group 'one' already",
        "members[1]: there is no unit 'ghost'",
        "members[2]: there is no group 'groups/none'",
    ]
    with pytest.raises(InvalidInput, match="a group cannot contain itself"):
        await groups.define("loop", "groups/loop")
    with pytest.raises(AlreadyExists):
        await groups.define("one", "b")
    with pytest.raises(NotFound, match="there is no group 'on'"):
        await groups.define("on", "b", replace=True)
    with pytest.raises(ValueError, match="twice"):
        GroupSpec(members=("a", "agents/a"))
    with pytest.raises(ValueError, match="at least one"):
        GroupSpec(members=())


async def test_a_group_that_cannot_be_written_is_not_there(groups: Groups, shelf: Shelf) -> None:
    await groups.units.create("a", WEB, start=False)
    shelf.broken = "the disk is full"

    with pytest.raises(StorageError):
        await groups.define("one", "a")

    assert await groups.ask(lambda reply: ListGroups(reply_to=reply)) == ()


async def test_a_group_that_is_forgotten_leaves_its_members_running_and_free(groups: Groups, shelf: Shelf) -> None:
    await pipeline(groups, Strategy.ONE_FOR_ALL)

    await groups.ask(lambda reply: ForgetGroup(name="pipe", reply_to=reply))
    groups.driver.kill("a")
    await trio.sleep(3)

    assert groups.starts[3:] == ["a"]
    assert shelf.documents == {}


async def test_a_new_definition_takes_over_what_runs(groups: Groups) -> None:
    await pipeline(groups, Strategy.ONE_FOR_ONE)

    view = await groups.define("pipe", "a", "c", replace=True, strategy=Strategy.ONE_FOR_ALL)
    assert view.state is GroupState.UP
    groups.driver.kill("c")
    await trio.sleep(0.1)
    await groups.reaches("pipe", GroupState.UP)

    assert groups.starts[3:] == ["a", "c"]


async def test_a_deleted_member_is_missed_by_nobody(groups: Groups) -> None:
    await pipeline(groups, Strategy.REST_FOR_ONE)

    await groups.units.delete("b", force=True)
    groups.driver.kill("a")
    await trio.sleep(0.1)
    view = await groups.reaches("pipe", GroupState.UP)

    assert groups.starts[3:] == ["a", "c"]
    assert [member.state for member in view.members] == [State.RUNNING, None, State.RUNNING]


@pytest.mark.parametrize("restart", [RestartType.TEMPORARY, RestartType.TRANSIENT])
async def test_a_job_in_a_group_that_has_done_its_work_holds_nobody_up(groups: Groups, restart: RestartType) -> None:
    groups.driver.programs["job"] = Program(runs_for=1.5, ends=ExitStatus(code=0))
    await groups.units.create("seed", AgentSpec(command=("job",), restart=restart), start=False)
    await groups.units.create("app", WEB, start=False)
    await groups.define("pipe", "seed", "app", strategy=Strategy.REST_FOR_ONE)

    await groups.start("pipe")
    await trio.sleep(5)

    assert groups.starts == ["seed", "app"]
    assert (await groups.get("pipe")).state is GroupState.UP
