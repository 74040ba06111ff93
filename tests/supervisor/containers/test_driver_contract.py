"""The container driver keeps what every driver keeps, on a real engine."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import trio

from supervisor.units.driver import Incarnation
from tests.supervisor import contract
from tests.supervisor.containers.world import Daemon, shell, spec
from tests.supervisor.contract import DriverWorld, Ends, clear, start


class ContainerWorld(DriverWorld):
    quiet = 0.15

    def __init__(self, daemon: Daemon) -> None:
        self.driver = daemon.driver
        self.daemon = daemon
        self._sleepers = 0
        """How many processes that sleep the last of the specs comes to, once its program is under way."""

    def steady(self) -> Any:
        self._sleepers = 1
        return spec("sleep", "1000")

    def stubborn(self) -> Any:
        self._sleepers = 1
        return shell("trap '' TERM; while :; do sleep 1000; done")

    def exits(self, code: int) -> Any:
        self._sleepers = 0
        return shell(f"exit {code}")

    def leaves_helpers(self) -> Any:
        self._sleepers = 3
        return shell("sleep 1000 & sleep 1000 & exec sleep 1000")

    def missing(self) -> Any:
        return spec("true", image="hoody-test/nothing:1")

    def helpers(self, incarnation: Incarnation) -> set[int]:
        init = incarnation.identity.pid
        return {pid for pid in _inside(init) if pid != init and _parent(pid) != init}

    def alive(self, pid: int) -> bool:
        return pid != 0 and Path(f"/proc/{pid}").exists()

    def running(self, unit: str) -> set[int]:
        found = set()
        for each in self.daemon.real.containers(label=[f"dev.hoody.unit={unit}"], status=["running"]):
            facts = self.daemon.real.json("GET", f"/containers/{each['Id']}/json")
            found.add(facts["State"]["Pid"])  # type: ignore[index]
        return found

    async def settled(self, incarnation: Incarnation) -> None:
        """Wait until the little init has started the program, and the shell in it what it is to start."""
        init = incarnation.identity.pid
        while self.alive(init) and sum(map(_sleeps, _inside(init))) < self._sleepers:  # noqa: ASYNC110 - told by nobody
            await trio.sleep(0.01)


def _sleeps(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0].endswith(b"sleep")
    except OSError:
        return False


def _inside(init: int) -> set[int]:
    """Return the pids of a container's processes, seen from here: those that share its pid namespace."""
    mine = _namespace(init)
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return {pid for pid in pids if mine is not None and _namespace(pid) == mine}


def _namespace(pid: int) -> str | None:
    try:
        return str(Path(f"/proc/{pid}/ns/pid").readlink())
    except OSError:
        return None


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


@pytest.fixture
def world(daemon: Daemon) -> ContainerWorld:
    return ContainerWorld(daemon)


class TestContainerDriver(contract.DriverContract):
    async def test_a_signal_to_the_main_process_alone_spares_its_helpers(self, world: DriverWorld) -> None:
        """In a container nothing outlives the first process: the kernel ends the rest with it."""
        ends = Ends()
        incarnation = await start(world, world.leaves_helpers(), ends)
        before = world.helpers(incarnation)

        incarnation.signal(signal.SIGKILL, whole_group=False)
        await ends.one(world)

        assert before
        assert not any(world.alive(pid) for pid in before)
        assert await clear(world, incarnation) == ()
