"""Units that depend on each other: starts, ends, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from attrs import evolve

from supervisor.errors import InvalidInput, StorageError
from supervisor.runtime import ChildSpec, RestartType, Strategy, System, run, supervisor
from supervisor.units.departing import Departing
from supervisor.units.dependency import DependsOn, OnDependencyRestart, Until
from supervisor.units.directory import unit_children
from supervisor.units.messages import Applied, ApplyUnits
from supervisor.units.quantities import Duration
from supervisor.units.services import UnitServices
from supervisor.units.spec import AgentDefinition, AgentSpec, BackoffSpec
from supervisor.units.status import Desired, EndReason, Kind, State, UnitView
from supervisor.units.testing import FakeDriver, Shelf, Units, memory_store, running_units


def needs(program: str = "web", *, follow: bool = False, **others: str) -> AgentSpec:
    follows = OnDependencyRestart.RESTART if follow else OnDependencyRestart.IGNORE
    return AgentSpec(
        command=(program,),
        depends_on=DependsOn({name: Until(until) for name, until in others.items()}),
        on_dependency_restart=follows,
    )


async def reaches(units: Units, name: str, state: State) -> UnitView:
    with trio.fail_after(100):
        while (view := await units.get(name)).status.state is not state:  # noqa: ASYNC110 - as a client looks
            await trio.sleep(0.01)
    return view


def order(driver: FakeDriver) -> list[str]:
    return [launch.unit for launch in driver.launches]


async def test_a_unit_is_started_once_what_it_depends_on_is_ready(units: Units, driver: FakeDriver) -> None:
    await units.create("db", AgentSpec(command=("web",), start_seconds=Duration(5)), start=False)
    waiting = await units.create("app", needs(db="ready"))
    assert (waiting.status.state, waiting.status.waiting_for) == (State.STARTING, ("db",))
    assert waiting.status.reason == "waiting for db to be ready, but it is STOPPED: start it (hoody start db)"

    await units.start("db")
    await trio.sleep(4.9)
    assert (await units.get("app")).status.reason == "waiting for db to be ready (it is STARTING)"
    assert order(driver) == ["db"]
    await reaches(units, "app", State.RUNNING)

    assert order(driver) == ["db", "app"]
    assert (await units.get("app")).status.waiting_for == ()


@pytest.mark.parametrize(("until", "program"), [("started", "slow"), ("completed", "job")])
async def test_each_condition_is_waited_for(units: Units, driver: FakeDriver, until: str, program: str) -> None:
    once = AgentSpec(command=(program,), restart=RestartType.TRANSIENT, start_seconds=Duration(60))
    await units.create("db", once, start=False)
    await units.create("app", needs(db=until))

    await units.start("db")
    await trio.sleep(0.1)
    assert order(driver) == ["db"]
    await trio.sleep(4)

    assert order(driver) == ["db", "app"]


async def test_a_job_that_has_failed_has_not_completed(units: Units, driver: FakeDriver) -> None:
    await units.create("seed", AgentSpec(command=("crashes",), restart=RestartType.TEMPORARY))
    await units.create("app", needs(seed="completed"))
    await trio.sleep(10)

    view = await units.get("app")
    assert order(driver) == ["seed"]
    assert "it has failed: start it again (hoody start seed)" in view.status.reason


async def test_a_dependency_that_is_back_ends_a_backoff_early(units: Units, driver: FakeDriver) -> None:
    await units.create("db", needs())
    long = evolve(needs("crashes", db="ready"), backoff=BackoffSpec(initial=Duration(50), jitter=0))
    await units.create("app", long)
    await reaches(units, "app", State.BACKOFF)
    before = len(order(driver))

    await units.restart("db")
    await trio.sleep(3)

    assert order(driver)[before:] == ["db", "app"]


async def test_units_on_record_are_started_in_their_order_whatever_their_names(
    services: UnitServices, driver: FakeDriver
) -> None:
    shelf = Shelf()
    async with running_units(services, shelf) as units:
        await units.create("z-db", needs(), start=False)
        await units.create("m-api", needs(**{"z-db": "ready"}), start=False)
        await units.create("a-web", needs(**{"m-api": "ready"}), start=False)
    for name in ("z-db", "m-api", "a-web"):
        shelf.records[Kind.AGENT, name] = evolve(shelf.record(name), desired=Desired.RUNNING)

    async with running_units(UnitServices(driver=driver), shelf) as units:
        await reaches(units, "a-web", State.RUNNING)

    assert order(driver) == ["z-db", "m-api", "a-web"]


async def test_lower_priorities_are_started_first(services: UnitServices, driver: FakeDriver) -> None:
    shelf, one_by_one = Shelf(), trio.CapacityLimiter(1)
    async with running_units(services, shelf) as units:
        for name, priority in (("a", 300), ("b", 100), ("c", 0)):
            await units.create(name, evolve(needs("slow"), priority=priority), start=False)
    for key, record in shelf.records.items():
        shelf.records[key] = evolve(record, desired=Desired.RUNNING)

    async with running_units(UnitServices(driver=driver, starts=one_by_one), shelf) as units:
        await reaches(units, "a", State.RUNNING)
        assert order(driver) == ["c", "b", "a"]
        await applied(
            units,
            AgentDefinition(name="x", spec=evolve(needs(), priority=2)),
            AgentDefinition(name="y", spec=evolve(needs(), priority=1)),
        )
        await reaches(units, "x", State.RUNNING)

    assert order(driver)[3:] == ["y", "x"]


# ---- ends ----


async def test_a_unit_that_ignores_the_restarts_of_others_runs_on(units: Units, driver: FakeDriver) -> None:
    await units.create("db", needs())
    await units.create("app", needs(db="ready"))
    await reaches(units, "app", State.RUNNING)
    pid = driver.only("app").pid

    driver.kill("db")
    await trio.sleep(5)
    await units.restart("db", wait=True)
    await units.stop("db", wait=True)

    assert driver.only("app").pid == pid


async def test_a_unit_that_follows_is_ended_before_a_restart_and_started_after_it(
    units: Units, driver: FakeDriver
) -> None:
    await units.create("db", AgentSpec(command=("polite",)))
    await units.create("app", needs("polite", follow=True, db="ready"))
    await reaches(units, "app", State.RUNNING)
    db, app = driver.only("db"), driver.only("app")

    await units.restart("db")
    await trio.sleep(1)
    view = await units.get("db")
    assert (view.status.state, view.status.reason) == (
        State.RUNNING,
        "is ended once app is gone, which depends on it",
    )
    assert app.signals
    assert not db.signals
    await trio.sleep(3)
    assert not app.alive
    assert db.signals
    await reaches(units, "app", State.RUNNING)

    assert order(driver) == ["db", "app", "db", "app"]
    assert (await units.get("app")).status.counters.crashes == 0


async def test_a_restart_that_waits_its_turn_is_answered_when_it_is_done(units: Units, driver: FakeDriver) -> None:
    await units.create("db", AgentSpec(command=("polite",)))
    await units.create("app", needs("polite", follow=True, db="ready"))
    await reaches(units, "app", State.RUNNING)

    view = await units.restart("db", wait=True)

    assert (view.status.state, view.status.incarnation) == (State.RUNNING, 2)


async def test_what_is_stopped_stays_stopped_and_those_that_follow_wait_for_it(
    units: Units, driver: FakeDriver
) -> None:
    await units.create("db", needs())
    await units.create("app", needs(follow=True, db="started"))
    await reaches(units, "app", State.RUNNING)

    await units.stop("db", wait=True)
    await trio.sleep(5)

    app = await units.get("app")
    assert driver.live() == []
    assert (app.status.state, app.status.waiting_for) == (State.STARTING, ("db",))
    await units.start("db")
    await reaches(units, "app", State.RUNNING)


async def test_a_chain_is_ended_from_its_last_link(units: Units, driver: FakeDriver) -> None:
    await units.create("db", AgentSpec(command=("polite",)))
    await units.create("api", needs("polite", follow=True, db="ready"))
    await units.create("web", needs("polite", follow=True, api="ready"))
    await reaches(units, "web", State.RUNNING)
    began = trio.current_time()

    await units.stop("db", wait=True)

    assert trio.current_time() - began == pytest.approx(9.0, abs=0.2)
    assert [process.unit for process in driver.processes if not process.alive] == ["db", "api", "web"]


async def test_a_stop_in_a_hurry_does_not_wait_for_its_turn(units: Units, driver: FakeDriver) -> None:
    await units.create("db", needs())
    await units.create("app", needs("stubborn", follow=True, db="ready"))
    await reaches(units, "app", State.RUNNING)
    await units.stop("db")
    await trio.sleep(0.5)
    assert driver.live("db")
    began = trio.current_time()

    await units.stop("db", now=True, wait=True)

    assert trio.current_time() == began


async def test_a_start_ends_the_wait_for_a_turn_and_the_unit_runs(units: Units, driver: FakeDriver) -> None:
    await units.create("db", needs())
    await units.create("app", needs("polite", follow=True, db="ready"))
    await reaches(units, "app", State.RUNNING)

    await units.stop("db")
    await trio.sleep(0.5)
    await units.start("db", wait=True)
    await reaches(units, "app", State.RUNNING)

    assert len(driver.live("db")) == len(driver.live("app")) == 1


async def test_a_crash_takes_those_along_that_follow(units: Units, driver: FakeDriver) -> None:
    await units.create("db", needs())
    await units.create("app", needs(follow=True, db="ready"))
    await reaches(units, "app", State.RUNNING)

    driver.kill("db")
    await trio.sleep(0.5)
    await reaches(units, "app", State.RUNNING)

    view = await units.get("app")
    assert (view.status.incarnation, view.status.restarts) == (2, 0)
    assert view.status.exit is not None
    assert view.status.exit.reason is EndReason.RESTARTED


async def test_a_keeper_that_crashes_takes_nobody_along(units: Units, driver: FakeDriver) -> None:
    await units.create("db", needs())
    await units.create("app", needs(follow=True, db="ready"))
    await reaches(units, "app", State.RUNNING)
    pid = driver.only("app").pid

    units.system.registry.ref("agents/db").tell("nonsense")
    await trio.sleep(5)

    assert driver.only("app").pid == pid


async def test_a_dependent_that_does_not_end_is_not_waited_for_for_ever(units: Units, driver: FakeDriver) -> None:
    await units.create("db", needs())
    await units.create("app", needs("stuck", follow=True, db="ready"))
    await reaches(units, "app", State.RUNNING)
    began = trio.current_time()

    await units.stop("db", wait=True)

    assert trio.current_time() - began == pytest.approx(12.0, abs=0.2)


# ---- what is refused ----


async def test_a_dependency_that_does_not_exist_is_refused_with_the_nearest_name(units: Units) -> None:
    await units.create("database")

    with pytest.raises(InvalidInput, match="there is no unit 'databse'; did you mean 'database'") as caught:
        await units.create("app", needs(databse="ready"))

    assert caught.value.problems[0].path == "depends_on.databse"
    assert tuple(name for _, name in units.shelf.records) == ("database",)
    with pytest.raises(InvalidInput, match="there is no kind 'ships'"):
        await units.create("app", needs(**{"ships/db": "ready"}))


async def test_a_cycle_is_refused_and_named(units: Units) -> None:
    await units.create("a", start=False)
    await units.create("b", needs(a="ready"), start=False)
    await units.create("c", needs(b="ready"), start=False)

    with pytest.raises(InvalidInput, match="agents/a -> agents/c -> agents/b -> agents/a"):
        await units.replace("a", needs(c="started"))
    with pytest.raises(InvalidInput, match="agents/new -> agents/new"):
        await units.create("new", needs(new="ready"))

    assert units.shelf.record("a").spec.depends_on == {}
    await units.replace("a", needs())


async def test_of_two_changes_at_once_that_make_a_cycle_together_one_is_refused(units: Units) -> None:
    for name in ("a", "b"):
        await units.create(name, start=False)
    units.shelf.delay = 1.0
    refused: list[str] = []

    async def replace(name: str, other: str) -> None:
        try:
            await units.replace(name, needs(**{other: "ready"}))
        except InvalidInput:
            refused.append(name)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(replace, "a", "b")
        nursery.start_soon(replace, "b", "a")

    assert len(refused) == 1


async def test_what_could_not_be_written_binds_nobody(units: Units) -> None:
    for name in ("a", "b"):
        await units.create(name, start=False)
    units.shelf.broken = "the disk is full"
    with pytest.raises(StorageError):
        await units.replace("a", needs(b="ready"))
    with pytest.raises(StorageError):
        await units.create("c", needs(a="ready"))
    units.shelf.broken = None

    await units.replace("b", needs(a="ready"))

    assert units.services.relations.graph() == {"agents/b": ("agents/a",)}


async def test_a_new_definition_changes_what_is_waited_for(units: Units, driver: FakeDriver) -> None:
    await units.create("db", start=False)
    await units.create("app", needs(db="ready"))
    assert order(driver) == []

    await units.replace("app", needs())
    await reaches(units, "app", State.RUNNING)

    assert units.services.relations.graph() == {}


async def test_a_unit_whose_dependency_is_deleted_runs_on_and_says_what_it_misses_later(
    units: Units, driver: FakeDriver
) -> None:
    await units.create("db", needs())
    await units.create("app", needs(db="ready"))
    await reaches(units, "app", State.RUNNING)

    await units.delete("db", force=True)
    assert (await units.get("app")).status.state is State.RUNNING
    await units.restart("app")
    await trio.sleep(1)

    assert (await units.get("app")).status.reason == "waiting for db, which does not exist"
    await units.delete("app", force=True)
    assert units.services.relations.graph() == {}


# ---- the end of the daemon ----


@asynccontextmanager
async def departing(services: UnitServices) -> AsyncIterator[Units]:
    """Run a tree that takes its units along in their order when the block is left."""
    shelf = Shelf()
    children = (memory_store(shelf), *unit_children(services), ChildSpec("departing", Departing(services)))
    root = supervisor("hoody", strategy=Strategy.REST_FOR_ONE, children=children)
    async with trio.open_nursery() as nursery:
        system: System = await nursery.start(run, root)
        yield Units(system, services, shelf)
        services.departure.take_units = True
        system.shutdown("the block is over")


async def test_when_the_daemon_goes_down_dependents_end_first_and_others_meanwhile(
    services: UnitServices, driver: FakeDriver
) -> None:
    async with departing(services) as units:
        await units.create("db", needs("polite"))
        await units.create("app", needs("polite", db="ready"))
        await units.create("other", needs("polite"))
        await units.create("late", needs("polite", app="completed"))
        await reaches(units, "app", State.RUNNING)
        await reaches(units, "other", State.RUNNING)
        db, began = driver.only("db"), trio.current_time()
        ended: dict[str, float] = {}

        def note(name: str, view: UnitView | None) -> None:
            if view is not None and view.status.state is State.STOPPED:
                ended.setdefault(name, trio.current_time() - began)

        services.roster.watch(note)

    assert not db.alive
    assert {name: round(at) for name, at in ended.items()} == {"late": 0, "app": 3, "other": 3, "db": 6}
    assert {record.desired for record in units.shelf.records.values()} == {Desired.RUNNING}


async def test_a_dependent_that_cannot_be_ended_holds_the_daemon_up_only_for_its_time(
    services: UnitServices, driver: FakeDriver
) -> None:
    async with departing(services) as units:
        await units.create("db", needs())
        await units.create("app", needs("stuck", db="ready"))
        await reaches(units, "app", State.RUNNING)
        db, began = driver.only("db"), trio.current_time()

    assert not db.alive
    assert trio.current_time() - began < 60


async def test_in_a_hurry_all_are_ended_at_once(services: UnitServices, driver: FakeDriver) -> None:
    async with departing(services) as units:
        await units.create("db", needs("stubborn"))
        await units.create("app", needs("stubborn", db="ready"))
        await reaches(units, "app", State.RUNNING)
        began = trio.current_time()
        services.departure.hurried.set()

    assert driver.live() == []
    assert trio.current_time() - began < 1


async def test_units_that_are_left_running_are_not_ended(services: UnitServices, driver: FakeDriver) -> None:
    async with departing(services) as units:
        await units.create("db", needs())
        await units.create("app", needs(db="ready"))
        await reaches(units, "app", State.RUNNING)
        units.system.shutdown("left running")
        await trio.sleep(30)

    assert {process.unit for process in driver.live()} == {"db", "app"}


# ---- declared together ----


async def applied(units: Units, *definitions: AgentDefinition, dry_run: bool = False) -> Applied:
    return await units.ask(
        lambda reply: ApplyUnits(definitions=definitions, source="file", prune=True, dry_run=dry_run, reply_to=reply)
    )


async def test_units_of_one_document_may_depend_on_each_other_in_any_order(units: Units, driver: FakeDriver) -> None:
    await applied(
        units,
        AgentDefinition(name="a-web", spec=needs(api="ready")),
        AgentDefinition(name="api", spec=needs(db="ready")),
        AgentDefinition(name="db", spec=needs()),
    )
    await reaches(units, "a-web", State.RUNNING)

    assert order(driver) == ["db", "api", "a-web"]


@pytest.mark.parametrize("dry_run", [True, False])
async def test_a_document_with_a_circle_changes_nothing(units: Units, dry_run: bool) -> None:
    await units.create("db", needs(), start=False)

    with pytest.raises(InvalidInput, match=r"agents/\w+ -> agents/\w+ -> agents/"):
        await applied(
            units,
            AgentDefinition(name="app", spec=needs(db="ready")),
            AgentDefinition(name="db", spec=needs(app="ready")),
            dry_run=dry_run,
        )

    assert [name for _, name in units.shelf.records] == ["db"]
    assert units.services.relations.graph() == {}


async def test_a_document_must_not_drop_what_it_goes_on_to_need(units: Units) -> None:
    await applied(units, AgentDefinition(name="db", spec=needs()))

    with pytest.raises(InvalidInput, match="there is no unit 'db'"):
        await applied(units, AgentDefinition(name="app", spec=needs(db="ready")))

    assert [name for _, name in units.shelf.records] == ["db"]


async def test_a_document_that_cannot_be_written_binds_nobody(units: Units) -> None:
    units.shelf.broken = "the disk is full"

    with pytest.raises(StorageError):
        await applied(
            units, AgentDefinition(name="app", spec=needs(db="ready")), AgentDefinition(name="db", spec=needs())
        )

    assert units.services.relations.graph() == {}
