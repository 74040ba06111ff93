"""The engine stops, dies, hangs or is not there: containers say so, nothing is missed, nothing is doubled."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from supervisor.containers.addresses import EngineAddress
from supervisor.containers.engine import Engine
from supervisor.containers.errors import EngineUnavailable
from supervisor.containers.events import Died
from supervisor.containers.watch import EngineStatus
from supervisor.errors import SpawnFailed
from supervisor.units.driver import ExitStatus
from tests.engine import Engine as RealEngine
from tests.supervisor.containers.world import Context, Daemon, Ends, launch, shell, spec


class Listener:
    def __init__(self, daemon: Daemon) -> None:
        self.told: list[EngineStatus] = []
        self._more = trio.Event()
        daemon.watch.on_status(self._hear)

    def _hear(self, status: EngineStatus) -> None:
        self.told.append(status)
        self._more.set()

    async def count(self, wanted: int) -> None:
        with trio.fail_after(30):
            while len(self.told) < wanted:
                self._more = trio.Event()
                await self._more.wait()


async def test_a_container_lives_through_a_restart_of_the_engine_and_is_still_looked_after(daemon: Daemon) -> None:
    listener, ends = Listener(daemon), Ends()
    run = await daemon.driver.spawn(launch(spec("sleep", "1000")), ends)
    await listener.count(1)

    daemon.real.stop()
    await listener.count(2)
    daemon.real.start()
    await listener.count(3)
    os.kill(run.identity.pid, signal.SIGKILL)

    assert await ends.count(1) == [ExitStatus(signal=signal.SIGKILL)]
    assert [status.reachable for status in listener.told] == [True, False, True]
    assert "no container engine answers" in listener.told[1].reason


async def test_a_death_while_the_engine_is_dead_is_told_when_it_is_back(daemon: Daemon) -> None:
    listener, ends = Listener(daemon), Ends()
    dying = await daemon.driver.spawn(launch(spec("sleep", "1000")), ends)
    living = await daemon.driver.spawn(launch(spec("sleep", "1000"), "other"), Ends())
    await listener.count(1)

    daemon.real.kill()
    os.kill(dying.identity.pid, signal.SIGKILL)
    await listener.count(2)
    assert ends.seen == []
    daemon.real.start()

    assert await ends.count(1) == [ExitStatus(signal=signal.SIGKILL)]
    assert list(daemon.driver.table.live) == [living.id]


@pytest.fixture
def engine_that_takes_its_containers_along(shared_engine: RealEngine) -> Iterator[RealEngine]:
    shared_engine.stop()
    shared_engine.live_restore = False
    shared_engine.start()
    yield shared_engine
    shared_engine.live_restore = True
    shared_engine.kill()
    shared_engine.start()
    shared_engine.remove_all()


async def test_an_engine_that_takes_its_containers_along_has_their_ends_told_once(
    engine_that_takes_its_containers_along: RealEngine, folder: Path
) -> None:
    real = engine_that_takes_its_containers_along
    async with Daemon(real, folder).running() as daemon:
        ends = Ends()
        await daemon.driver.spawn(launch(spec("sleep", "1000")), ends)

        real.stop()
        real.start()

        assert len(await ends.count(1)) == 1
        await trio.sleep(0.2)
        assert len(ends.seen) == 1
        await daemon.driver.spawn(launch(spec("sleep", "1000"), incarnation=2), Ends())
        assert len(real.containers()) == 1


async def test_without_an_engine_a_start_is_refused_in_words_and_works_when_it_is_there(daemon: Daemon) -> None:
    daemon.real.stop()

    with pytest.raises(SpawnFailed, match="no container engine answers at unix://") as caught:
        await daemon.driver.spawn(launch(spec("sleep", "1000")), Ends())
    assert "DOCKER_HOST" in (caught.value.hint or "")
    daemon.real.start()

    await daemon.driver.spawn(launch(spec("sleep", "1000")), Ends())


async def test_daemon_and_engine_and_container_die_together_and_the_unit_is_started_once(
    docker_engine: RealEngine, folder: Path
) -> None:
    async with Daemon(docker_engine, folder).running() as first:
        run = await first.driver.spawn(launch(spec("sleep", "1000")), Ends())
    docker_engine.kill()
    os.kill(run.identity.pid, signal.SIGKILL)
    docker_engine.start()

    async with Daemon(docker_engine, folder).running() as second:
        assert await second.driver.adopt(run.identity, launch(spec("sleep", "1000")), Ends()) is None
        await second.driver.spawn(launch(spec("sleep", "1000"), incarnation=2), Ends())

        assert len(docker_engine.containers(status=["running"])) == len(docker_engine.containers()) == 1


async def test_daemon_and_engine_die_and_the_container_that_lives_is_found_again(
    docker_engine: RealEngine, folder: Path
) -> None:
    async with Daemon(docker_engine, folder).running() as first:
        run = await first.driver.spawn(launch(spec("sleep", "1000")), Ends())
    docker_engine.kill()
    docker_engine.start()

    async with Daemon(docker_engine, folder).running() as second:
        ends = Ends()
        found = await second.driver.adopt(run.identity, launch(spec("sleep", "1000")), ends)
        assert found is not None
        assert found.identity == run.identity
        os.kill(run.identity.pid, signal.SIGKILL)
        assert await ends.count(1) == [ExitStatus(signal=signal.SIGKILL)]


async def test_an_engine_that_hangs_is_noticed_and_taken_up_again(docker_engine: RealEngine, folder: Path) -> None:
    daemon = Daemon(docker_engine, folder)
    daemon.watch.sign_of_life = daemon.watch.answer_within = 0.3
    listener, ends = Listener(daemon), Ends()
    async with daemon.running():
        run = await daemon.driver.spawn(launch(spec("sleep", "1000")), ends)
        await listener.count(1)

        docker_engine.pause()
        await listener.count(2)
        still_there = await run.clear(deadline=trio.current_time() + 0.5)
        docker_engine.resume()
        await listener.count(3)

        assert still_there == (run.identity.pid,)
        assert [status.reachable for status in listener.told] == [True, False, True]
        # The kill that was asked for meanwhile has only been late.
        assert (await ends.count(1))[0].signal == signal.SIGKILL


async def test_a_crash_of_the_service_loses_no_end(docker_engine: RealEngine, folder: Path) -> None:
    daemon, ends = Daemon(docker_engine, folder), Ends()
    async with daemon.running():
        run = await daemon.driver.spawn(launch(shell("sleep 0.3; echo written; sleep 0.3; exit 5")), ends)
    await trio.sleep(1)
    assert ends.seen == []

    async with daemon.running():
        assert await ends.count(1) == [ExitStatus(code=5)]
        with trio.fail_after(30):
            await run.output.done.wait()
        assert daemon.files.read("web") == b"written\n"


async def test_nobody_looks_for_an_engine_before_there_is_a_container() -> None:
    asked: list[str] = []

    def find() -> EngineAddress:
        asked.append("asked")
        raise EngineUnavailable("there is none")

    from supervisor.containers.live import Table
    from supervisor.containers.watch import Watch

    engine = Engine(find)
    watch = Watch(engine, Table(engine))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.serve, Context())
        await trio.sleep(0.2)
        assert asked == []
        with watch.table.arrival():
            await trio.sleep(0.2)
        assert asked
        assert watch.status.reachable is False
        nursery.cancel_scope.cancel()


async def test_foreign_containers_come_and_go_without_any_effect(daemon: Daemon) -> None:
    seen: list[object] = []
    daemon.watch.on_event(seen.append)
    ends = Ends()
    await daemon.driver.spawn(launch(spec("sleep", "1000")), ends)
    made = daemon.real.json("POST", "/containers/create?name=foreign", spec_document())
    assert isinstance(made, dict)

    daemon.real.call("POST", f"/containers/{made['Id']}/start")
    with trio.fail_after(30):
        while True:
            if any(isinstance(event, Died) and event.id == made["Id"] for event in seen):
                break
            await trio.sleep(0.02)

    assert ends.seen == []
    assert len(daemon.real.containers()) == 2


def spec_document() -> dict[str, object]:
    from tests.engine import IMAGE

    return {"Image": IMAGE, "Cmd": ["true"], "HostConfig": {"NetworkMode": "none"}}
