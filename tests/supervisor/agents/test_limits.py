"""What a program may take: held to it by the kernel where we may have groups, by looking where we may not."""

from __future__ import annotations

import resource
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import evolve

from supervisor.agents.cgroups import ControlGroup, ControlGroups
from supervisor.agents.host import Host
from supervisor.agents.limits import (
    NOT_ENFORCED,
    WATCHED,
    blame,
    bounds_of,
    enforcement,
    refused_limits,
    watched_limits,
)
from supervisor.agents.rights import Rights, present_rights
from supervisor.agents.sampling import Sampler, Share, excess
from supervisor.convert import definition_from_document
from supervisor.errors import InvalidInput, SpawnFailed
from supervisor.units.driver import ExitStatus, Launch
from supervisor.units.ends import judge
from supervisor.units.probes.spec import Limits
from supervisor.units.quantities import Size
from supervisor.units.spec import AgentSpec
from supervisor.units.status import EndReason
from tests.supervisor.agents.world import ProcessWorld, process_world
from tests.supervisor.contract import Ends, clear, start

MIB = 1 << 20


def no_groups(world: ProcessWorld) -> None:
    """Take the control groups away."""
    world.driver.groups._found = {}


@pytest.fixture
async def grouped(tmp_path: Path, subreaper: Host) -> AsyncIterator[ProcessWorld]:
    """A driver that may make control groups."""
    async with process_world(tmp_path, host=subreaper) as world:
        if set(world.driver.groups.hierarchies) != {"memory", "cpu", "processes"}:
            pytest.skip("no control groups may be made here")
        folders = [each.folder for each in world.driver.groups.hierarchies.values()]
        yield world
        for folder in folders:
            for group in [ControlGroup((leaf,)) for leaf in folder.iterdir() if leaf.is_dir()]:
                group.kill()
                await world.until(group.remove)
    assert not [folder for folder in folders if folder.exists()]


def limited(spec: AgentSpec, **limits: Any) -> AgentSpec:
    return evolve(spec, limits=Limits(**limits))


@pytest.mark.parametrize(
    ("limits", "path", "sentence"),
    [
        ({"memory": "1KiB"}, "limits.memory", "between 1048576 and"),
        ({"memory": "many"}, "limits.memory", "expected a number of bytes"),
        ({"cpu": 0}, "limits.cpu", "between 0.01 and 4096 processors"),
        ({"processes": 0}, "limits.processes", "between 1 and"),
        ({"processes": 1.5}, "limits.processes", "expected a whole number"),
        ({"open_files": 2}, "limits.open_files", "between 3 and"),
        ({"file_size": -1}, "limits.file_size", "must be between 0"),
    ],
)
def test_what_can_be_no_limit_is_refused_with_its_place(limits: Any, path: str, sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        definition_from_document({"name": "web", "command": "true", "limits": limits})

    (problem,) = caught.value.problems
    assert (problem.path, sentence in problem.message) == (path, True)


async def test_limits_of_a_process_are_set_on_it_and_on_nothing_else(world: ProcessWorld) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    spec = limited(world.steady(), open_files=77, core=Size(0), file_size=Size(5 * MIB))

    incarnation = await start(world, spec, Ends())

    pid = incarnation.identity.pid
    assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (77, 77)
    assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
    assert resource.prlimit(pid, resource.RLIMIT_FSIZE) == (5 * MIB, 5 * MIB)
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == before


async def test_a_file_that_grows_too_large_ends_its_writer(world: ProcessWorld) -> None:
    limited_by_now = "until [ $(ulimit -f) != unlimited ]; do sleep 0.01; done"
    script = f"{limited_by_now}; trap - XFSZ; exec head -c 3000000 /dev/zero >big"

    status = await world.run(limited(world.shell(script), file_size=Size(MIB)))

    assert status.signal == signal.SIGXFSZ
    assert (world.folder / "big").stat().st_size == MIB


def test_a_limit_above_that_of_the_daemon_is_refused_when_it_is_defined() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    rights = evolve(present_rights(), raise_limits=False)

    found = dict(refused_limits(Limits(open_files=hard + 1), rights))

    assert found == {"limits.open_files": f"this daemon may give {hard} at most, got {hard + 1}"}
    assert not list(refused_limits(Limits(open_files=soft), rights))


def test_who_may_raise_limits_is_bound_by_the_system_alone() -> None:
    rights = Rights(uid=0, gid=0, groups=(), switch_user=True, switch_group=True, lowest_nice=-20, raise_limits=True)
    most = int(Path("/proc/sys/fs/nr_open").read_text())

    assert not list(refused_limits(Limits(open_files=most), rights))
    assert [path for path, _ in refused_limits(Limits(open_files=most + 1), rights)] == ["limits.open_files"]


# ---- by the kernel ----


async def test_more_memory_than_allowed_is_told_as_the_limit_that_it_was(grouped: ProcessWorld) -> None:
    program = "x = bytearray(200_000_000)\nos._exit(0)"

    status = await grouped.run(limited(grouped.python(program), memory=Size(40 * MIB)))

    assert (status.signal, status.out_of_memory) == (signal.SIGKILL, False)
    assert status.over_limit == "the kernel killed it for going over its memory limit of 40MiB"
    verdict = judge(status, AgentSpec(command="x"), up_for=1.0)
    assert (verdict.reason, verdict.failed) == (EndReason.LIMIT, True)
    assert verdict.detail.startswith("killed by SIGKILL after 1 s: the kernel killed it")


async def test_a_helper_that_takes_too_much_is_told_by_the_end_of_its_parent(grouped: ProcessWorld) -> None:
    helper = f"'{grouped.python('').command[0]}' -S -c 'x = bytearray(200_000_000)'"

    status = await grouped.run(limited(grouped.shell(f"{helper}; exit 9"), memory=Size(40 * MIB)))

    assert status.code == 9
    assert status.over_limit.startswith("the kernel killed a process of it")


async def test_an_end_within_the_limit_is_not_blamed_on_it(grouped: ProcessWorld) -> None:
    status = await grouped.run(limited(grouped.exits(3), memory=Size(40 * MIB)))

    assert status == ExitStatus(code=3)


async def test_no_more_processes_can_be_made_than_allowed(grouped: ProcessWorld) -> None:
    joined = "until grep -q hoody- /proc/self/cgroup; do sleep 0.01; done"
    script = f"{joined}; for n in 1 2 3 4 5 6; do sleep 1000 & done; exit 0"

    status = await grouped.run(limited(grouped.shell(script), processes=4))

    assert status.code == 2  # the shell cannot fork


async def test_a_share_of_a_processor_is_no_more_than_that(grouped: ProcessWorld) -> None:
    program = (
        "while 'hoody-' not in open('/proc/self/cgroup').read(): time.sleep(0.01)\n"
        "began = time.monotonic()\nused = time.process_time()\n"
        "while time.monotonic() - began < 0.6: pass\n"
        "os._exit(0 if time.process_time() - used < 0.3 else 1)"
    )

    assert (await grouped.run(limited(grouped.python(program), cpu=0.2))).code == 0


async def test_what_escapes_every_other_sign_is_cleared_by_its_group(grouped: ProcessWorld) -> None:
    """It has left session and group, lost its parent, and has neither seal nor mark.

    It does so once it is in its group: what escapes before, nothing leads to.
    """
    program = (
        "while 'hoody-' not in open('/proc/self/cgroup').read(): time.sleep(0.01)\n"
        "resource.setrlimit(resource.RLIMIT_RTTIME, (-1, -1))\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        open('escaped', 'w').write(str(os.getpid()))\n"
        "        os.execve('/bin/sleep', ['sleep', '1000'], {})\n"
        "    os._exit(0)\n"
        "os.wait()\n"
        "while not os.path.exists('escaped') or not open('escaped').read(): time.sleep(0.01)\n"
        "time.sleep(0.1); ready(); time.sleep(1000)"
    )
    incarnation = await start(grouped, limited(grouped.python(program), processes=50), Ends())
    escaped = int((grouped.folder / "escaped").read_text())
    assert grouped.alive(escaped)

    assert await clear(grouped, incarnation) == ()
    await grouped.until(lambda: not grouped.alive(escaped))


async def test_the_group_outlives_its_keeper_and_is_found_again(grouped: ProcessWorld) -> None:
    spec = limited(grouped.steady(), memory=Size(64 * MIB))
    incarnation = await start(grouped, spec, Ends())
    incarnation.detach()

    ends = Ends()
    adopted = await grouped.driver.adopt(incarnation.identity, Launch(unit="web", incarnation=1, spec=spec), ends)

    assert adopted is not None
    group = grouped.driver.groups.find("web.1", grouped_bounds(spec))
    assert group is not None
    assert group.pids() == {incarnation.identity.pid}
    assert await clear(grouped, adopted) == ()
    assert grouped.driver.groups.find("web.1", grouped_bounds(spec)) is None


def grouped_bounds(spec: AgentSpec) -> Any:
    return bounds_of(spec.limits)


async def test_a_start_that_fails_leaves_no_group(grouped: ProcessWorld) -> None:
    spec = limited(grouped.missing(), memory=Size(64 * MIB))

    with pytest.raises(SpawnFailed):
        await grouped.driver.spawn(Launch(unit="web", incarnation=1, spec=spec), Ends())

    assert grouped.driver.groups.find("web.1", grouped_bounds(spec)) is None


# ---- by looking ----


async def test_without_groups_a_limit_is_said_to_be_watched_or_not_enforced(world: ProcessWorld) -> None:
    no_groups(world)
    limits = Limits(memory=Size(MIB), cpu=1.0, processes=3)

    assert enforcement(limits, world.driver.groups) == {
        "memory": WATCHED,
        "cpu": NOT_ENFORCED,
        "processes": WATCHED,
    }
    assert watched_limits(limits, world.driver.groups) == Limits(memory=Size(MIB), processes=3)
    assert watched_limits(Limits(cpu=1.0), world.driver.groups) is None


async def test_with_groups_nothing_is_watched(grouped: ProcessWorld) -> None:
    limits = Limits(memory=Size(MIB), cpu=1.0)

    assert all(how.startswith("by the kernel") for how in enforcement(limits, grouped.driver.groups).values())
    assert watched_limits(limits, grouped.driver.groups) is None


@pytest.mark.parametrize(
    ("share", "sentence"),
    [
        (Share(MIB, 1), ""),
        (Share(2 * MIB, 1), "it used 2MiB of memory, and its limit is 1MiB"),
        (Share(MIB, 4), "it had 4 processes, and its limit is 3"),
    ],
)
def test_more_than_a_limit_is_told_in_a_sentence(share: Share, sentence: str) -> None:
    assert excess(share, Limits(memory=Size(MIB), processes=3)) == sentence


async def test_what_is_looked_at_is_everything_that_the_incarnation_has_started(world: ProcessWorld) -> None:
    no_groups(world)
    incarnation = await start(world, world.leaves_helpers(), Ends())
    sampler, told = Sampler(world.driver.instance, period=0.01), list[str]()

    await sampler.watch("web", 1, Limits(processes=2), told.append)
    with trio.move_on_after(0.05):
        await sampler.watch("web", 1, Limits(memory=Size(1 << 40), processes=3), told.append)

    assert told == ["it had 3 processes, and its limit is 2"]
    assert await clear(world, incarnation) == ()


def test_the_sentence_about_a_limit_needs_an_unwanted_end() -> None:
    class Group:
        def memory_kills(self) -> int:
            return 1

    limits = Limits(memory=Size(MIB))

    assert blame(ExitStatus(code=0), Group(), limits) == ""  # type: ignore[arg-type]
    assert blame(ExitStatus(known=False), Group(), limits) == ""  # type: ignore[arg-type]
    assert blame(ExitStatus(code=1), Group(), Limits()) == ""  # type: ignore[arg-type]


def test_the_groups_of_a_system_that_has_none_are_none(tmp_path: Path) -> None:
    (tmp_path / "cgroup").write_text("")
    (tmp_path / "mountinfo").write_text("30 1 0:1 / / rw - ext4 /dev/x rw\n")

    assert ControlGroups("x", process=tmp_path).hierarchies == {}
