"""Commands that run beside a unit: as the unit does, told by their last words, gone with everything they started."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest
import trio

from supervisor.agents.beside import is_beside, run_beside
from supervisor.agents.environment import notify_name
from supervisor.errors import SpawnFailed
from supervisor.units.driver import ExitStatus, Launch
from supervisor.units.probes.instruments import Finished
from supervisor.units.probes.spec import Liveness, Readiness
from supervisor.units.quantities import Duration
from tests.supervisor.agents.world import ProcessWorld
from tests.supervisor.contract import Ends


async def look(world: ProcessWorld, script: str) -> Finished:
    return await run_beside(world.driver, "web", world.shell(script, environment={"COLOUR": "blue"}), purpose="probe")


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def left(folder: Path) -> list[int]:
    """Return the processes that run in a folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


async def test_a_command_is_judged_by_its_code_and_told_by_its_last_words(world: ProcessWorld) -> None:
    assert await look(world, "echo fine; exit 0") == Finished(status=ExitStatus(code=0), words="fine")
    assert await look(world, "echo one; echo 'no db' >&2; echo; exit 3") == Finished(
        status=ExitStatus(code=3), words="no db"
    )
    assert (await look(world, "kill -KILL $$")).status.signal == 9


async def test_it_runs_where_and_as_the_unit_runs(world: ProcessWorld, tmp_path: Path) -> None:
    found = await look(world, "echo $COLOUR $PWD $HOODY_UNIT")

    assert found.words == f"blue {tmp_path} web~probe"
    assert is_beside("web~probe")
    assert not is_beside("web")


async def test_what_it_writes_without_an_end_does_not_stop_it_and_is_not_kept(world: ProcessWorld) -> None:
    found = await look(world, "i=0; while [ $i -lt 3000 ]; do echo 01234567890123456789; i=$((i+1)); done; echo last")

    assert found.words == "last"


async def test_what_it_leaves_behind_is_ended_with_it(world: ProcessWorld, tmp_path: Path) -> None:
    found = await look(world, "setsid sleep 1000 & sleep 1000 & echo started; exit 0")

    assert found.words == "started"
    assert left(tmp_path) == []


async def test_one_that_never_ends_leaves_nothing_when_its_time_is_up(world: ProcessWorld, tmp_path: Path) -> None:
    with trio.move_on_after(0.2) as scope:
        await look(world, "trap '' TERM INT; setsid sleep 1000 & sleep 1000; sleep 1000")

    assert scope.cancelled_caught
    assert left(tmp_path) == []


async def test_one_that_is_given_up_at_once_leaves_nothing_either(world: ProcessWorld, tmp_path: Path) -> None:
    for delay in (0, 0.0005, 0.001, 0.002, 0.004):
        with trio.move_on_after(delay):
            await look(world, "exec sleep 1000")

        assert left(tmp_path) == []


async def test_no_descriptor_is_left_over(world: ProcessWorld) -> None:
    await look(world, "exit 0")
    before = open_descriptors()
    for _ in range(5):
        await look(world, "exit 0")
        with pytest.raises(SpawnFailed):
            await run_beside(world.driver, "web", world.missing(), purpose="probe")

    assert open_descriptors() == before


async def test_one_that_cannot_be_started_says_why(world: ProcessWorld) -> None:
    with pytest.raises(SpawnFailed, match="no such program"):
        await run_beside(world.driver, "web", world.missing(), purpose="probe")


async def test_neither_touches_the_other(world: ProcessWorld) -> None:
    """The end of a probe leaves the unit alone, and the unit's own clearing finds no probe among its processes."""
    ends = Ends()
    unit = await world.driver.spawn(Launch(unit="web", incarnation=1, spec=world.steady()), ends)
    await world.settled(unit)
    await look(world, "exit 1")

    assert world.alive(unit.identity.pid)
    assert ends.seen == []
    assert world.driver.owns(unit.identity.pid, "web", 1)
    assert await unit.clear(deadline=trio.current_time() + 5) == ()


async def test_a_process_is_known_by_the_incarnation_that_it_belongs_to(world: ProcessWorld) -> None:
    unit = await world.driver.spawn(Launch(unit="web", incarnation=2, spec=world.leaves_helpers()), Ends())
    await world.settled(unit)
    await world.until(lambda: len(world.helpers(unit)) == 2)

    for pid in {unit.identity.pid, *world.helpers(unit)}:
        assert world.driver.owns(pid, "web", 2)
        assert not world.driver.owns(pid, "web", 1)
        assert not world.driver.owns(pid, "site", 2)
    assert not world.driver.owns(os.getpid(), "web", 2)
    assert not world.driver.owns(0, "web", 2)


async def test_who_may_notify_is_told_where_and_how_often(world: ProcessWorld) -> None:
    watched = Liveness(notify=True, interval=Duration(0.5))
    script = "echo $NOTIFY_SOCKET,$WATCHDOG_USEC >&3"
    name = notify_name(world.driver.instance, "web")

    assert await world.told(script, readiness=Readiness(notify=True), liveness=watched) == f"@{name},500000\n"
    assert await world.told(script, readiness=Readiness(notify=True)) == f"@{name},\n"
    assert await world.told(script, liveness=Liveness(tcp=80)) == ",\n"
    assert await world.told(script, environment={"NOTIFY_SOCKET": "@mine"}) == "@mine,\n"
    assert len(name.encode()) < 100
