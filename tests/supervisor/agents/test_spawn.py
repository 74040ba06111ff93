"""What a program finds when it starts."""

from __future__ import annotations

import os
import resource
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from supervisor.agents.host import Host, unblock_signals
from supervisor.agents.identity import boot_id, read_proc, read_stat
from supervisor.agents.marks import Mark, seal_from
from supervisor.agents.output import Discard
from supervisor.agents.spawn import Spawner
from supervisor.agents.window import LimitWindow
from supervisor.descriptors import DescriptorLimits
from supervisor.units.driver import Launch
from supervisor.units.spec import AgentSpec
from tests.supervisor.agents.world import ProcessWorld, process_world
from tests.supervisor.contract import Ends, start


def descriptors(pid: int | str = "self") -> dict[str, str]:
    return {entry.name: str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir() if os.path.lexists(entry)}


async def test_a_program_has_three_descriptors_and_no_other_of_ours(world: ProcessWorld) -> None:
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)  # as a careless library would
    try:
        launch = Launch(unit="web", incarnation=1, spec=AgentSpec(command="sleep 1000"))
        incarnation = await world.driver.spawn(launch, Ends())
        pid = incarnation.identity.pid
        await world.until(lambda: len(descriptors(pid)) == 3)  # its loader opens its libraries for a moment
        found = descriptors(pid)
    finally:
        os.close(reading)
        os.close(writing)

    assert found == {"0": "/dev/null", "1": "/dev/null", "2": "/dev/null"}


async def test_a_program_leads_a_session_and_a_group_of_its_own(world: ProcessWorld) -> None:
    incarnation = await start(world, world.steady(), Ends())
    pid = incarnation.identity.pid

    assert (pid, pid) == (os.getsid(pid), os.getpgid(pid))


async def test_an_identity_is_what_the_system_says(world: ProcessWorld) -> None:
    incarnation = await start(world, world.steady(), Ends())
    stat = read_stat(incarnation.identity.pid)

    assert stat is not None
    assert (stat.start_time, boot_id()) == (incarnation.identity.start_time, incarnation.identity.boot_id)


async def test_a_program_starts_in_its_folder_with_its_environment(world: ProcessWorld) -> None:
    told = await world.told(
        'pwd -P >&3; echo "$PWD $HOODY_UNIT $HOODY_INCARNATION $HOODY_INSTANCE $MINE" >&3', environment={"MINE": "yes"}
    )

    folder = str(world.folder)
    assert [folder, f"{folder} web 1 {world.driver.instance} yes"] == told.splitlines()


async def test_a_program_is_looked_for_on_its_own_path(world: ProcessWorld) -> None:
    (world.folder / "mine").write_text("#!/bin/sh\nexit 7\n")
    (world.folder / "mine").chmod(0o755)
    environment = {"PATH": str(world.folder)}

    assert (await world.run(AgentSpec(command="mine", environment=environment))).code == 7


async def test_a_relative_program_lies_in_the_folder_that_it_starts_in(world: ProcessWorld) -> None:
    (world.folder / "below").mkdir()
    (world.folder / "below" / "run").write_text("#!/bin/sh\nexit 8\n")
    (world.folder / "below" / "run").chmod(0o755)

    assert (await world.run(AgentSpec(command="./run", directory="below"))).code == 8


async def test_a_shell_command_is_run_by_the_shell(world: ProcessWorld) -> None:
    assert (await world.run(AgentSpec(command="exit $((2 + 3))", shell=True))).code == 5


async def test_output_goes_where_the_output_says_and_nothing_stays_open_here(tmp_path: Path) -> None:
    opened: list[tuple[str, str, int]] = []

    class ToFiles(Discard):
        def open(self, unit: str, stream: str, incarnation: int) -> int:
            opened.append((unit, stream, incarnation))
            return os.open(tmp_path / stream, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC)

    async with process_world(tmp_path, output=ToFiles()) as world:
        before = len(descriptors())
        status = await world.run(world.shell("echo out; echo err >&2"))
        after = len(descriptors())

    assert status.code == 0
    assert [(tmp_path / name).read_text() for name in ("stdout", "stderr")] == ["out\n", "err\n"]
    assert opened == [("web", "stdout", 1), ("web", "stderr", 1)]
    assert before == after


async def test_signals_that_this_process_ignores_or_blocks_are_fresh_in_a_program(world: ProcessWorld) -> None:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR2)}
    for number in kept:
        signal.signal(number, signal.SIG_IGN)
    try:
        unblock_signals()
        told = await world.told("grep -E '^Sig(Blk|Ign)' /proc/self/status >&3")
        assert signal.getsignal(signal.SIGHUP) not in {signal.SIG_IGN, signal.SIG_DFL}
        os.kill(os.getpid(), signal.SIGHUP)  # survived as before
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)

    values = [int(line.split()[1], 16) for line in told.splitlines()]
    assert values == [0, 0]


@pytest.fixture
def raised() -> Iterator[DescriptorLimits]:
    """This process with a raised limit on descriptors, as the daemon has it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard - 1, hard))
    yield DescriptorLimits(inherited=512, raised=hard - 1, hard=hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_program_has_the_descriptor_limit_that_the_daemon_was_started_with(
    tmp_path: Path, raised: DescriptorLimits
) -> None:
    async with process_world(tmp_path, host=Host(descriptors=raised, subreaper=False)) as world:
        for _ in range(20):
            assert (await world.told("ulimit -S -n >&3")).strip() == "512"

    assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == raised.raised


async def test_the_limit_is_right_even_when_low_descriptors_are_used_up(
    tmp_path: Path, raised: DescriptorLimits
) -> None:
    taken = []
    while not taken or taken[-1] < raised.inherited:
        taken.append(os.open(os.devnull, os.O_RDONLY))
    try:
        async with process_world(tmp_path, host=Host(descriptors=raised, subreaper=False)) as world:
            told = await world.told("sleep 0.05; ulimit -S -n >&3")
    finally:
        for descriptor in taken:
            os.close(descriptor)

    assert told.strip() == "512"


async def test_a_program_carries_its_seal_and_this_process_keeps_its_own_limits(world: ProcessWorld) -> None:
    before = resource.getrlimit(resource.RLIMIT_RTTIME)
    incarnation = await start(world, world.steady(), Ends(), "web", 4)

    limits = read_proc(incarnation.identity.pid, "limits")

    assert limits is not None
    assert seal_from(limits) == Mark("web", 4, world.driver.instance).seal
    assert before == resource.getrlimit(resource.RLIMIT_RTTIME)


async def test_a_start_that_fails_gives_the_limits_back(world: ProcessWorld) -> None:
    before = resource.getrlimit(resource.RLIMIT_RTTIME), resource.getrlimit(resource.RLIMIT_NOFILE)

    with pytest.raises(Exception, match="no such program"):
        await world.run(world.missing())

    assert before == (resource.getrlimit(resource.RLIMIT_RTTIME), resource.getrlimit(resource.RLIMIT_NOFILE))


async def test_a_program_that_dies_with_its_parent_is_not_killed_by_an_idle_thread(world: ProcessWorld) -> None:
    """The kernel sends the parent-death signal when the thread that made the child ends."""
    ends = Ends()
    program = "import ctypes; ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0); ready(); time.sleep(1000)"
    await start(world, world.python(program), ends)

    threads = [thread.name for thread in threading.enumerate() if thread.name.startswith("spawn-")]

    assert threads
    assert not any(name.startswith("Trio") for name in threads)
    await ends.none(world)


async def test_a_cancelled_start_leaves_a_process_that_can_be_found_and_adopted(world: ProcessWorld) -> None:
    entered, release = threading.Event(), threading.Event()

    class Slow(Discard):
        def open(self, unit: str, stream: object, incarnation: int) -> int:
            entered.set()
            release.wait(10)
            return super().open(unit, "stdout", incarnation)

    world.driver._spawner = Spawner(
        output=Slow(), window=LimitWindow(Host.as_it_is().descriptors), inherited=dict(os.environ), home="/"
    )
    lost, found = Ends(), Ends()
    launch = Launch(unit="web", incarnation=1, spec=world.steady())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(world.driver.spawn, launch, lost)
        await trio.to_thread.run_sync(entered.wait)
        nursery.cancel_scope.cancel(reason="the test wants it so")
    release.set()
    await world.until(lambda: world.running("web"))

    (stray,) = [stray for stray in await world.driver.find_strays() if stray.main]
    await world.until(lambda: not world.driver._flights._begun)
    adopted = await world.driver.adopt(stray.identity, launch, found)

    assert adopted is not None
    adopted.signal(signal.SIGTERM)
    assert (await found.one(world)).signal == signal.SIGTERM
    assert lost.seen == []
