"""Ends are reported exactly, once, and whatever happens to whoever watches."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
import trio
import trio.testing

from supervisor.agents.exits import ExitWatcher, Watched, zombie_status
from supervisor.agents.identity import identity_of, read_stat
from supervisor.agents.memory import KernelLog, OutOfMemory
from supervisor.agents.pidfd import reaped_status
from supervisor.errors import HoodyBug, SignalFailed
from supervisor.units.driver import ExitStatus, Identity
from tests.supervisor.agents.world import ProcessWorld
from tests.supervisor.contract import Ends, start

ENDS_QUIETLY = {signal.SIGCHLD, signal.SIGURG, signal.SIGWINCH, signal.SIGCONT}
STOPS = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}


async def test_every_exit_code_is_told_exactly(world: ProcessWorld) -> None:
    told: dict[int, ExitStatus] = {}

    async def one(code: int) -> None:
        told[code] = await world.run(world.shell(f"exit {code}"), f"unit-{code}")

    async with trio.open_nursery() as nursery:
        for code in range(256):
            nursery.start_soon(one, code)

    assert {code: ExitStatus(code=code) for code in range(256)} == told


async def test_every_deadly_signal_is_told_exactly(world: ProcessWorld) -> None:
    deadly = sorted(set(signal.valid_signals()) - ENDS_QUIETLY - STOPS)
    told: dict[int, ExitStatus] = {}

    async def one(number: int) -> None:
        ends = Ends()
        spec = world.shell("ulimit -c 0; $READY; exec sleep 1000")
        incarnation = await start(world, spec, ends, f"unit-{number}")
        incarnation.signal(number)
        await ends.came.wait()
        told[number] = ends.seen[0]

    async with trio.open_nursery() as nursery:
        for number in deadly:
            nursery.start_soon(one, int(number))

    assert {int(number): ExitStatus(signal=int(number)) for number in deadly} == told


async def test_a_stopped_process_has_not_ended(world: ProcessWorld) -> None:
    ends = Ends()
    incarnation = await start(world, world.steady(), ends)

    incarnation.signal(signal.SIGSTOP)
    await ends.none(world)
    incarnation.signal(signal.SIGCONT)
    incarnation.signal(signal.SIGTERM)

    assert (await ends.one(world)).signal == signal.SIGTERM


async def test_a_core_dump_is_told(world: ProcessWorld) -> None:
    if Path("/proc/sys/kernel/core_pattern").read_text().startswith("|"):  # noqa: ASYNC240
        pytest.skip("this system hands core dumps to a program")

    with_core = await world.run(world.shell("ulimit -c unlimited; kill -SEGV $$"))
    without = await world.run(world.shell("ulimit -c 0; kill -SEGV $$"))

    assert ExitStatus(signal=signal.SIGSEGV, core_dumped=True) == with_core
    assert ExitStatus(signal=signal.SIGSEGV) == without


async def test_a_program_that_executes_another_is_still_the_same(world: ProcessWorld) -> None:
    assert (await world.run(world.shell("exec sh -c 'exec sh -c \"exit 9\"'"))).code == 9


async def test_a_signal_that_does_not_exist_is_refused_in_words(world: ProcessWorld) -> None:
    incarnation = await start(world, world.steady(), Ends())

    with pytest.raises(SignalFailed, match="signal 4711 could not be sent"):
        incarnation.signal(4711)


async def test_a_group_signal_reaches_the_helpers_too(world: ProcessWorld) -> None:
    incarnation = await start(world, world.leaves_helpers(), Ends())
    helpers = world.helpers(incarnation)

    incarnation.signal(signal.SIGTERM)

    assert len(helpers) == 2
    await world.until(lambda: not any(world.alive(pid) for pid in helpers))


# ---- the watcher by itself ----


@contextmanager
def sleeping(seconds: str = "1000") -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", seconds], start_new_session=True)
    process.returncode = 0  # reaped by the watcher, not by this object
    yield process
    try:
        os.kill(process.pid, signal.SIGKILL)
        os.waitpid(process.pid, 0)
    except (ProcessLookupError, ChildProcessError):
        return


def ended(count: int) -> list[subprocess.Popen[bytes]]:
    """Return programs that have ended, or are about to, and that nobody has reaped."""
    processes = [subprocess.Popen(["true"], start_new_session=True) for _ in range(count)]
    for process in processes:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    return processes


def watch(watcher: ExitWatcher, pid: int, ends: Ends) -> Watched:
    stat = read_stat(pid)
    assert stat is not None
    return watcher.watch(identity_of(stat), os.pidfd_open(pid), ends)


@pytest.fixture
def watcher() -> Iterator[ExitWatcher]:
    memory = OutOfMemory(KernelLog())
    yield ExitWatcher(memory)
    memory.close()


@asynccontextmanager
async def running(watcher: ExitWatcher) -> AsyncIterator[None]:
    async with trio.open_nursery() as nursery:
        await nursery.start(watcher.run)
        yield
        nursery.cancel_scope.cancel(reason="the test is over")


async def came(ends: Ends) -> ExitStatus:
    with trio.fail_after(30):
        await ends.came.wait()
    return ends.seen[0]


async def test_an_end_while_nobody_watched_is_reported_afterwards(watcher: ExitWatcher) -> None:
    ends = Ends()
    with sleeping() as process:
        watched = watch(watcher, process.pid, ends)
        watched.signal(signal.SIGTERM, whole_group=True)

        async with running(watcher):
            assert (await came(ends)).signal == signal.SIGTERM

    assert len(watcher) == 0
    assert watcher.ends == watched.end == 1


async def test_a_watcher_that_crashed_goes_on_with_all_that_it_watched(watcher: ExitWatcher) -> None:
    calls: list[ExitStatus] = []

    def crash(status: ExitStatus) -> None:
        calls.append(status)
        raise ValueError("a defect of whoever is told")

    later = Ends()
    with sleeping() as one, sleeping() as other:
        stat = read_stat(one.pid)
        assert stat is not None
        watcher.watch(identity_of(stat), os.pidfd_open(one.pid), crash).signal(signal.SIGKILL, whole_group=False)
        watch(watcher, other.pid, later)
        with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="a defect")):
            async with running(watcher):
                await trio.sleep(5)

        os.kill(other.pid, signal.SIGTERM)
        async with running(watcher):
            assert (await came(later)).signal == signal.SIGTERM

    assert len(calls) == 1


async def test_many_ends_at_once_are_each_reported_once(watcher: ExitWatcher) -> None:
    ends = [Ends() for _ in range(300)]
    for process, end in zip(ended(300), ends, strict=True):
        process.returncode = 0
        watch(watcher, process.pid, end)

    async with running(watcher):
        assert [ExitStatus(code=0)] * 300 == [await came(end) for end in ends]

    assert {1} == {len(end.seen) for end in ends}


async def test_whoever_is_told_of_an_end_may_give_up_another_of_the_same_moment(watcher: ExitWatcher) -> None:
    table: dict[int, Watched] = {}
    told: list[int] = []

    def give_up_all(status: ExitStatus) -> None:
        told.append(status.code or 0)
        for watched in table.values():
            watcher.give_up(watched)

    processes = ended(2)
    for process in processes:
        stat = read_stat(process.pid)
        assert stat is not None
        table[process.pid] = watcher.watch(identity_of(stat), os.pidfd_open(process.pid), give_up_all)
    async with running(watcher):
        with trio.fail_after(30):
            while not told:  # noqa: ASYNC110 - another task makes it true
                await trio.sleep(0.002)
        await trio.sleep(0.02)

    assert told == [0]
    assert {process.wait() for process in processes} == {0}


async def test_a_process_is_looked_after_by_one_owner_at_a_time(watcher: ExitWatcher) -> None:
    with sleeping() as process:
        watched = watch(watcher, process.pid, Ends())
        pidfd = os.pidfd_open(process.pid)
        with pytest.raises(HoodyBug, match="looked after already"):
            watcher.watch(watched.identity, pidfd, Ends())
        os.close(pidfd)

        watcher.give_up(watched)

        assert watch(watcher, process.pid, Ends()).watching


async def test_the_status_of_what_was_given_up_is_kept_for_a_while(
    watcher: ExitWatcher, autojump_clock: trio.testing.MockClock
) -> None:
    with sleeping() as process:
        watched = watch(watcher, process.pid, Ends())
        assert watcher.claims(process.pid)

        watcher.give_up(watched)

        assert watcher.claims(process.pid)
        assert not watcher.watches(process.pid)
        await trio.sleep(31)
        assert not watcher.claims(process.pid)


TRACER = """
import ctypes, sys
assert ctypes.CDLL(None).ptrace(0x4206, int(sys.argv[1]), 0, 0) == 0  # PTRACE_SEIZE
print("seized", flush=True)
sys.stdin.readline()
"""


@contextmanager
def traced(pid: int) -> Iterator[subprocess.Popen[bytes]]:
    """Have another program trace a process, until it is told to go on, which ends it."""
    command = [sys.executable, "-S", "-c", TRACER, str(pid)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as tracer:
        assert tracer.stdout is not None
        if tracer.stdout.readline() != b"seized\n":
            pytest.skip("this system does not let a process trace another")
        yield tracer


async def test_a_dead_process_that_a_debugger_holds_back_is_reported_when_it_is_let_go(watcher: ExitWatcher) -> None:
    ends = Ends()
    with sleeping() as process, traced(process.pid) as tracer:
        watch(watcher, process.pid, ends)
        async with running(watcher):
            os.kill(process.pid, signal.SIGKILL)
            await trio.sleep(0.12)
            assert ends.seen == []
            tracer.communicate(b"go\n")

            assert (await came(ends)).signal == signal.SIGKILL


# ---- processes that are not our children ----


@contextmanager
def strangers_child(script: str, *, reaps: bool) -> Iterator[Identity]:
    """Yield a process whose parent is another program, which reaps it when it ends or never does.

    The script says a line when it is ready for whatever the test does to it.
    """
    program = f"""
import subprocess, sys
child = subprocess.Popen(
    ["/bin/sh", "-c", {script!r}], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
)
child.stdout.readline()
print(child.pid, flush=True)
if {reaps}: child.wait(); print("reaped", flush=True)
sys.stdin.readline()
"""
    command = [sys.executable, "-S", "-c", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        stat = read_stat(int(parent.stdout.readline()))
        assert stat is not None
        yield identity_of(stat)
        parent.kill()


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo ready; read line; exit 0", ExitStatus(signal=signal.SIGTERM)),
        ("trap 'exit 3' TERM; echo ready; read line", ExitStatus(code=3)),
        ("trap 'exit 0' TERM; echo ready; read line", ExitStatus(code=0)),
    ],
)
async def test_the_end_of_an_adopted_process_is_read_from_its_zombie(
    watcher: ExitWatcher, script: str, expected: ExitStatus
) -> None:
    ends = Ends()
    with strangers_child(f"{script}", reaps=False) as identity:
        watched = watcher.watch(identity, os.pidfd_open(identity.pid), ends)
        async with running(watcher):
            watched.signal(signal.SIGTERM, whole_group=False)
            assert expected == await came(ends)

    assert not watched.ours


async def test_the_end_of_an_adopted_process_is_known_after_its_parent_reaped_it(watcher: ExitWatcher) -> None:
    ends = Ends()
    with strangers_child("echo ready; exec sleep 1000", reaps=True) as identity:
        watched = watcher.watch(identity, os.pidfd_open(identity.pid), ends)
        os.kill(identity.pid, signal.SIGTERM)
        with trio.fail_after(30):
            while read_stat(identity.pid) is not None:  # noqa: ASYNC110 - another process ends it
                await trio.sleep(0.002)
        keeps = reaped_status(watched.pidfd) is not None
        async with running(watcher):
            status = await came(ends)

    assert status == (ExitStatus(signal=signal.SIGTERM) if keeps else ExitStatus(known=False))


def test_a_zero_in_a_zombies_line_counts_only_where_it_may_be_seen() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    stat = read_stat(process.pid)
    assert stat is not None

    assert zombie_status(identity_of(stat)) == 0
    assert zombie_status(Identity(pid=process.pid, start_time=1, boot_id="")) is None
    process.wait()
    assert zombie_status(identity_of(stat)) is None


def test_a_living_process_has_no_zombies_status() -> None:
    stat = read_stat(os.getpid())
    assert stat is not None

    assert zombie_status(identity_of(stat)) is None


def test_the_kernel_keeps_no_status_of_a_process_that_was_not_reaped() -> None:
    process = subprocess.Popen(["true"])
    pidfd = os.pidfd_open(process.pid)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    assert reaped_status(pidfd) is None
    process.wait()
    assert reaped_status(pidfd) in {0, None}
    os.close(pidfd)


async def test_several_may_wait_for_the_same_end() -> None:
    nobody = Identity(pid=1, start_time=1, boot_id="")
    watched = Watched(identity=nobody, pidfd=os.open(os.devnull, os.O_RDONLY), on_exit=lambda _status: None)

    with trio.fail_after(30):
        async with trio.open_nursery() as nursery:
            for _ in range(3):
                nursery.start_soon(watched.over)
            await trio.testing.wait_all_tasks_blocked()
            watched.close()
        await watched.over()
