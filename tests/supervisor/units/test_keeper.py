"""The keeper of a unit: what becomes of processes, wishes and those who wait, whatever happens around it."""

from __future__ import annotations

import logging
import signal
from typing import Any

import pytest
import trio
from attrs import evolve
from trio.testing import wait_all_tasks_blocked

from supervisor.errors import (
    Conflict,
    InvalidTransition,
    NotFound,
    SignalFailed,
    SpawnFailed,
    StorageError,
    Unavailable,
)
from supervisor.runtime import AskTimeout
from supervisor.runtime.policy import RestartType
from supervisor.store.messages import LiveRecord, NoteProgress, SaveDesired, SaveUnit
from supervisor.units.quantities import Duration
from supervisor.units.services import UnitServices
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Desired, EndReason, State, UnitView
from supervisor.units.testing import FakeDriver, Shelf, Units, running_units


def spec(name: str, **more: Any) -> AgentSpec:
    return AgentSpec(command=(name,), **more)


async def eventually(units: Units, name: str, state: State) -> UnitView:
    with trio.fail_after(300):
        while True:
            view = await units.get(name)
            if view.status.state is state:
                return view
            await trio.sleep(0.05)


async def crash(units: Units, name: str) -> None:
    """Make the keeper of a unit fail, by a message that it cannot understand."""
    ref = units.system.registry.ref(f"agents/{name}")
    ref.tell("nonsense")
    with trio.fail_after(10):
        while not ref.stopped:  # noqa: ASYNC110 - on the virtual clock
            await trio.sleep(0.001)


# ---- the main thing ----


async def test_a_program_that_is_killed_is_back_at_once_and_it_is_said_why(units: Units, driver: FakeDriver) -> None:
    await units.create("web")
    before = (await units.start("web", wait=True)).status.pid
    killed = trio.current_time()

    driver.kill("web")
    await trio.sleep(0.01)

    view = await units.get("web")
    assert trio.current_time() - killed < 0.02
    assert view.status.pid not in (None, before)
    assert (view.status.restarts, view.status.incarnation) == (1, 2)
    assert view.status.exit is not None
    assert (view.status.exit.reason, view.status.exit.signal) == (EndReason.CRASHED, "KILL")
    assert view.status.reason.startswith("starting again: killed by SIGKILL from outside after 1")


async def test_what_a_crashed_incarnation_leaves_is_swept(units: Units, driver: FakeDriver) -> None:
    await units.create("family")
    await units.start("family", wait=True)

    driver.kill("family")
    await trio.sleep(0.5)

    assert sum(len(process.remains()) for process in driver.processes) == 4


async def test_an_end_that_is_reported_before_the_start_has_returned_is_no_confusion(
    units: Units, driver: FakeDriver
) -> None:
    await units.create("hasty")

    view = await eventually(units, "hasty", State.BACKOFF)

    assert view.status.exit is not None
    assert view.status.exit.code == 1
    assert len(driver.live()) == 0


# ---- keepers come and go, processes stay ----


async def test_when_its_keeper_crashes_a_process_runs_on_with_its_pid(units: Units, driver: FakeDriver) -> None:
    await units.create("web")
    before = (await units.start("web", wait=True)).status

    await crash(units, "web")
    after = (await eventually(units, "web", State.RUNNING)).status

    assert (after.pid, after.restarts, after.started_at) == (before.pid, 0, before.started_at)
    assert len(driver.launches) == 1


async def test_while_there_is_no_keeper_it_is_said_and_wishes_are_refused(units: Units) -> None:
    await units.create("web")
    await units.start("web", wait=True)
    await crash(units, "web")
    await trio.sleep(0.01)

    await crash(units, "web")
    view = await units.get("web")
    with pytest.raises(Unavailable, match="the keeper of 'web' is being replaced"):
        await units.stop("web")

    assert view.status.state is State.UNKNOWN
    assert "its keeper failed" in view.status.reason
    await eventually(units, "web", State.RUNNING)


async def test_an_adopted_process_is_looked_after_like_any_other(units: Units, driver: FakeDriver) -> None:
    await units.create("web")
    await units.start("web", wait=True)
    await crash(units, "web")
    await eventually(units, "web", State.RUNNING)

    driver.kill("web")
    await trio.sleep(0.01)

    assert (await units.get("web")).status.incarnation == 2
    await units.stop("web", wait=True)
    assert driver.live() == []


async def test_an_end_without_a_keeper_is_noticed(units: Units, driver: FakeDriver) -> None:
    await units.create("web")
    await units.start("web", wait=True)
    for _ in range(2):
        await trio.sleep(0.01)
        await crash(units, "web")
    driver.kill("web")

    view = await eventually(units, "web", State.RUNNING)

    assert view.status.incarnation == 2
    assert view.status.exit is not None
    assert view.status.exit.reason is EndReason.UNKNOWN


async def test_a_keeper_that_crashes_during_a_start_writes_down_what_came_of_it(
    units: Units, driver: FakeDriver
) -> None:
    await units.create("slow")
    await trio.sleep(1)

    await crash(units, "slow")
    view = await eventually(units, "slow", State.RUNNING)

    assert len(driver.processes) == 1
    assert view.status.pid == driver.only("slow").pid


async def test_a_daemon_that_leaves_its_units_running_finds_them_again(
    services: UnitServices, driver: FakeDriver
) -> None:
    shelf = Shelf()
    async with running_units(services, shelf) as units:
        await units.create("web")
        before = (await units.start("web", wait=True)).status

    async with running_units(services, shelf) as units:
        after = (await eventually(units, "web", State.RUNNING)).status

    assert (after.pid, after.incarnation, after.restarts) == (before.pid, 1, 0)
    assert [process.alive for process in driver.processes] == [True]


async def test_a_daemon_that_takes_its_units_along_stops_them_and_the_next_one_starts_them(
    services: UnitServices, driver: FakeDriver
) -> None:
    shelf = Shelf()
    async with running_units(services, shelf) as units:
        await units.create("web")
        await units.start("web", wait=True)
        services.departure.take_units = True

    assert driver.live() == []
    assert driver.processes[0].signals == [signal.SIGTERM]
    record = shelf.record("web")
    assert (record.desired, record.progress.live) == (Desired.RUNNING, None)
    async with running_units(services, shelf) as units:
        await eventually(units, "web", State.RUNNING)
        services.departure.take_units = False


@pytest.mark.parametrize(("hurry", "least", "most"), [(False, 5.0, 6.0), (True, 1.0, 2.0)])
async def test_the_end_of_the_daemon_takes_no_longer_than_the_stop_timeout_and_less_in_a_hurry(
    services: UnitServices, driver: FakeDriver, hurry: bool, least: float, most: float
) -> None:
    async with running_units(services) as units:
        for number in range(5):
            await units.create(f"unit{number}", spec("stubborn", stop_timeout=Duration(5)))
            await units.start(f"unit{number}", wait=True)
        services.departure.take_units = True
        begun = trio.current_time()
        if hurry:
            units.system.shutdown("the end")
            await trio.sleep(1)
            services.departure.hurried.set()

    assert driver.live() == []
    assert least <= trio.current_time() - begun <= most


async def test_what_cannot_be_killed_does_not_keep_the_daemon(services: UnitServices, driver: FakeDriver) -> None:
    async with running_units(services) as units:
        await units.create("stuck", spec("stuck", stop_timeout=Duration(1)))
        await units.start("stuck", wait=True)
        services.departure.take_units = True
        begun = trio.current_time()

    assert trio.current_time() - begun < 15
    assert driver.processes[0].on_exit is None


@pytest.mark.parametrize("phase", ["starting", "stopping", "adopting", "backing off"])
async def test_a_unit_is_stopped_with_the_daemon_whatever_it_was_doing(
    services: UnitServices, driver: FakeDriver, phase: str
) -> None:
    shelf = Shelf()
    name = {"starting": "slow", "stopping": "polite", "adopting": "web", "backing off": "crashes"}[phase]
    async with running_units(services, shelf) as units:
        await units.create(name)
        if phase == "adopting":
            await units.start(name, wait=True)
    async with running_units(services, shelf) as units:
        if phase == "stopping":
            await units.start(name, wait=True)
            await units.stop(name)
        if phase == "backing off":
            await eventually(units, name, State.BACKOFF)
        services.departure.take_units = True

    assert driver.live() == []
    assert shelf.record(name).progress.live is None


# ---- who waits ----


async def test_a_start_that_is_waited_for_is_answered_when_it_is_up(units: Units) -> None:
    await units.create("web", start=False)
    begun = trio.current_time()

    view = await units.start("web", wait=True)

    assert view.status.state is State.RUNNING
    assert trio.current_time() - begun >= 1.0


async def test_a_start_that_nobody_waits_for_is_answered_when_it_is_on_disk(units: Units) -> None:
    await units.create("web", start=False)

    view = await units.start("web")

    assert view.status.state is State.STARTING
    assert units.shelf.record("web").desired is Desired.RUNNING


async def test_what_runs_already_is_started_at_once(units: Units, driver: FakeDriver) -> None:
    await units.create("web")
    await units.start("web", wait=True)
    begun = trio.current_time()

    view = await units.start("web", wait=True)

    assert view.status.state is State.RUNNING
    assert trio.current_time() - begun < 0.1
    assert len(driver.launches) == 1


async def test_a_start_that_fails_is_told_in_words_and_tried_again(units: Units) -> None:
    await units.create("heals", start=False)

    with pytest.raises(SpawnFailed, match="'heals' could not be started: no such folder: '/gone'"):
        await units.start("heals", wait=True)

    view = await eventually(units, "heals", State.RUNNING)
    assert view.status.counters.spawn_failures == 2


async def test_a_program_that_does_not_stay_up_is_told_with_its_end(units: Units) -> None:
    await units.create("crashes", start=False)

    with pytest.raises(InvalidTransition, match=r"'crashes' did not stay up: exited with code 1 after 0.2 s") as caught:
        await units.start("crashes", wait=True)

    assert caught.value.hint is not None
    assert "hoody logs crashes" in caught.value.hint


async def test_a_job_that_is_done_was_started(units: Units) -> None:
    await units.create("job", spec("job", restart=RestartType.TRANSIENT), start=False)

    view = await units.start("job", wait=True)

    assert view.status.state is State.EXITED


async def test_a_stop_that_is_waited_for_is_answered_when_nothing_is_left(units: Units, driver: FakeDriver) -> None:
    await units.create("family")
    await units.start("family", wait=True)

    view = await units.stop("family", wait=True)

    assert view.status.state is State.STOPPED
    assert driver.processes[0].remains() == ()


async def test_a_stop_ends_the_wait_for_a_start(units: Units) -> None:
    await units.create("web", spec("web", start_seconds=Duration(60)))
    async with trio.open_nursery() as nursery:

        async def wait() -> None:
            with pytest.raises(InvalidTransition, match="'web' is not up: stopped"):
                await units.start("web", wait=True)

        nursery.start_soon(wait)
        await trio.sleep(5)
        await units.stop("web", wait=True)


async def test_a_restart_brings_a_fresh_process(units: Units, driver: FakeDriver) -> None:
    await units.create("web")
    before = await units.start("web", wait=True)

    after = await units.restart("web", wait=True)

    assert (after.status.state, after.status.restarts) == (State.RUNNING, 0)
    assert after.status.pid != before.status.pid
    assert len(driver.live()) == 1


async def test_a_stubborn_program_is_killed_after_its_time_and_at_once_when_asked(
    units: Units, driver: FakeDriver
) -> None:
    await units.create("stubborn", spec("stubborn", stop_timeout=Duration(7)))
    await units.start("stubborn", wait=True)
    begun = trio.current_time()
    await units.stop("stubborn")
    await trio.sleep(3)

    async with trio.open_nursery() as nursery:

        async def hurry() -> None:
            await units.stop("stubborn", wait=True, now=True)

        nursery.start_soon(hurry)
        view = await units.stop("stubborn", wait=True)

    assert view.status.state is State.STOPPED
    assert trio.current_time() - begun == pytest.approx(3, abs=0.5)


async def test_the_end_of_a_wait_is_not_the_end_of_the_work(units: Units) -> None:
    await units.create("slow", start=False)

    with pytest.raises(AskTimeout):
        await units.start("slow", wait=True, timeout=1)

    await eventually(units, "slow", State.RUNNING)


async def test_who_asks_and_vanishes_cancels_nothing(units: Units) -> None:
    await units.create("web", start=False)
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(units.start, "web")
            await trio.lowlevel.checkpoint()
            scope.cancel(reason="the client is gone")

    await eventually(units, "web", State.RUNNING)


async def test_wishes_are_carried_out_in_their_order(units: Units, driver: FakeDriver) -> None:
    await units.create("web", start=False)
    units.shelf.delay = 0.1
    async with trio.open_nursery() as nursery:
        for wish in (units.start, units.stop, units.start, units.stop, units.start):
            nursery.start_soon(wish, "web")
            await wait_all_tasks_blocked()

    view = await eventually(units, "web", State.RUNNING)
    saved = [found.desired for found in units.shelf.log if isinstance(found, SaveDesired)]
    assert saved == [Desired.RUNNING, Desired.STOPPED, Desired.RUNNING, Desired.STOPPED, Desired.RUNNING]
    assert view.status.desired is Desired.RUNNING
    assert len(driver.live()) == 1


# ---- on disk first ----


async def test_a_wish_that_cannot_be_written_down_is_not_carried_out(units: Units, driver: FakeDriver) -> None:
    await units.create("web", start=False)
    units.shelf.broken = "the disk is full"

    with pytest.raises(StorageError, match="the disk is full"):
        await units.start("web", wait=True)

    view = await units.get("web")
    assert (view.status.state, view.status.desired) == (State.STOPPED, Desired.STOPPED)
    assert driver.launches == []
    units.shelf.broken = None
    assert (await units.start("web", wait=True)).status.state is State.RUNNING


async def test_a_running_program_goes_on_whatever_becomes_of_the_disk(units: Units, driver: FakeDriver) -> None:
    await units.create("web")
    await units.start("web", wait=True)
    units.shelf.broken = "the disk is full"

    driver.kill("web")
    await trio.sleep(0.1)
    with pytest.raises(StorageError):
        await units.stop("web")

    assert len(driver.live()) == 1
    assert (await units.get("web")).status.desired is Desired.RUNNING


async def test_a_wish_is_on_disk_before_anything_is_done_about_it(units: Units, driver: FakeDriver) -> None:
    await units.create("web")
    await units.start("web", wait=True)
    units.shelf.delay = 5.0

    async with trio.open_nursery() as nursery:
        nursery.start_soon(units.stop, "web")
        await trio.sleep(4)
        assert driver.only("web").signals == []

    assert driver.processes[0].signals == [signal.SIGTERM]


async def test_a_start_of_what_had_ended_outlives_a_daemon_that_dies_right_after_the_answer(units: Units) -> None:
    """The two things on disk together: it is wanted, and it is not at its end any more."""
    await units.create("job", spec("job", restart=RestartType.TEMPORARY))
    await eventually(units, "job", State.EXITED)
    assert units.shelf.record("job").progress.state is State.EXITED
    begun = len(units.shelf.log)

    await units.start("job")

    written = units.shelf.log[begun:]
    wish = next(n for n, found in enumerate(written) if isinstance(found, SaveDesired))
    noted = [found.progress.state for found in written[:wish] if isinstance(found, NoteProgress)]
    assert noted == [State.RUNNING]


async def test_a_failed_start_of_what_had_ended_leaves_it_at_its_end(units: Units) -> None:
    await units.create("job", spec("job", restart=RestartType.TEMPORARY))
    await eventually(units, "job", State.EXITED)
    units.shelf.broken = "the disk is full"

    with pytest.raises(StorageError):
        await units.start("job")
    await trio.sleep(0.1)

    assert units.shelf.record("job").progress.state is State.EXITED


async def test_a_note_that_the_store_cannot_take_is_sent_again(services: UnitServices) -> None:
    shelf = Shelf()
    async with running_units(services, shelf, store_mailbox=1) as units:
        for number in range(5):
            await units.create(f"unit{number}", spec("web"), start=False)
        shelf.delay = 0.5
        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(units.start, f"unit{number}")
        await trio.sleep(20)

    assert all(shelf.record(f"unit{number}").progress.live is not None for number in range(5))


# ---- definitions ----


async def test_another_program_replaces_what_runs(units: Units, driver: FakeDriver) -> None:
    await units.create("web")
    before = await units.start("web", wait=True)

    view = await units.replace("web", spec("polite"))
    assert (view.revision, view.spec.argv) == (2, ("polite",))
    after = await units.start("web", wait=True)

    assert after.status.pid != before.status.pid
    assert driver.launches[-1].spec.argv == ("polite",)
    assert after.status.exit is not None
    assert after.status.exit.reason is EndReason.RESTARTED


async def test_other_labels_leave_it_running(units: Units) -> None:
    await units.create("web")
    before = await units.start("web", wait=True)

    view = await units.replace("web", labels={"team": "docs"})

    assert (view.revision, dict(view.labels)) == (2, {"team": "docs"})
    assert view.status.pid == before.status.pid


async def test_the_same_definition_changes_nothing(units: Units) -> None:
    await units.create("web")
    written = sum(isinstance(found, SaveUnit) for found in units.shelf.log)

    view = await units.replace("web")

    assert view.revision == 1
    assert sum(isinstance(found, SaveUnit) for found in units.shelf.log) == written


async def test_a_definition_that_cannot_be_written_down_changes_nothing(units: Units) -> None:
    await units.create("web")
    before = await units.start("web", wait=True)
    units.shelf.broken = "the disk is full"

    with pytest.raises(StorageError):
        await units.replace("web", spec("polite"))
    await trio.sleep(0.1)

    view = await units.get("web")
    assert (view.revision, view.spec, view.status.pid) == (1, before.spec, before.status.pid)
    assert not units.shelf.record("web").progress.stale


async def test_a_replacement_outlives_a_daemon_that_dies_right_after_the_answer(
    services: UnitServices, driver: FakeDriver
) -> None:
    """What is on disk says that the process on record is by an older definition."""
    shelf = Shelf()
    async with running_units(services, shelf) as units:
        await units.create("web")
        await units.start("web", wait=True)
        begun = len(shelf.log)
        await units.replace("web", spec("polite"))
        first = shelf.log[begun]
        assert isinstance(first, NoteProgress)
        assert first.progress.stale
        # As the kill of the daemon would leave it: the old process runs, the answer was given.
        killed = evolve(shelf.record("web"), progress=first.progress)
    driver.processes[0].signals.clear()
    driver.processes[0].alive = True
    shelf.records[killed.kind, "web"] = killed

    async with running_units(services, shelf) as units:
        await trio.sleep(1)
        view = await eventually(units, "web", State.RUNNING)

    assert driver.launches[-1].spec.argv == ("polite",)
    assert view.status.incarnation == 2


# ---- signals ----


async def test_a_signal_reaches_the_program_and_what_it_causes_is_its_own_doing(
    units: Units, driver: FakeDriver
) -> None:
    await units.create("web")
    await units.start("web", wait=True)

    await units.signal("web", "KILL")
    await trio.sleep(0.1)

    view = await units.get("web")
    assert (view.status.restarts, view.status.desired) == (1, Desired.RUNNING)


async def test_a_signal_without_a_process_is_refused(units: Units) -> None:
    await units.create("web", start=False)

    with pytest.raises(InvalidTransition, match="no process to signal: the unit is STOPPED"):
        await units.signal("web", "HUP")


async def test_a_signal_that_the_system_refuses_is_told(units: Units, driver: FakeDriver) -> None:
    await units.create("foreign", spec("foreign", stop_timeout=Duration(1)))
    await units.start("foreign", wait=True)

    with pytest.raises(SignalFailed, match="not allowed"):
        await units.signal("foreign", "HUP")

    assert (await units.get("foreign")).status.state is State.RUNNING
    await units.stop("foreign")
    view = await eventually(units, "foreign", State.STOPPING)
    assert "not allowed to signal" in view.status.reason
    await trio.sleep(10)
    assert "still there after SIGKILL" in (await units.get("foreign")).status.reason


# ---- deletion ----


async def test_what_is_at_rest_is_deleted(units: Units) -> None:
    await units.create("web", start=False)

    await units.delete("web")

    assert units.shelf.records == {}
    with pytest.raises(NotFound):
        await units.get("web")
    assert units.system.registry.whereis("agents/web") is None


async def test_what_runs_is_not_deleted_unless_forced(units: Units, driver: FakeDriver) -> None:
    await units.create("polite")
    await units.start("polite", wait=True)

    with pytest.raises(InvalidTransition, match="is RUNNING: only what is at rest is deleted"):
        await units.delete("polite")
    assert len(driver.live()) == 1
    await units.delete("polite", force=True)

    assert driver.live() == []
    assert units.shelf.records == {}


async def test_while_it_is_deleted_nothing_else_is_done_to_it(units: Units) -> None:
    await units.create("polite")
    await units.start("polite", wait=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: units.delete("polite", force=True))
        await trio.sleep(0.5)

        with pytest.raises(Conflict, match="is being deleted"):
            await units.start("polite")
        with pytest.raises(Conflict, match="is being deleted"):
            await units.delete("polite")


async def test_a_deletion_that_cannot_be_written_down_is_told_and_leaves_it_stopped(units: Units) -> None:
    await units.create("web", start=False)
    units.shelf.broken = "the disk is full"

    with pytest.raises(StorageError):
        await units.delete("web", force=True)

    assert (await units.get("web")).status.state is State.STOPPED
    units.shelf.broken = None
    assert (await units.start("web", wait=True)).status.state is State.RUNNING


# ---- the process on record ----


async def test_a_record_of_a_process_that_is_somebody_elses_now_is_not_believed(
    services: UnitServices, driver: FakeDriver
) -> None:
    shelf = Shelf()
    async with running_units(services, shelf) as units:
        await units.create("web")
        await units.start("web", wait=True)
    record = shelf.record("web")
    live = record.progress.live
    assert live is not None
    forged = LiveRecord(
        incarnation=live.incarnation, identity=evolve(live.identity, start_time=1), started_at=live.started_at
    )
    shelf.records[record.kind, "web"] = evolve(record, progress=evolve(record.progress, live=forged))

    async with running_units(services, shelf) as units:
        view = await eventually(units, "web", State.RUNNING)

    assert view.status.incarnation == 2
    assert driver.processes[0].signals == []


async def test_a_stop_that_a_crash_interrupted_is_finished_by_the_next_daemon(
    services: UnitServices, driver: FakeDriver
) -> None:
    shelf = Shelf()
    async with running_units(services, shelf) as units:
        await units.create("web")
        await units.start("web", wait=True)
    record = shelf.record("web")
    shelf.records[record.kind, "web"] = evolve(record, desired=Desired.STOPPED)

    async with running_units(services, shelf) as units:
        await eventually(units, "web", State.STOPPED)

    assert driver.live() == []


# ---- the log ----


async def test_every_end_is_one_line_in_the_log(
    units: Units, driver: FakeDriver, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "hoody.units"):
        await units.create("web")
        await units.start("web", wait=True)
        driver.kill("web")
        await trio.sleep(2)
        await units.stop("web", wait=True)

    lines = [record.getMessage() for record in caplog.records if record.name == "hoody.units"]
    assert lines == [
        "agent 'web': starting again: killed by SIGKILL from outside after 1 s",
        "agent 'web': stopped: ended by SIGTERM",
    ]
    assert [getattr(record, "end", None) for record in caplog.records][-2:] == ["crashed", "stopped"]
