"""Control groups: found, made, joined and removed; on trees of files, and on those of the kernel where we may."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from supervisor.agents.cgroups import Bounds, ControlGroups, find_hierarchies

EVERYTHING = Bounds(memory=64 << 20, cpu=0.5, processes=7)


class FakeKernel:
    """A process and the trees that it sees, as files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = folder / "proc"
        self.process.mkdir()

    def version_1(self, own: str = "/") -> None:
        lines, mounts = [], []
        for number, controller in enumerate(("memory", "cpu", "pids"), 1):
            (self.folder / controller / own.lstrip("/")).mkdir(parents=True)
            lines.append(f"{number}:{controller}:{own}")
            mounts.append(f"3{number} 1 0:2 / {self.folder}/{controller} rw - cgroup cgroup rw,{controller}")
        self._write(lines, mounts)

    def version_2(self, own: str = "/", *, handed: str = "") -> Path:
        folder = self.folder / "unified" / own.lstrip("/")
        folder.mkdir(parents=True)
        (folder / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
        (folder / "cgroup.subtree_control").write_text(handed)
        self._write([f"0::{own}"], [f"31 1 0:2 / {self.folder}/unified rw - cgroup2 cgroup2 rw"])
        return folder

    def _write(self, lines: list[str], mounts: list[str]) -> None:
        (self.process / "cgroup").write_text("\n".join(lines) + "\n")
        (self.process / "mountinfo").write_text("\n".join(["30 1 0:1 / / rw - ext4 /dev/x rw", *mounts]) + "\n")


@pytest.fixture
def kernel(tmp_path: Path) -> FakeKernel:
    return FakeKernel(tmp_path)


def test_in_version_1_each_controller_has_a_folder_below_the_group_of_the_daemon(kernel: FakeKernel) -> None:
    kernel.version_1("/docker/abc")
    groups = ControlGroups("instance", process=kernel.process)

    group = groups.make("web.1", EVERYTHING)

    assert group is not None
    memory, cpu, pids = (kernel.folder / name / "docker/abc/hoody-instance/web.1" for name in ("memory", "cpu", "pids"))
    assert set(group.folders) == {memory, cpu, pids}
    assert (memory / "memory.limit_in_bytes").read_text() == str(64 << 20)
    assert (cpu / "cpu.cfs_quota_us").read_text() == "50000"
    assert (pids / "pids.max").read_text() == "7"


def test_only_the_controllers_that_are_needed_get_a_folder(kernel: FakeKernel) -> None:
    kernel.version_1()
    groups = ControlGroups("instance", process=kernel.process)

    group = groups.make("web.1", Bounds(processes=3))

    assert group is not None
    assert group.folders == (kernel.folder / "pids/hoody-instance/web.1",)
    assert groups.make("web.1", Bounds()) is None


def test_in_version_2_one_folder_has_all_and_the_controllers_are_handed_on(kernel: FakeKernel) -> None:
    own = kernel.version_2("/user.slice/hoody.service")

    found = find_hierarchies("hoody-x", kernel.process)

    assert {(each.version, each.folder) for each in found.values()} == {(2, own / "hoody-x")}
    assert set(found) == {"memory", "cpu", "processes"}
    assert (own / "cgroup.subtree_control").read_text() == "+pids"  # the last of three writes


def test_who_has_moved_down_in_version_2_finds_what_it_made_before(kernel: FakeKernel) -> None:
    own = kernel.version_2("/hoody.service", handed="cpu memory pids")
    assert find_hierarchies("hoody-x", kernel.process)
    (own / "daemon").mkdir()
    (kernel.process / "cgroup").write_text("0::/hoody.service/daemon\n")

    found = find_hierarchies("hoody-x", kernel.process)

    assert {each.folder for each in found.values()} == {own / "hoody-x"}


def test_a_controller_that_is_not_there_is_not_used(kernel: FakeKernel) -> None:
    own = kernel.version_2()
    (own / "cgroup.controllers").write_text("pids\n")

    assert set(find_hierarchies("hoody-x", kernel.process)) == {"processes"}


def test_where_nothing_is_mounted_or_nothing_may_be_written_there_is_no_group(kernel: FakeKernel) -> None:
    kernel.version_1()
    for name in ("memory", "cpu", "pids"):
        (kernel.folder / name).rmdir()
        (kernel.folder / name).write_text("")

    groups = ControlGroups("instance", process=kernel.process)

    assert groups.hierarchies == {}
    assert groups.make("web.1", EVERYTHING) is None
    groups.close()


def test_what_an_earlier_daemon_left_empty_is_removed(kernel: FakeKernel) -> None:
    kernel.version_1()
    for name in ("memory", "cpu", "pids"):
        (kernel.folder / name / "hoody-instance/old.3").mkdir(parents=True)
        busy = kernel.folder / name / "hoody-instance/busy.1"
        busy.mkdir()
        (busy / "something").write_text("")

    assert ControlGroups("instance", process=kernel.process).hierarchies

    assert not (kernel.folder / "memory/hoody-instance/old.3").exists()
    assert (kernel.folder / "memory/hoody-instance/busy.1").exists()


@pytest.fixture
def groups() -> Iterator[ControlGroups]:
    """Groups of the kernel."""
    found = ControlGroups(uuid4().hex)
    if set(found.hierarchies) != {"memory", "cpu", "processes"}:
        pytest.skip("no control groups may be made here")
    yield found
    found.close()
    assert not any(each.folder.exists() for each in found.hierarchies.values())


def test_the_kernel_takes_every_bound_and_a_group_ends_without_a_trace(groups: ControlGroups) -> None:
    group = groups.make("web.1", EVERYTHING)

    assert group is not None
    assert group.pids() == set()
    assert group.memory_kills() == 0
    assert groups.find("web.1", EVERYTHING) == group
    assert group.remove()
    assert groups.find("web.1", EVERYTHING) is None
    assert group.remove()


def test_what_a_process_had_started_before_joins_with_it_and_a_kill_reaches_all(groups: ControlGroups) -> None:
    group = groups.make("web.1", EVERYTHING)
    assert group is not None
    script = "sleep 1000 & (sleep 1000 & echo ready; wait)"
    process = subprocess.Popen(["/bin/sh", "-c", script], stdout=subprocess.PIPE, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"

    group.join(process.pid)
    inside = group.pids()
    assert not group.remove()
    group.kill()

    assert process.pid in inside
    assert len(inside) == 4
    assert process.wait(10) in {-9, 137}, "killed, or told by its killed child before its own turn came"
    process.stdout.close()
    while not group.remove():
        os.sched_yield()


def test_a_process_that_has_ended_needs_no_group(groups: ControlGroups) -> None:
    group = groups.make("web.1", Bounds(processes=3))
    assert group is not None
    process = subprocess.Popen(["/bin/true"])
    process.wait()

    group.join(process.pid)

    assert group.pids() == set()
    assert group.remove()
