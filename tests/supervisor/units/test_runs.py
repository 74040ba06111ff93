"""Units that run by the clock, in virtual time that begins at eight in the morning."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
import trio
from attrs import define

from supervisor.errors import NotFound
from supervisor.runtime.policy import RestartType
from supervisor.units.quantities import Duration
from supervisor.units.schedule import Missed, Overlap, Schedule
from supervisor.units.services import UnitServices
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Desired, EndReason, State
from supervisor.units.testing import FakeDriver, Program, Shelf, Units, running_units
from tests.supervisor.units.player import MORNING


def timed(program: str = "job", cron: str = "*/5 * * * *", **more: Any) -> AgentSpec:
    schedule = Schedule(cron=cron, timezone="UTC", **more)
    return AgentSpec(command=(program,), restart=RestartType.TEMPORARY, schedule=schedule, start_seconds=Duration(0))


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"{MORNING.date()}T{clock}:00+00:00")


async def test_between_its_runs_a_unit_with_a_schedule_is_at_rest(units: Units, driver: FakeDriver) -> None:
    view = await units.create("job", timed())
    assert (view.status.state, view.status.desired) == (State.STOPPED, Desired.RUNNING)
    assert (view.status.next_run_at, view.status.reason) == (at("08:05"), "next run at 2026-01-02 08:05:00 UTC")
    assert not driver.launches

    await trio.sleep(290)
    assert not driver.launches
    await trio.sleep(20)
    view = await units.get("job")

    assert len(driver.launches) == 1
    assert (view.status.state, view.status.next_run_at) == (State.EXITED, at("08:10"))
    assert view.status.reason == "exited with code 0 after 0.2 s; next run at 2026-01-02 08:10:00 UTC"
    await trio.sleep(3600)
    assert len(driver.launches) == 13
    assert (await units.get("job")).status.restarts == 0


async def test_a_run_that_fails_is_followed_by_the_next_one_in_its_time(units: Units, driver: FakeDriver) -> None:
    driver.programs["broken"] = Program(fails="no such folder: '/gone'")
    await units.create("job", timed("crashes"))
    await units.create("gone", timed("broken"))
    await trio.sleep(3605)

    assert [sum(launch.unit == name for launch in driver.launches) for name in ("job", "gone")] == [12, 12]
    view = await units.get("job")
    assert (view.status.state, view.status.counters.crashes) == (State.EXITED, 12)
    assert view.status.reason == "exited with code 1 after 0.2 s; next run at 2026-01-02 09:05:00 UTC"


async def test_a_start_waits_for_the_time_and_a_restart_does_not(units: Units, driver: FakeDriver) -> None:
    await units.create("job", timed(), start=False)
    assert (await units.get("job")).status.next_run_at is None
    started = await units.start("job", wait=True)
    again = await units.start("job", wait=True)
    assert started.status.next_run_at == again.status.next_run_at == at("08:05")
    assert not driver.launches

    await units.restart("job", wait=True)
    await trio.sleep(1)
    assert len(driver.launches) == 1
    assert (await units.get("job")).status.next_run_at == at("08:05")

    stopped = await units.stop("job", wait=True)
    await trio.sleep(3600)
    assert (stopped.status.state, stopped.status.next_run_at, len(driver.launches)) == (State.STOPPED, None, 1)


@pytest.mark.parametrize(
    ("overlap", "runs", "reason"),
    [
        (Overlap.SKIP, [0, 480], EndReason.EXITED),
        (Overlap.QUEUE, [0, 400, 800], EndReason.EXITED),
        (Overlap.KILL, [0, 240, 480, 720], EndReason.RESTARTED),
    ],
)
async def test_a_run_that_is_due_while_the_last_one_goes_on(
    units: Units, driver: FakeDriver, overlap: Overlap, runs: list[int], reason: EndReason
) -> None:
    driver.programs["long"] = Program(runs_for=400)
    starts: list[float] = []
    spawn = driver.spawn

    async def spawn_and_tell(*args: Any) -> Any:
        starts.append(trio.current_time())
        return await spawn(*args)

    driver.spawn = spawn_and_tell  # type: ignore[method-assign] # the test looks at when, which a driver does not keep
    await units.create("job", timed("long", cron="*/4 * * * *", overlap=overlap))
    await trio.sleep(240 + 820)

    assert [round(start - starts[0]) for start in starts] == runs
    last = (await units.get("job")).status.exit
    assert last is not None
    assert last.reason is reason
    assert not driver.doubled


@pytest.mark.parametrize(("missed", "down_for", "runs"), [("skip", 320, 0), ("once", 3600, 1), ("skip", 60, 1)])
async def test_a_run_that_was_missed_while_no_daemon_ran(
    services: UnitServices, driver: FakeDriver, missed: str, down_for: int, runs: int
) -> None:
    shelf = Shelf()
    async with running_units(services, shelf) as units:
        await units.create("job", timed(missed=Missed(missed)))
        await trio.sleep(270)
    await trio.sleep(down_for)
    async with running_units(UnitServices(driver=driver, wall=services.wall), shelf) as units:
        await trio.sleep(1)

        assert len(driver.launches) == runs
        due = (await units.get("job")).status.next_run_at
        assert due is not None
        now = MORNING + timedelta(seconds=trio.current_time())
        assert now < due <= now + timedelta(minutes=5)


@define
class Clock:
    """A wall clock that somebody sets."""

    ahead: float = 0.0

    def __call__(self) -> datetime:
        return MORNING + timedelta(seconds=trio.current_time() + self.ahead)


@pytest.mark.parametrize(("missed", "runs"), [(Missed.SKIP, 0), (Missed.ONCE, 1)])
async def test_a_clock_that_is_set_forward_is_noticed_within_a_minute(
    driver: FakeDriver, missed: Missed, runs: int
) -> None:
    clock = Clock()
    async with running_units(UnitServices(driver=driver, wall=clock)) as units:
        await units.create("job", timed(missed=missed))
        clock.ahead = 30 * 60 + 30
        await trio.sleep(61)
        view = await units.get("job")

    assert len(driver.launches) == runs
    assert view.status.next_run_at == at("08:35")
    assert missed is Missed.ONCE or view.status.reason.startswith("the run due at 2026-01-02 08:05:00 UTC was missed")


async def test_a_clock_that_is_set_back_moves_the_next_run_back(driver: FakeDriver) -> None:
    clock = Clock()
    async with running_units(UnitServices(driver=driver, wall=clock)) as units:
        await units.create("job", timed())
        clock.ahead = -3600
        await trio.sleep(61)
        assert (await units.get("job")).status.next_run_at == at("07:05")
        await trio.sleep(241)
        assert len(driver.launches) == 1


async def test_a_unit_with_a_schedule_can_be_deleted_between_its_runs(
    services: UnitServices, driver: FakeDriver
) -> None:
    shelf = Shelf(delay=3.0)
    async with running_units(services, shelf) as units:
        await units.create("job", timed(cron="* * * * * *"))
        with trio.fail_after(60):
            while driver.live():  # noqa: ASYNC110 - as a client looks
                await trio.sleep(0.1)
            await units.delete("job", force=True)
        count = len(driver.launches)
        with pytest.raises(NotFound):
            await units.get("job")
        await trio.sleep(10)

        assert len(driver.launches) == count
        assert not driver.live()


async def test_a_new_definition_brings_a_new_time_or_none(units: Units, driver: FakeDriver) -> None:
    await units.create("job", timed())
    assert (await units.replace("job", timed(cron="30 9 * * *"))).status.next_run_at == at("09:30")

    view = await units.replace("job", AgentSpec(command=("web",)))
    await trio.sleep(2)
    assert view.status.next_run_at is None
    assert (await units.get("job")).status.state is State.RUNNING

    view = await units.replace("job", timed("web"))
    assert view.status.next_run_at == at("08:05")
    assert len(driver.launches) == 1

    await units.stop("job", wait=True)
    await units.create("idle", timed())
    view = await units.replace("idle", AgentSpec(command=("web",), restart=RestartType.TEMPORARY))
    assert view.status.reason == "there is no schedule any more; nobody has started it since"


async def test_a_start_while_it_is_being_stopped_goes_by_the_schedule_again(units: Units, driver: FakeDriver) -> None:
    await units.create("job", timed("polite"))
    await units.restart("job", wait=True)
    await units.stop("job")
    view = await units.start("job", wait=True)

    assert (view.status.state, view.status.desired) == (State.STOPPED, Desired.RUNNING)
    assert view.status.next_run_at == at("08:05")
    assert len(driver.launches) == 1


async def test_a_queued_run_is_dropped_by_a_stop(units: Units, driver: FakeDriver) -> None:
    await units.create("job", timed("web", overlap=Overlap.QUEUE))
    await trio.sleep(601)
    assert (await units.get("job")).status.reason.endswith("follows once the last one has ended")
    await units.stop("job", wait=True)
    await trio.sleep(601)

    assert len(driver.launches) == 1
