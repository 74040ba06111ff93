"""Orphans are reaped, and nothing that somebody waits for."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import trio

from supervisor.agents import children
from supervisor.agents.children import Census
from supervisor.agents.exits import ExitWatcher
from supervisor.agents.host import Host
from supervisor.agents.identity import identity_of, read_stat
from supervisor.agents.memory import KernelLog, OutOfMemory
from supervisor.agents.orphans import Flights, OrphanReaper, become_subreaper, is_subreaper
from supervisor.units.driver import ExitStatus
from tests.supervisor.agents.world import ProcessWorld
from tests.supervisor.contract import Ends, start


@pytest.fixture
def exits() -> Iterator[ExitWatcher]:
    memory = OutOfMemory(KernelLog())
    yield ExitWatcher(memory)
    memory.close()


def zombie(*, session: bool = True) -> int:
    """Return the pid of a child that has ended and that nobody has reaped."""
    process = subprocess.Popen(["true"], start_new_session=session)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    process.returncode = 0
    return process.pid


def exists(pid: int) -> bool:
    return read_stat(pid) is not None


def test_being_the_reaper_of_orphans_can_be_taken_on_and_given_up() -> None:
    assert not is_subreaper()
    become_subreaper()
    assert is_subreaper()
    become_subreaper(on=False)
    assert not is_subreaper()


async def test_a_dead_orphan_is_reaped(exits: ExitWatcher) -> None:
    pid = zombie()

    assert not OrphanReaper(exits, Flights()).reap()
    assert not exists(pid)


async def test_the_subprocess_of_a_library_keeps_its_status(exits: ExitWatcher) -> None:
    process = subprocess.Popen(["sh", "-c", "exit 7"])  # noqa: ASYNC220
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222

    OrphanReaper(exits, Flights()).reap()

    assert process.wait() == 7


async def test_a_main_process_keeps_its_status(exits: ExitWatcher) -> None:
    pid, ends = zombie(), Ends()
    stat = read_stat(pid)
    assert stat is not None
    exits.watch(identity_of(stat), os.pidfd_open(pid), ends)

    OrphanReaper(exits, Flights()).reap()

    async with trio.open_nursery() as nursery:
        await nursery.start(exits.run)
        await ends.came.wait()
        nursery.cancel_scope.cancel(reason="the test is over")
    assert [ExitStatus(code=0)] == ends.seen


async def test_a_main_process_between_two_owners_keeps_its_status_for_the_next(
    exits: ExitWatcher, autojump_clock: trio.testing.MockClock
) -> None:
    pid = zombie()
    stat = read_stat(pid)
    assert stat is not None
    exits.give_up(exits.watch(identity_of(stat), os.pidfd_open(pid), Ends()))
    reaper = OrphanReaper(exits, Flights())

    reaper.reap()
    assert exists(pid)
    await trio.sleep(60)
    reaper.reap()
    assert not exists(pid)


async def test_what_may_belong_to_a_start_under_way_is_left_alone_until_it_has_landed(exits: ExitWatcher) -> None:
    flights = Flights()
    reaper = OrphanReaper(exits, flights)
    flight = flights.depart()
    pid = zombie()

    assert reaper.reap()
    assert exists(pid)
    flights.land(flight)
    flights.land(flight)
    assert not reaper.reap()
    assert not exists(pid)


async def test_an_orphan_from_before_all_starts_under_way_is_reaped(exits: ExitWatcher) -> None:
    pid = zombie()
    await trio.sleep(0.03)  # start times are told in hundredths of a second
    flights = Flights()
    flights.depart()

    assert not OrphanReaper(exits, flights).reap()
    assert not exists(pid)


@asynccontextmanager
async def running(reaper: OrphanReaper) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(reaper.run)
        yield
        nursery.cancel_scope.cancel(reason="the test is over")


async def gone(pid: int) -> None:
    with trio.fail_after(30):
        while exists(pid):  # noqa: ASYNC110 - the reaper makes it true
            await trio.sleep(0.002)


async def test_orphans_from_before_it_ran_are_reaped_at_once(exits: ExitWatcher) -> None:
    pid = zombie()

    async with running(OrphanReaper(exits, Flights())):
        assert not exists(pid)


async def test_a_death_wakes_the_reaper_and_silence_does_not(
    exits: ExitWatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervisor.agents.orphans._PAUSE", 0.02)
    reaper = OrphanReaper(exits, Flights())
    looks = 0
    real = reaper.reap

    def counted() -> bool:
        nonlocal looks
        looks += 1
        return real()

    monkeypatch.setattr(reaper, "reap", counted)
    async with running(reaper):
        await trio.sleep(0.1)
        assert looks == 1
        pids = [zombie() for _ in range(5)]
        for pid in pids:
            await gone(pid)
        await trio.sleep(0.1)

    assert 2 <= looks <= 6


async def test_there_is_always_a_handler_for_a_late_signal_to_find(exits: ExitWatcher) -> None:
    """Python writes a complaint to stderr where there is none any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)

    async with running(OrphanReaper(exits, Flights())):
        assert callable(signal.getsignal(signal.SIGCHLD))

    assert callable(signal.getsignal(signal.SIGCHLD))


async def test_the_daemon_inherits_and_reaps_what_an_agent_leaves_behind(
    world: ProcessWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervisor.agents.orphans._PAUSE", 0.02)
    ends = Ends()
    program = "pid = os.fork()\nif not pid: time.sleep(0.05); os._exit(0)\nopen('orphan', 'w').write(str(pid)); ready()"
    await start(world, world.python(program), ends)
    await ends.came.wait()
    orphan = int((world.folder / "orphan").read_text())

    stat = read_stat(orphan)
    assert stat is None or stat.parent == os.getpid()
    await gone(orphan)


async def test_a_census_counts_once_for_all_ends_before_it(exits: ExitWatcher, subreaper: Host) -> None:
    census = Census(exits)
    assert census.strangers(0) == ()
    process = subprocess.Popen(["sleep", "1000"], start_new_session=True)  # noqa: ASYNC220
    library = subprocess.Popen(["sleep", "1000"])  # noqa: ASYNC220
    try:
        assert census.strangers(0) == ()
        exits.ends += 1
        (stranger,) = census.strangers(1)
        assert stranger.stat.pid == process.pid
        assert stranger.seal is None
    finally:
        for found in (process, library):
            found.kill()
            found.wait()


def test_a_kernel_without_lists_of_children_is_asked_the_long_way() -> None:
    pid = zombie()
    listed = sorted(children.direct_children())

    assert listed == sorted(children._children_by_parent())
    assert pid in listed
    os.waitpid(pid, 0)
