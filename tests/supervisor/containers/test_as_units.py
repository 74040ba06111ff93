"""Containers under the machine, the keepers and the directory that agents have: unchanged, with this driver below."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import trio

from supervisor.errors import SpawnFailed
from supervisor.units.services import UnitServices
from supervisor.units.spec import BackoffSpec
from supervisor.units.status import EndReason, State, UnitView
from supervisor.units.testing.store import Shelf
from supervisor.units.testing.tree import Units, running_units
from tests.engine import Engine as RealEngine
from tests.supervisor.containers.world import Daemon, shell, spec

QUICK = {"start_seconds": 0.05, "backoff": BackoffSpec(initial=0.05, max=0.3)}


@pytest.fixture
async def units(daemon: Daemon) -> AsyncIterator[Units]:
    services = UnitServices(driver=daemon.driver)
    async with running_units(services) as running:
        yield running
        services.departure.take_units = True


async def becomes(units: Units, name: str, fits: Callable[[UnitView], bool]) -> UnitView:
    with trio.fail_after(30):
        while True:
            view = await units.get(name)
            if fits(view):
                return view
            await trio.sleep(0.02)


async def test_a_killed_container_is_back_and_the_end_is_told(daemon: Daemon, units: Units) -> None:
    await units.create("web", spec("sleep", "1000", **QUICK), start=False)
    before = await units.start("web", wait=True, timeout=20)
    assert before.status.pid is not None

    os.kill(before.status.pid, signal.SIGKILL)

    after = await becomes(units, "web", lambda view: view.status.state is State.RUNNING and view.status.restarts == 1)
    assert after.status.exit is not None
    assert (after.status.exit.reason, after.status.exit.signal) == (EndReason.CRASHED, "KILL")
    assert after.status.pid != before.status.pid
    assert len(daemon.real.containers()) == 1


async def test_a_stop_ends_the_container_and_it_stays_down(daemon: Daemon, units: Units) -> None:
    await units.create("web", spec("sleep", "1000", **QUICK), start=False)
    await units.start("web", wait=True, timeout=20)

    stopped = await units.stop("web", wait=True, timeout=20)

    assert stopped.status.state is State.STOPPED
    assert daemon.real.containers(status=["running"]) == []


async def test_a_stubborn_container_is_killed_after_its_time(daemon: Daemon, units: Units) -> None:
    stubborn = shell("trap '' TERM; while :; do sleep 0.1; done", stop_timeout=0.3, **QUICK)
    await units.create("web", stubborn, start=False)
    await units.start("web", wait=True, timeout=20)

    stopped = await units.stop("web", wait=True, timeout=20)

    assert stopped.status.exit is not None
    assert stopped.status.exit.reason is EndReason.KILLED
    assert daemon.real.containers(status=["running"]) == []


async def test_a_changed_definition_replaces_the_container(daemon: Daemon, units: Units) -> None:
    await units.create("web", spec("sleep", "1000", **QUICK), start=False)
    first = await units.start("web", wait=True, timeout=20)
    [old] = daemon.real.containers()

    await units.replace("web", spec("sleep", "2000", **QUICK))

    await becomes(
        units,
        "web",
        lambda view: view.status.state is State.RUNNING and view.status.incarnation > first.status.incarnation,
    )
    [new] = daemon.real.containers()
    assert new["Id"] != old["Id"]


async def test_a_start_that_fails_says_why_and_is_tried_again(daemon: Daemon, units: Units) -> None:
    await units.create("web", spec("sleep", "1000", image="hoody-test/nothing:1", **QUICK), start=False)

    with pytest.raises(SpawnFailed, match="No such image"):
        await units.start("web", wait=True, timeout=20)
    view = await becomes(units, "web", lambda view: view.status.counters.spawn_failures >= 2)

    assert "No such image" in view.status.reason


async def test_an_engine_that_comes_back_finds_its_units_wanted(daemon: Daemon, units: Units) -> None:
    await units.create("web", spec("sleep", "1000", **QUICK), start=False)
    await units.start("web", wait=True, timeout=20)
    pid = (await units.get("web")).status.pid
    assert pid is not None

    daemon.real.kill()
    os.kill(pid, signal.SIGKILL)
    await trio.sleep(0.3)
    daemon.real.start()

    view = await becomes(units, "web", lambda view: view.status.state is State.RUNNING and view.status.pid != pid)
    assert view.status.exit is not None
    assert view.status.exit.signal == "KILL"
    assert len(daemon.real.containers()) == 1


async def test_the_next_daemon_takes_the_container_up_as_it_runs(docker_engine: RealEngine, folder: Path) -> None:
    shelf = Shelf()
    async with (
        Daemon(docker_engine, folder).running() as first,
        running_units(UnitServices(driver=first.driver), shelf) as units,
    ):
        await units.create("web", spec("sleep", "1000", **QUICK), start=False)
        before = await units.start("web", wait=True, timeout=20)

    async with Daemon(docker_engine, folder).running() as second:
        services = UnitServices(driver=second.driver)
        async with running_units(services, shelf) as units:
            after = await becomes(units, "web", lambda view: view.status.state is State.RUNNING)
            services.departure.take_units = True

        assert (after.status.pid, after.status.incarnation) == (before.status.pid, before.status.incarnation)
        assert docker_engine.containers(status=["running"]) == []
