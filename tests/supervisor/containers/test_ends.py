"""How runs end on a real engine: each end is told once, and exactly."""

from __future__ import annotations

import os
import signal
import time

import pytest
import trio

from supervisor.units.driver import ExitStatus
from tests.supervisor.containers.world import Daemon, Ends, launch, shell, spec


async def test_a_kill_of_the_process_from_outside_is_told_as_its_signal(daemon: Daemon) -> None:
    ends = Ends()
    run = await daemon.driver.spawn(launch(spec("sleep", "1000")), ends)

    os.kill(run.identity.pid, signal.SIGKILL)

    assert await ends.count(1) == [ExitStatus(signal=signal.SIGKILL)]


async def test_a_kill_through_the_engine_is_told_as_its_signal(daemon: Daemon) -> None:
    ends = Ends()
    run = await daemon.driver.spawn(launch(spec("sleep", "1000")), ends)

    daemon.real.call("POST", f"/containers/{run.id}/kill?signal=SIGTERM")

    assert await ends.count(1) == [ExitStatus(signal=signal.SIGTERM)]


async def test_a_removal_behind_our_back_is_told_and_the_next_start_makes_a_new_container(daemon: Daemon) -> None:
    ends = Ends()
    first = await daemon.driver.spawn(launch(spec("sleep", "1000")), ends)
    daemon.real.call("DELETE", f"/containers/{first.id}?force=1")
    assert await ends.count(1) == [ExitStatus(signal=signal.SIGKILL)]

    second = await daemon.driver.spawn(launch(spec("sleep", "1000"), incarnation=2), ends)

    assert second.id != first.id
    assert len(daemon.real.containers()) == 1


async def test_a_restart_behind_our_back_is_an_end_and_the_next_start_takes_up_what_runs(daemon: Daemon) -> None:
    ends = Ends()
    first = await daemon.driver.spawn(launch(spec("sleep", "1000")), ends)
    daemon.real.call("POST", f"/containers/{first.id}/restart?t=0")
    await ends.count(1)

    second = await daemon.driver.spawn(launch(spec("sleep", "1000"), incarnation=2), ends)

    assert second.id == first.id
    assert second.identity.start_time > first.identity.start_time
    assert len(daemon.real.containers(status=["running"])) == 1


async def test_a_container_beyond_its_memory_limit_is_told_as_out_of_memory(daemon: Daemon) -> None:
    ends = Ends()
    hog = shell("head -c 100000000 /dev/zero | tail -c 90000000 > /dev/null; exit $?", limits=_limit(16))
    await daemon.driver.spawn(launch(hog), ends)

    assert await ends.count(1) == [ExitStatus(signal=signal.SIGKILL, out_of_memory=True)]


async def test_a_kill_within_the_memory_limit_is_not_told_as_out_of_memory(daemon: Daemon) -> None:
    ends = Ends()
    run = await daemon.driver.spawn(launch(spec("sleep", "1000", limits=_limit(64))), ends)

    os.kill(run.identity.pid, signal.SIGKILL)

    assert await ends.count(1) == [ExitStatus(signal=signal.SIGKILL)]


def _limit(mebibytes: int) -> object:
    from supervisor.containers.spec import ContainerLimits
    from supervisor.units.quantities import Size

    return ContainerLimits(memory=Size(mebibytes * 1024 * 1024))


async def test_a_code_that_the_definition_calls_a_success_stays_a_code(daemon: Daemon) -> None:
    ends = Ends()
    await daemon.driver.spawn(launch(shell("exit 143", success_exit_codes=(0, 143))), ends)

    assert await ends.count(1) == [ExitStatus(code=143)]


async def test_a_paused_container_can_be_ended(daemon: Daemon) -> None:
    ends = Ends()
    run = await daemon.driver.spawn(launch(spec("sleep", "1000")), ends)
    daemon.real.call("POST", f"/containers/{run.id}/pause")

    assert await run.clear(deadline=trio.current_time() + 10) == ()
    assert await ends.count(1) == [ExitStatus(signal=signal.SIGKILL)]


async def test_the_image_s_own_stop_signal_stands_for_term(daemon: Daemon) -> None:
    daemon.real.derive_image("hoody-test/stops-on-usr1:1", {"StopSignal": "SIGUSR1"})
    ends = Ends()
    run = await daemon.driver.spawn(
        launch(
            shell("trap 'exit 7' USR1; echo ready; while :; do sleep 0.05; done", image="hoody-test/stops-on-usr1:1")
        ),
        ends,
    )
    with trio.fail_after(30):
        while not daemon.files.read("web"):  # noqa: ASYNC110 - the shell says when it has set its trap
            await trio.sleep(0.01)

    run.signal(signal.SIGTERM)

    assert await ends.count(1) == [ExitStatus(code=7)]


@pytest.mark.slow
async def test_fifty_containers_end_at_once_and_each_end_is_told_once(daemon: Daemon) -> None:
    ends: dict[str, Ends] = {f"u{number}": Ends() for number in range(50)}
    runs = []

    async def start(unit: str) -> None:
        runs.append(await daemon.driver.spawn(launch(spec("sleep", "1000", init=False), unit), ends[unit]))

    async with trio.open_nursery() as nursery:
        for unit in ends:
            nursery.start_soon(start, unit)
    for run in runs:
        os.kill(run.identity.pid, signal.SIGKILL)
    for each in ends.values():
        await each.count(1, within=30)
    await trio.sleep(0.1)

    assert all(each.seen == [ExitStatus(signal=signal.SIGKILL)] for each in ends.values())
    assert daemon.driver.table.live == {}


async def test_a_run_that_ends_before_anybody_knows_it_is_told_after_its_start(daemon: Daemon) -> None:
    for number in range(3):
        told: list[str] = []
        ends = Ends()

        def on_exit(status: ExitStatus, told: list[str] = told, ends: Ends = ends) -> None:
            told.append("end")
            ends(status)

        await daemon.driver.spawn(launch(spec("true"), incarnation=number + 1), on_exit)
        told.append("start")
        await ends.count(1)

        assert told == ["start", "end"]


@pytest.mark.slow
async def test_a_stop_is_as_quick_as_the_engine_lets_it_be(daemon: Daemon) -> None:
    ends = Ends()
    run = await daemon.driver.spawn(launch(spec("sleep", "1000")), ends)
    before = time.monotonic()

    run.signal(signal.SIGTERM)
    await ends.count(1)

    assert time.monotonic() - before < 3
