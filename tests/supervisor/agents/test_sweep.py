"""Whatever a program does with its family, nothing of it is left after it was cleared away."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import psutil
import pytest
import trio

from supervisor.agents.children import direct_children
from supervisor.agents.host import Host
from supervisor.agents.killing import Victims
from supervisor.agents.scan import look_at
from supervisor.agents.tree import Process
from supervisor.units.driver import Incarnation
from supervisor.units.spec import AgentSpec
from tests.supervisor.agents.world import ProcessWorld, process_world
from tests.supervisor.contract import Ends, clear, start

DAEMON = """
def daemon(depth=0):
    "Double-fork into a session of our own, as daemons do, and tell our pid."
    if os.fork():
        os.wait()
        return
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.execve({python!r}, ['x', '-S', '-c', NEXT, str(os.getpid())], ENVIRONMENT)
NEXT = "import os, sys, time; open('{folder}/' + sys.argv[1], 'w').close(); time.sleep(1000)"
"""


@pytest.fixture
async def world(tmp_path: Path, host: Host) -> AsyncIterator[ProcessWorld]:
    """Both standings: as the reaper of orphans, and without."""
    async with process_world(tmp_path, host=host) as made:
        yield made


class Family:
    """A program with a family, whose pids it tells by files with their names."""

    def __init__(self, world: ProcessWorld, folder: Path) -> None:
        self.world = world
        self.folder = folder
        folder.mkdir()

    def spec(self, program: str, environment: str = "os.environ") -> AgentSpec:
        """Return the spec of a program that has ``daemon()`` and ``NEXT`` at hand."""
        head = DAEMON.replace("{folder}", str(self.folder)).replace("{python!r}", "sys.executable")
        return self.world.python(f"ENVIRONMENT = dict({environment})\n{head}\n{program}")

    async def pids(self, count: int) -> set[int]:
        await self.world.until(lambda: len(list(self.folder.iterdir())) >= count)
        return {int(entry.name) for entry in self.folder.iterdir()}

    def left(self, pids: set[int]) -> set[int]:
        return {pid for pid in pids if self.world.alive(pid)}


@pytest.fixture
def family(world: ProcessWorld, tmp_path: Path) -> Family:
    return Family(world, tmp_path / "family")


async def begin(family: Family, spec: AgentSpec, ends: Ends | None = None) -> Incarnation:
    return await start(family.world, spec, ends or Ends())


@pytest.mark.parametrize("environment", ["os.environ", "{}"], ids=["marked", "environment cleared"])
@pytest.mark.parametrize("ended", [False, True], ids=["main runs", "main ended first"])
async def test_daemons_of_their_own_that_ignore_term_are_found(
    family: Family, environment: str, *, ended: bool
) -> None:
    ends = Ends()
    program = "for _ in range(3): daemon()\nready(); time.sleep(1000)"
    incarnation = await begin(family, family.spec(program, environment), ends)
    pids = await family.pids(3)
    assert {os.getsid(pid) for pid in pids}.isdisjoint({incarnation.identity.pid, os.getsid(0)})
    if ended:
        incarnation.signal(signal.SIGTERM)
        await ends.came.wait()

    assert family.left(pids) == pids
    assert await clear(family.world, incarnation) == ()
    assert family.left({incarnation.identity.pid, *pids}) == set()


async def test_a_family_that_keeps_making_more_is_ended(family: Family) -> None:
    program = """
def child():
    os.setsid()
    os.execve(sys.executable, ['x', '-S', '-c', NEXT, str(os.getpid())], {})
def bomb(left):
    for _ in range(left):
        time.sleep(0.002)
        if os.fork() == 0: child()
    time.sleep(1000)
if os.fork() == 0:
    os.setsid()
    bomb(20)
ready()
time.sleep(1000)
"""
    incarnation = await begin(family, family.spec(program))
    await family.pids(4)

    assert await clear(family.world, incarnation) == ()
    await trio.sleep(0.05)
    assert family.left(await family.pids(4)) == set()


async def test_a_deep_chain_of_sessions_is_found_by_its_links(family: Family) -> None:
    program = f"""
for _ in range(10):
    if os.fork():
        break
    os.setsid()
    open('{family.folder}/' + str(os.getpid()), 'w').close()
ready()
time.sleep(1000)
"""
    incarnation = await begin(family, family.spec(program))
    pids = await family.pids(10)

    assert await clear(family.world, incarnation) == ()
    assert family.left(pids) == set()


async def test_a_stopped_family_is_ended_too(family: Family) -> None:
    incarnation = await begin(family, family.spec("daemon()\nready()\ntime.sleep(1000)"))
    pids = await family.pids(1)
    incarnation.signal(signal.SIGSTOP)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)

    assert await clear(family.world, incarnation) == ()
    assert family.left(pids) == set()


async def test_a_program_that_changes_its_limits_and_its_environment_is_found_while_its_links_stand(
    family: Family,
) -> None:
    program = """
if os.fork() == 0:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_RTTIME, (200000, 200000))
    os.execve(sys.executable, ['x', '-S', '-c', NEXT, str(os.getpid())], {})
ready()
time.sleep(1000)
"""
    incarnation = await begin(family, family.spec(program))
    pids = await family.pids(1)

    assert await clear(family.world, incarnation) == ()
    assert family.left(pids) == set()


async def test_a_program_that_changes_its_limits_is_known_by_its_environment(family: Family) -> None:
    ends = Ends()
    program = """
resource.setrlimit(resource.RLIMIT_RTTIME, (200000, 200000))
daemon()
ready()
time.sleep(1000)
"""
    incarnation = await begin(family, family.spec(program), ends)
    pids = await family.pids(1)
    incarnation.signal(signal.SIGTERM)
    await ends.came.wait()

    assert await clear(family.world, incarnation) == ()
    assert family.left(pids) == set()


async def test_clearing_many_at_once_ends_each_of_them(world: ProcessWorld) -> None:
    incarnations: list[Incarnation] = []
    left: list[int] = []

    async def one(number: int) -> None:
        incarnations.append(await start(world, world.leaves_helpers(), Ends(), f"unit-{number}"))

    async def end(incarnation: Incarnation) -> None:
        left.extend(await clear(world, incarnation))

    async with trio.open_nursery() as nursery:
        for number in range(20):
            nursery.start_soon(one, number)
    pids = {pid for found in incarnations for pid in (found.identity.pid, *world.helpers(found))}
    async with trio.open_nursery() as nursery:
        for incarnation in incarnations:
            nursery.start_soon(end, incarnation)

    assert len(pids) == 60
    assert left == []
    assert not any(world.alive(pid) for pid in pids)


async def test_a_deadline_that_has_passed_allows_one_try(world: ProcessWorld) -> None:
    incarnation = await start(world, world.leaves_helpers(), Ends())
    family = {incarnation.identity.pid, *world.helpers(incarnation)}

    left = await incarnation.clear(deadline=trio.current_time() - 1)

    assert len(family) == 3
    assert set(left) <= family
    assert await clear(world, incarnation) == ()
    assert not any(world.alive(pid) for pid in family)


@pytest.fixture
def freezer() -> Iterator[Path]:
    """A control group whose members, when frozen, do not even heed SIGKILL: those of version 1."""
    group = Path("/sys/fs/cgroup/freezer") / f"hoody-test-{uuid4()}"
    try:
        group.mkdir()
    except OSError:
        pytest.skip("this system has no control groups that hold back SIGKILL, or not for this user")
    yield group
    group.rmdir()


async def test_what_cannot_be_ended_in_time_is_named_and_can_be_ended_later(world: ProcessWorld, freezer: Path) -> None:
    incarnation = await start(world, world.leaves_helpers(), Ends())
    frozen = min(world.helpers(incarnation))
    (freezer / "cgroup.procs").write_text(str(frozen))
    (freezer / "freezer.state").write_text("FROZEN")
    try:
        left = await incarnation.clear(deadline=trio.current_time() + 0.1)
    finally:
        (freezer / "freezer.state").write_text("THAWED")

    assert left == (frozen,)
    assert await clear(world, incarnation) == ()
    assert not world.alive(frozen)


def zombies_of_ours() -> list[int]:
    return [pid for pid in direct_children() if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE]


async def test_the_daemon_leaves_no_zombie_of_what_it_cleared(tmp_path: Path, subreaper: Host) -> None:
    async with process_world(tmp_path, host=subreaper) as world:
        family = Family(world, tmp_path / "family")
        incarnation = await begin(family, family.spec("daemon()\ndaemon()\nready()\ntime.sleep(1000)"))
        pids = await family.pids(2)
        await clear(world, incarnation)

        assert not {incarnation.identity.pid, *pids} & set(zombies_of_ours())


async def test_a_clean_end_is_seen_without_a_look_at_the_process_table(
    tmp_path: Path, subreaper: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with process_world(tmp_path, host=subreaper) as world:
        ends = Ends()
        incarnation = await start(world, world.steady(), ends)
        other = await start(world, world.leaves_helpers(), Ends(), "other")
        incarnation.signal(signal.SIGTERM)
        await ends.came.wait()

        async def never() -> None:
            raise AssertionError("it was looked for in vain")

        monkeypatch.setattr(world.driver._sweeper._pictures, "fresh", never)
        assert await clear(world, incarnation) == ()
        monkeypatch.undo()
        assert await clear(world, other) == ()


# ---- killing ----


async def test_a_recycled_pid_is_never_signalled() -> None:
    process = await trio.lowlevel.open_process(["sleep", "1000"])
    seen = look_at(process.pid)
    assert seen is not None
    older = Process(seen.stat._replace(start_time=seen.stat.start_time - 1), None, None)

    with Victims() as victims:
        victims.kill([older])
        assert len(victims) == 0
        assert process.poll() is None
        victims.kill([seen])
        with trio.fail_after(30):
            await victims.gone(lambda pid: pid == process.pid)

    assert await process.wait() == -signal.SIGKILL


async def test_without_a_free_descriptor_nothing_is_killed_and_nothing_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    process = await trio.lowlevel.open_process(["sleep", "1000"])
    seen = look_at(process.pid)
    assert seen is not None

    def full(_: int, __: int) -> int:
        raise OSError("too many open files")

    with Victims() as victims:
        monkeypatch.setattr("supervisor.agents.killing.open_pidfd", full)
        victims.kill([seen])

        assert len(victims) == 0
    process.kill()
    await process.wait()
