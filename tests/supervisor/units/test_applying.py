"""Applying a declaration: all of it in one transaction, or nothing; what need not be restarted runs on."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
import trio
from attrs import evolve

from supervisor.declared import Action
from supervisor.errors import AlreadyExists, Conflict, HoodyError, NotFound, StorageError
from supervisor.store.messages import SaveUnits
from supervisor.units.actor import UnitActor
from supervisor.units.messages import Applied, ApplyUnits, ListUnits
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Desired, State, UnitView
from supervisor.units.testing import FakeDriver, Units
from supervisor.units.testing.tree import definition

SOURCE = "/home/somebody/hoody.toml"


async def apply(units: Units, *names: Any, prune: bool = False, dry_run: bool = False, source: str = SOURCE) -> Applied:
    definitions = tuple(definition(each) if isinstance(each, str) else each for each in names)
    return await units.ask(
        lambda reply: ApplyUnits(definitions=definitions, source=source, prune=prune, dry_run=dry_run, reply_to=reply)
    )


async def listed(units: Units) -> dict[str, UnitView]:
    views: tuple[UnitView, ...] = await units.ask(lambda reply: ListUnits(reply_to=reply))
    return {view.name: view for view in views}


def actions(applied: Applied) -> dict[str, Action]:
    return {change.name: change.action for change in applied.plan.changes}


async def test_what_is_declared_is_created_in_one_transaction_and_started(units: Units) -> None:
    applied = await apply(units, "web", "polite")
    await trio.sleep(2)

    (written,) = [each for each in units.shelf.log if isinstance(each, SaveUnits)]
    assert [record.name for record in written.records] == ["polite", "web"]
    assert actions(applied) == {"polite": Action.CREATE, "web": Action.CREATE}
    assert {name: view.status.state for name, view in (await listed(units)).items()} == {
        "polite": State.RUNNING,
        "web": State.RUNNING,
    }
    assert units.shelf.record("web").source == SOURCE


async def test_a_second_apply_does_nothing(units: Units) -> None:
    await apply(units, "web", "polite")
    before, log = await listed(units), len(units.shelf.log)
    applied = await apply(units, "web", "polite", prune=True)

    assert applied.plan.empty
    assert {name: view.revision for name, view in before.items()} == {"polite": 1, "web": 1}
    assert not [each for each in units.shelf.log[log:] if isinstance(each, SaveUnits)]


async def test_only_what_differs_is_restarted(units: Units, driver: FakeDriver) -> None:
    await apply(units, "web", "polite", "family")
    await trio.sleep(2)
    before = await listed(units)
    other = evolve(definition("polite"), spec=AgentSpec(command=("web",)))
    await apply(units, definition("web", labels={"a": "b"}), other, "family")
    await trio.sleep(10)
    after = await listed(units)

    assert after["web"].status.pid == before["web"].status.pid
    assert after["family"] is before["family"]
    assert after["web"].labels == {"a": "b"}
    assert after["polite"].status.incarnation == before["polite"].status.incarnation + 1
    assert [after[name].revision for name in ("web", "polite", "family")] == [2, 2, 1]


async def test_a_dry_run_changes_nothing(units: Units) -> None:
    applied = await apply(units, "web", dry_run=True)

    assert actions(applied) == {"web": Action.CREATE}
    assert await listed(units) == {}
    assert units.shelf.records == {}


async def test_pruning_removes_what_was_declared_from_there_and_nothing_else(units: Units, driver: FakeDriver) -> None:
    await units.create("family")
    await apply(units, "stubborn", source="elsewhere")
    await apply(units, "web", "polite")
    await trio.sleep(2)
    applied = await apply(units, "web", prune=True)

    assert actions(applied) == {"polite": Action.DELETE, "web": Action.UNCHANGED}
    assert applied.failures == {}
    assert set(await listed(units)) == {"family", "stubborn", "web"}
    assert ("polite" in {name for _, name in units.shelf.records}) is False


async def test_what_a_user_stopped_stays_stopped(units: Units) -> None:
    await apply(units, "web")
    await units.stop("web", wait=True)
    await apply(units, definition("web", AgentSpec(command=("polite",))))
    await trio.sleep(5)
    view = await units.get("web")

    assert (view.status.state, view.status.desired) == (State.STOPPED, Desired.STOPPED)
    assert view.spec.command == ("polite",)


async def test_what_cannot_be_written_down_changes_nothing(units: Units) -> None:
    await apply(units, "web")
    await trio.sleep(2)
    before = await listed(units)
    units.shelf.broken = "the disk is full"

    with pytest.raises(StorageError, match="the disk is full"):
        await apply(units, "polite", definition("web", AgentSpec(command=("stubborn",))))

    assert await listed(units) == before
    units.shelf.broken = None
    await units.restart("web", wait=True)
    assert (await units.get("web")).spec.command == ("web",)


async def test_a_failure_half_way_takes_everything_back(units: Units, monkeypatch: pytest.MonkeyPatch) -> None:
    await apply(units, "web")
    await trio.sleep(2)
    before, records = await listed(units), dict(units.shelf.records)
    start = UnitActor.pre_start

    async def fail(self: UnitActor, context: Any) -> None:
        if self.name == "polite":
            raise RuntimeError("boom")
        await start(self, context)

    monkeypatch.setattr(UnitActor, "pre_start", fail)
    with pytest.raises(HoodyError, match="boom"):
        await apply(units, "family", "polite", "stubborn", definition("web", AgentSpec(command=("stubborn",))))
    await trio.sleep(20)

    assert {name: evolve(view, status=before[name].status) for name, view in (await listed(units)).items()} == before
    assert {key: evolve(record, progress=records[key].progress) for key, record in units.shelf.records.items()} == (
        records
    )
    assert (await units.get("web")).status.pid == before["web"].status.pid
    monkeypatch.undo()
    await apply(units, "family", "polite")
    await units.start("family", wait=True)


async def test_wishes_that_come_meanwhile_are_carried_out_afterwards(units: Units) -> None:
    await apply(units, "web")
    await trio.sleep(2)
    units.shelf.delay = 1.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(apply, units, definition("web", AgentSpec(command=("polite",))))
        await trio.sleep(0.5)
        view = await units.stop("web", wait=True)

    assert (view.status.state, view.spec.command, view.revision) == (State.STOPPED, ("polite",), 2)
    assert units.shelf.record("web").desired is Desired.STOPPED


async def test_two_applies_at_once_are_both_whole(units: Units) -> None:
    await apply(units, "web", "polite")
    units.shelf.delay = 1.0
    outcomes: list[str] = []

    async def go(program: str) -> None:
        spec = AgentSpec(command=(program,))
        try:
            await apply(units, definition("web", spec), definition("polite", spec))
            outcomes.append("done")
        except Conflict as error:
            outcomes.append(str(error))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(go, "family")
        nursery.start_soon(go, "stubborn")

    assert sorted(outcomes) == ["'polite' is being applied at this moment", "done"]
    views = await listed(units)
    assert views["web"].spec == views["polite"].spec


async def test_a_change_that_was_quicker_is_taken_into_account(units: Units) -> None:
    await apply(units, "web")
    units.shelf.delay = 1.0
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: units.replace("web", AgentSpec(command=("family",))))
        await trio.sleep(0.5)
        applied = await apply(units, definition("web", AgentSpec(command=("polite",))), "family")

    views = await listed(units)
    assert actions(applied) == {"family": Action.CREATE, "web": Action.REPLACE}
    assert (views["web"].spec.command, views["web"].revision) == (("polite",), 3)


async def test_a_keeper_that_fails_before_it_is_written_makes_the_whole_fail(
    units: Units, monkeypatch: pytest.MonkeyPatch
) -> None:
    await apply(units, "web", "polite")
    await trio.sleep(2)
    units.shelf.delay = 1.0
    spec = AgentSpec(command=("family",))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: units.stop("polite"))  # its keeper is busy with that for a while
        await trio.sleep(0.3)

        async def go() -> None:
            with pytest.raises(HoodyError):
                await apply(units, definition("web", spec), definition("polite", spec))

        nursery.start_soon(go)
        await trio.sleep(0.3)

        def fail(*_args: object) -> None:
            raise RuntimeError("boom")

        monkeypatch.setattr(UnitActor, "_receive", fail)
        web = units.system.registry.ref("agents/web")
        web.tell("anything")
        while not web.stopped:  # noqa: ASYNC110 - on the virtual clock
            await trio.sleep(0.001)
        monkeypatch.undo()
    views = await listed(units)

    assert {view.spec.command for view in views.values()} == {("web",), ("polite",)}
    assert {record.spec.command for record in units.shelf.records.values()} == {("web",), ("polite",)}


async def test_a_name_that_differs_only_in_case_is_refused_before_anything_is_done(units: Units) -> None:
    await units.create("web")

    with pytest.raises(AlreadyExists, match="upper and lower case"):
        await apply(units, "Web", "polite")

    assert set(await listed(units)) == {"web"}


async def test_a_unit_that_was_applied_is_deleted_by_hand_like_any_other(units: Units) -> None:
    await apply(units, "web")
    await units.delete("web", force=True)

    with pytest.raises(NotFound):
        await units.get("web")


@pytest.mark.parametrize("after", [step / 4 for step in range(17)])
async def test_a_directory_that_fails_at_any_moment_leaves_what_is_kept_and_what_is_on_disk_the_same(
    units: Units, monkeypatch: pytest.MonkeyPatch, after: float
) -> None:
    await apply(units, "web", "polite")
    await trio.sleep(2)
    units.shelf.delay = 1.0
    spec = AgentSpec(command=("family",))

    async def go() -> None:
        with suppress(HoodyError):
            await apply(units, definition("web", spec), "stubborn", prune=True)

    async def stop() -> None:
        with suppress(HoodyError):
            await units.stop("web")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stop)  # the keeper of web is busy with that for a while
        nursery.start_soon(go)
        await trio.sleep(after)
        directory = units.directory
        directory.tell("nonsense")  # type: ignore[arg-type]
        while units.system.registry.whereis("agents") in (directory, None):  # noqa: ASYNC110 - on the virtual clock
            await trio.sleep(0.01)
    units.shelf.delay = 0.0
    await trio.sleep(30)
    views = await listed(units)

    assert {name: (view.spec, view.revision) for name, view in views.items()} == {
        name: (record.spec, record.revision) for (_, name), record in units.shelf.records.items()
    }
    assert (views["web"].spec == spec) == ("stubborn" in views)
    await apply(units, definition("web", spec), "stubborn", prune=True)
    assert set(await listed(units)) == {"web", "stubborn"}
