"""Deaths for want of memory are told from other deaths by SIGKILL."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from supervisor.agents.memory import KernelLog, OutOfMemory, count_from, counter_file, victim_from
from supervisor.units.driver import ExitStatus
from tests.supervisor.agents.world import ProcessWorld
from tests.supervisor.contract import Ends, start

# Recorded on Linux 6.18 (version 1) and 6.8 (version 2).
CGROUP_V1 = "9:name=systemd:/\n8:pids:/\n4:memory:/agents/web\n2:cpuacct:/\n0::/\n"
CGROUP_V1_OF_THE_DEAD = "9:name=systemd:/\n8:pids:/\n4:memory:/\n2:cpuacct:/\n0::/\n"
CGROUP_V2 = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/hoody.service\n"
OOM_CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"
MEMORY_EVENTS = "low 0\nhigh 0\nmax 5213\noom 4\noom_kill 2\noom_group_kill 0\n"
IN_GROUP = (
    b"3,1021,84127001,-;Memory cgroup out of memory: Killed process 4242 (python3) total-vm:90564kB, anon-rss:7884kB\n"
)
IN_SYSTEM = b"3,1022,84127002,-;Out of memory: Killed process 77 (node) total-vm:1kB, anon-rss:2kB, UID:1000\n"


def test_the_counter_of_a_group_is_found_in_both_versions() -> None:
    root = Path("/sys/fs/cgroup")

    assert root / "memory/agents/web/memory.oom_control" == counter_file(CGROUP_V1)
    assert root / CGROUP_V2.strip()[4:] / "memory.events" == counter_file(CGROUP_V2)
    assert counter_file("0::/\n") is None
    assert counter_file("") is None


def test_the_count_is_read_in_both_versions() -> None:
    assert (count_from(OOM_CONTROL), count_from(MEMORY_EVENTS), count_from("low 0\n")) == (3, 2, None)


def test_the_victim_is_read_from_the_kernels_log() -> None:
    assert (victim_from(IN_GROUP), victim_from(IN_SYSTEM)) == (4242, 77)
    assert victim_from(b"6,1,1,-;oom-kill:constraint=CONSTRAINT_MEMCG,task=python3,pid=4242,uid=0\n") is None
    assert victim_from(b"6,1,1,-;somebody says: Killed process 4242\n") is None


class Machine:
    """A folder that looks like control groups of version 2, and a pipe that looks like the kernel's log."""

    def __init__(self, folder: Path, *, log: bool) -> None:
        self.folder = folder
        self.events = folder / CGROUP_V2.strip()[4:] / "memory.events"
        self.events.parent.mkdir(parents=True)
        self.count(2)
        self.log_path = folder / "kmsg"
        self.log = log
        if log:
            self.log_path.touch()

    def count(self, number: int) -> None:
        self.events.write_text(MEMORY_EVENTS.replace("oom_kill 2", f"oom_kill {number}"))

    def say(self, record: bytes) -> None:
        with self.log_path.open("ab") as file:
            file.write(record)

    def judge(self) -> OutOfMemory:
        found = OutOfMemory(KernelLog(str(self.log_path)), self.folder)
        found.note(CGROUP_V2)
        return found


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine whose kernel's log can be read."""
    return Machine(tmp_path, log=True)


@pytest.fixture
def mute(tmp_path: Path) -> Machine:
    """A machine whose kernel's log this user may not read."""
    return Machine(tmp_path, log=False)


def test_the_process_that_the_log_names_is_told_once_and_no_other(machine: Machine) -> None:
    judge = machine.judge()
    assert not judge.killed(4242)
    machine.say(b"6,1,1,-;something else\n" + IN_GROUP)

    assert not judge.killed(4243)
    assert judge.killed(4242)
    assert not judge.killed(4242)
    judge.close()
    judge.close()


def test_the_log_of_a_kernel_that_counts_other_pids_is_not_heard(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervisor.agents.memory._FIRST_PID_NAMESPACE", 1)
    judge = machine.judge()
    machine.say(IN_GROUP)

    assert not judge.killed(4242, CGROUP_V2)
    machine.count(3)
    assert judge.killed(4242, CGROUP_V2)


def test_what_the_log_said_before_we_listened_is_of_no_concern(machine: Machine) -> None:
    machine.say(IN_GROUP)
    judge = machine.judge()

    assert not judge.killed(4242)
    judge.close()


def test_without_the_log_each_counted_kill_is_given_to_one_death(mute: Machine) -> None:
    judge = mute.judge()
    mute.count(4)

    assert [judge.killed(pid, CGROUP_V2) for pid in (10, 11, 12)] == [True, True, False]


def test_a_group_that_has_come_up_since_starts_at_zero(mute: Machine) -> None:
    judge = OutOfMemory(KernelLog(str(mute.log_path)), mute.folder)
    mute.count(1)

    assert judge.killed(10, CGROUP_V2)
    assert not judge.killed(10, CGROUP_V2)


def test_without_any_witness_nothing_is_claimed(mute: Machine) -> None:
    judge = mute.judge()
    mute.events.unlink()

    assert not judge.killed(77, CGROUP_V2)
    assert not judge.killed(77, "")


def test_where_the_group_of_the_dead_is_hidden_our_own_group_decides(
    mute: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervisor.agents.memory._cgroup_of", lambda _: CGROUP_V2)
    judge = mute.judge()
    mute.count(3)

    assert judge.killed(4242, CGROUP_V1_OF_THE_DEAD)
    assert not judge.killed(4242, CGROUP_V1_OF_THE_DEAD)


def test_a_process_that_is_gone_has_no_group(mute: Machine) -> None:
    assert not mute.judge().killed(2**22 + 1)


# ---- for real ----


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A real control group with a limit of 16 MiB, where this user may make one."""
    root = Path("/sys/fs/cgroup")
    version1 = (root / "memory").is_dir()
    group = (root / "memory" if version1 else root) / f"hoody-test-{uuid4()}"
    try:
        group.mkdir()
    except OSError:
        pytest.skip("this user may not make control groups")
    try:
        try:
            (group / ("memory.limit_in_bytes" if version1 else "memory.max")).write_text(str(16 << 20))
        except OSError:
            pytest.skip("the control groups of this system have no limit on memory here")
        yield group
    finally:
        group.rmdir()


async def test_a_program_that_wants_more_memory_than_it_may_have_is_told_as_such(
    world: ProcessWorld, small_group: Path
) -> None:
    program = f"open('{small_group}/cgroup.procs', 'w').write(str(os.getpid())); hold = bytearray(200 << 20)"

    assert ExitStatus(signal=signal.SIGKILL, out_of_memory=True) == await world.run(world.python(program))


async def test_a_kill_by_hand_in_the_same_group_is_not(world: ProcessWorld, small_group: Path) -> None:
    ends = Ends()
    program = f"open('{small_group}/cgroup.procs', 'w').write(str(os.getpid())); ready(); time.sleep(1000)"
    incarnation = await start(world, world.python(program), ends)

    os.kill(incarnation.identity.pid, signal.SIGKILL)

    assert ExitStatus(signal=signal.SIGKILL) == await ends.one(world)
