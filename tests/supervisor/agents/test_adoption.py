"""A process that somebody else started is found and looked after, if it is beyond doubt the one meant."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from supervisor.agents.identity import identity_of, read_stat
from supervisor.agents.marks import Mark
from supervisor.agents.output import Discard
from supervisor.errors import DriverError
from supervisor.units.driver import ExitStatus, Identity, Launch
from tests.supervisor.agents.world import ProcessWorld
from tests.supervisor.contract import Ends, clear, launch, start


@contextmanager
def orphan(program: str, mark: Mark | None) -> Iterator[Identity]:
    """Yield a process whose parent has died, as that of an earlier daemon; its first line tells that it is up."""
    parent = f"""
import subprocess, sys
child = subprocess.Popen({[sys.executable, "-S", "-c", program]!r}, start_new_session=True, stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
import os; os._exit(0)
"""
    environment = {"PATH": os.defpath, **(mark.environment() if mark else {})}
    command = [sys.executable, "-S", "-c", parent]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True, start_new_session=True)
    assert run.stdout is not None
    pid = int(run.stdout.readline())
    run.wait()
    run.stdout.close()
    stat = read_stat(pid)
    assert stat is not None
    try:
        yield identity_of(stat)
    finally:
        if read_stat(pid) is not None:
            os.kill(pid, signal.SIGKILL)


SLEEPS = "import time; print(flush=True); time.sleep(1000)"
FORKS = "import os, time; os.fork() and print(flush=True); time.sleep(1000)"


async def test_an_orphan_of_an_earlier_daemon_is_found_adopted_and_cleared(world: ProcessWorld) -> None:
    ends = Ends()
    with orphan(FORKS, Mark("web", 7, world.driver.instance)) as identity:
        await world.until(lambda: len(world.helpers_of(identity.pid)) == 1)
        strays = await world.driver.find_strays()
        assert [identity] == [stray.identity for stray in strays if stray.main]
        assert {("web", 7)} == {(stray.unit, stray.incarnation) for stray in strays}

        adopted = await world.driver.adopt(identity, launch(world.steady(), "web", 7), ends)
        assert adopted is not None
        helpers = world.helpers(adopted)

        assert await clear(world, adopted) == ()
        assert (await ends.one(world)).signal in {signal.SIGKILL, None}
        assert not any(world.alive(pid) for pid in helpers)


@pytest.mark.parametrize(
    ("other", "number", "ours"),
    [("db", 7, True), ("web", 8, True), ("web", 7, False)],
    ids=["another unit", "another incarnation", "another daemon"],
)
async def test_what_says_that_it_is_somebody_elses_is_not_adopted(
    world: ProcessWorld, other: str, number: int, *, ours: bool
) -> None:
    instance = world.driver.instance if ours else "another daemon"
    with orphan(SLEEPS, Mark(other, number, instance)) as identity:
        assert await world.driver.adopt(identity, launch(world.steady(), "web", 7), Ends()) is None
        assert world.alive(identity.pid)


async def test_what_has_erased_its_environment_is_adopted_on_its_identity(world: ProcessWorld) -> None:
    with orphan(SLEEPS, None) as identity:
        adopted = await world.driver.adopt(identity, launch(world.steady()), Ends())

        assert adopted is not None


async def test_a_seal_of_another_unit_is_not_overruled_by_an_environment(world: ProcessWorld) -> None:
    incarnation = await start(world, world.steady(), Ends(), "web", 1)
    incarnation.detach()

    assert await world.driver.adopt(incarnation.identity, launch(world.steady(), "db"), Ends()) is None
    assert await world.driver.adopt(incarnation.identity, launch(world.steady(), "web", 2), Ends()) is None
    assert await world.driver.adopt(incarnation.identity, launch(world.steady(), "web", 1), Ends()) is not None


async def test_a_child_that_died_between_two_owners_is_reported_exactly_to_the_second(world: ProcessWorld) -> None:
    ends = Ends()
    incarnation = await start(world, world.shell("trap 'exit 5' TERM; $READY; while :; do sleep 0.01; done"), Ends())
    incarnation.detach()
    os.kill(incarnation.identity.pid, signal.SIGTERM)
    await world.until(lambda: not world.alive(incarnation.identity.pid))

    adopted = await world.driver.adopt(incarnation.identity, launch(world.steady()), ends)

    assert adopted is not None
    assert ends.seen == []
    assert ExitStatus(code=5) == await ends.one(world)


async def test_a_strange_process_is_cleared_by_its_session_while_it_lives(world: ProcessWorld) -> None:
    with orphan(FORKS, None) as identity:
        await world.until(lambda: len(world.helpers_of(identity.pid)) == 1)
        adopted = await world.driver.adopt(identity, launch(world.steady()), Ends())
        assert adopted is not None
        helpers = world.helpers(adopted)

        assert await clear(world, adopted) == ()
        assert not any(world.alive(pid) for pid in helpers)


async def test_without_a_free_descriptor_adopting_fails_in_words(
    world: ProcessWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int, __: int) -> int:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("supervisor.agents.process.open_pidfd", full)
    incarnation = await start(world, world.steady(), Ends())
    incarnation.detach()

    with pytest.raises(DriverError, match="cannot be looked after: Too many open files"):
        await world.driver.adopt(incarnation.identity, launch(world.steady()), Ends())


async def test_a_start_that_the_system_does_not_answer_is_given_up_and_ended_when_it_comes(
    world: ProcessWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    real = world.driver._spawner.output.open

    class Hung(Discard):
        def open(self, unit: str, stream: object, incarnation: int) -> int:
            release.wait(10)
            return real(unit, "stdout", incarnation)

    monkeypatch.setattr("supervisor.agents.process.SPAWN_TIMEOUT", 0.02)
    object.__setattr__(world.driver._spawner, "output", Hung())
    ends = Ends()

    with pytest.raises(DriverError, match="did not answer for"):
        await world.driver.spawn(Launch(unit="web", incarnation=1, spec=world.steady()), ends)
    release.set()
    await world.until(lambda: not world.driver._flights._begun)
    await world.until(lambda: not world.running("web"))

    await world.until(lambda: len(world.driver._exits) == 0)

    assert ends.seen == []
