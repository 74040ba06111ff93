"""The directory: names, definitions, lists and counts."""

from __future__ import annotations

import logging

import pytest
import trio
from attrs import evolve

from supervisor.errors import AlreadyExists, NotFound, RevisionMismatch, StorageError, Unavailable
from supervisor.runtime import Strategy, System, run, supervisor
from supervisor.store.messages import ForgetUnit
from supervisor.units.actor import UnitActor
from supervisor.units.directory import unit_children
from supervisor.units.messages import GetHealth, HealthCounts, ListUnits
from supervisor.units.services import UnitServices
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Desired, State, UnitView
from supervisor.units.testing import FakeDriver, Shelf, Units, memory_store, running_units


async def listed(units: Units) -> tuple[UnitView, ...]:
    return await units.ask(lambda reply: ListUnits(reply_to=reply))


async def counted(units: Units) -> HealthCounts:
    return await units.ask(lambda reply: GetHealth(reply_to=reply))


async def fill(services: UnitServices, number: int) -> Shelf:
    """Return a shelf with so many stopped units on it."""
    shelf = Shelf()
    async with running_units(services, shelf) as units:
        await units.create("web", start=False, labels={"team": "docs"})
    first = shelf.record("web")
    names = [f"unit{count:04}" for count in range(number)]
    shelf.records = {(first.kind, name): evolve(first, name=name) for name in names}
    return shelf


async def test_a_unit_is_on_disk_when_its_creation_is_answered(units: Units) -> None:
    view = await units.create("web", labels={"team": "docs"})

    record = units.shelf.record("web")
    assert (record.revision, record.desired, record.spec) == (1, Desired.RUNNING, view.spec)
    assert (view.revision, view.labels, view.created_at) == (1, {"team": "docs"}, record.created_at)
    assert view.status.state is State.STARTING


async def test_a_unit_can_be_defined_without_being_started(units: Units, driver: FakeDriver) -> None:
    view = await units.create("web", start=False)

    assert (view.status.state, view.status.desired) == (State.STOPPED, Desired.STOPPED)
    assert driver.launches == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("web", "the agent 'web' exists already"), ("Web", "'Web' differs from 'web' only in upper and lower case")],
)
async def test_a_name_that_is_taken_is_refused(units: Units, name: str, sentence: str) -> None:
    await units.create("web", start=False)

    with pytest.raises(AlreadyExists, match=sentence) as caught:
        await units.create(name)

    assert caught.value.hint
    assert len(units.shelf.records) == 1


async def test_of_two_creations_of_a_name_at_once_one_is_refused(units: Units) -> None:
    units.shelf.delay = 1.0
    outcomes: list[str] = []

    async def create() -> None:
        try:
            await units.create("web", start=False)
        except AlreadyExists as error:
            outcomes.append(str(error))
        else:
            outcomes.append("created")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(create)
        nursery.start_soon(create)

    assert sorted(outcomes) == ["created", "the agent 'web' is being created at this moment"]


async def test_a_creation_that_cannot_be_written_down_leaves_nothing(units: Units, driver: FakeDriver) -> None:
    units.shelf.broken = "the disk is full"

    with pytest.raises(StorageError, match="the disk is full"):
        await units.create("web")

    assert await listed(units) == ()
    assert driver.launches == []
    units.shelf.broken = None
    await units.create("web")


async def test_a_creation_whose_keeper_cannot_start_leaves_nothing(
    units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_args: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(UnitActor, "pre_start", fail)

    with pytest.raises(Exception, match="boom"):
        await units.create("web")

    assert await listed(units) == ()
    assert units.shelf.records == {}
    assert isinstance(units.shelf.log[-1], ForgetUnit)


async def test_an_unknown_name_is_told_with_the_nearest_known_one(units: Units) -> None:
    await units.create("website", start=False)

    for ask in (units.get, units.start, units.stop, units.restart, units.delete, units.replace):
        with pytest.raises(NotFound, match="there is no agent 'wbesite'") as caught:
            await ask("wbesite")
        assert caught.value.hint == "did you mean 'website'?"
    with pytest.raises(NotFound) as caught:
        await units.get("zzz")
    assert caught.value.hint is None


async def test_a_change_of_a_revision_that_is_outdated_is_refused(units: Units) -> None:
    await units.create("web", start=False)
    await units.replace("web", labels={"a": "b"}, revision=1)

    with pytest.raises(RevisionMismatch, match="'web' is at revision 2, not 1"):
        await units.replace("web", labels={"c": "d"}, revision=1)
    with pytest.raises(RevisionMismatch):
        await units.delete("web", revision=1)

    view = await units.get("web")
    assert (view.revision, view.labels) == (2, {"a": "b"})
    await units.delete("web", revision=2)


async def test_a_list_and_the_health_never_wait_for_the_disk(units: Units) -> None:
    await units.create("web", start=False)
    units.shelf.delay = 10.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(units.create, "other")
        nursery.start_soon(units.start, "web")
        await trio.sleep(1)
        with trio.fail_after(0.1):
            assert len(await listed(units)) == 1
            assert (await counted(units)).total == 1
        units.shelf.delay = 0.0


async def test_a_thousand_units_are_listed_by_one_message(services: UnitServices) -> None:
    shelf = await fill(services, 1000)

    async with running_units(services, shelf) as units:
        views = await listed(units)
        again = await listed(units)
        await units.start("unit0500")
        changed = await listed(units)

    assert [view.name for view in views] == [f"unit{number:04}" for number in range(1000)]
    assert again is views
    assert [view for view, old in zip(changed, views, strict=True) if view is not old] == [changed[500]]


async def test_the_health_counts_states_and_names_those_that_are_not_well(units: Units) -> None:
    await units.create("web")
    await units.create("idle", start=False)
    await units.create("nowhere")
    await units.create("gone", AgentSpec(command=("crashes",)))
    await trio.sleep(5)

    counts = await counted(units)

    assert counts.total == 4
    assert sum(counts.by_state.values()) == 4
    assert counts.by_state["RUNNING"] == 1
    assert (counts.unhealthy, counts.unhealthy_total) == (("gone", "nowhere"), 2)
    assert await counted(units) is counts


# ---- the directory itself comes and goes ----


async def crash_the_directory(units: Units) -> None:
    ref = units.directory
    ref.tell("nonsense")  # type: ignore[arg-type]
    with trio.fail_after(10):
        while units.system.registry.whereis("agents") in (ref, None):  # noqa: ASYNC110 - on the virtual clock
            await trio.sleep(0.001)


async def test_when_the_directory_crashes_no_unit_notices(units: Units, driver: FakeDriver) -> None:
    await units.create("web")
    before = await units.start("web", wait=True)
    keeper = units.system.registry.ref("agents/web")

    await crash_the_directory(units)

    assert await units.get("web") is before
    assert units.system.registry.ref("agents/web") is keeper
    assert len(driver.live()) == 1


async def test_a_deletion_that_the_directory_did_not_finish_is_finished_by_the_next(units: Units) -> None:
    await units.create("web", start=False)
    units.shelf.records.clear()

    await crash_the_directory(units)

    assert await listed(units) == ()
    assert units.system.registry.whereis("agents/web") is None


async def test_a_unit_that_is_on_disk_and_has_no_keeper_gets_one(units: Units) -> None:
    await units.create("web", start=False)
    record = units.shelf.record("web")
    units.shelf.records[record.kind, "other"] = evolve(record, name="other")

    await crash_the_directory(units)

    assert [view.name for view in await listed(units)] == ["other", "web"]
    assert (await units.start("other", wait=True)).status.state is State.RUNNING


async def test_one_unit_that_cannot_be_looked_after_does_not_keep_the_others_down(
    services: UnitServices, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = await fill(services, 3)
    healthy = UnitActor.pre_start

    async def fail_for_one(self: UnitActor, context: object) -> None:
        if self.name == "unit0001":
            raise RuntimeError("boom")
        await healthy(self, context)  # type: ignore[arg-type]

    monkeypatch.setattr(UnitActor, "pre_start", fail_for_one)
    with caplog.at_level(logging.ERROR, "hoody.units"):
        async with running_units(services, shelf) as units:
            views = await listed(units)
            with pytest.raises(Unavailable):
                await units.start("unit0001")

    assert [view.status.state for view in views] == [State.STOPPED, State.UNKNOWN, State.STOPPED]
    assert "boom" in views[1].status.reason
    assert "cannot be looked after" in caplog.text


async def test_without_a_store_the_directory_does_not_come_up(services: UnitServices) -> None:
    root = supervisor("hoody", strategy=Strategy.REST_FOR_ONE, children=unit_children(services))
    system = System()

    reason = await run(root, system=system)

    assert "store" in str(reason)
    assert memory_store(Shelf()).id == "store"
