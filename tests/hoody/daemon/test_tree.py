"""The real tree in this process: a part that crashes comes back alone, and no agent notices."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from api.listening import listen
from hoody.daemon.config import DaemonConfig
from hoody.daemon.control import Control
from hoody.daemon.runtime_file import read_daemon_file
from hoody.daemon.stopping import unfinished
from hoody.daemon.token import TokenKeeper
from hoody.daemon.tree import Parts, make_parts, make_tree, utc_now
from hoody.home import find_home, prepare_home
from supervisor.agents.host import Host
from supervisor.health import Overall
from supervisor.runtime import System, run
from supervisor.units.messages import CreateUnit, StopUnit
from supervisor.units.quantities import Duration
from supervisor.units.services import Departure
from supervisor.units.spec import AgentDefinition, AgentSpec
from supervisor.units.status import State

SPEC = AgentSpec(command=("sleep", "600"), start_seconds=Duration(0.0), stop_timeout=Duration(5.0))


class Running:
    """The tree, as a test sees it."""

    def __init__(self, parts: Parts, system: System) -> None:
        self.parts = parts
        self.system = system

    async def create(self, name: str) -> int:
        definition = AgentDefinition(name=name, spec=SPEC)
        await self.ask("agents", lambda reply: CreateUnit(definition=definition, start=True, reply_to=reply))
        return await self.pid_of(name)

    async def ask(self, actor: str, make: Callable[[Any], object]) -> Any:
        return await self.system.registry.ref(actor).ask(make, timeout=10)

    async def pid_of(self, name: str, *, other_than: int = 0) -> int:
        def pid() -> int:
            view = self.parts.units.roster.view(name)
            found = view.status.pid if view is not None and view.status.state is State.RUNNING else None
            return 0 if found is None or found == other_than else found

        await eventually(lambda: pid() != 0)
        return pid()

    def state_of(self, name: str) -> State | None:
        view = self.parts.units.roster.view(name)
        return view.status.state if view is not None else None

    async def crash_service(self, supervisor_path: str, child: str) -> None:
        """End a child as crashed, as its own code would by raising, and wait for its next incarnation."""
        (shell,) = (shell for shell in self.system.shells if shell.path == supervisor_path)
        before = shell._live[child]
        before.fail(RuntimeError("a defect, for a test"))
        await eventually(lambda: child in shell._live and shell._live[child] is not before and shell._live[child].up)

    async def crash_actor(self, name: str) -> None:
        """Give an actor a message that it cannot understand, and wait for its next incarnation."""
        before = self.system.registry.ref(name)
        before.tell(object())
        await eventually(lambda: self.system.registry.whereis(name) not in {None, before})


async def eventually(condition: Callable[[], bool]) -> None:
    with trio.fail_after(30):
        while not condition():  # noqa: ASYNC110 - threads and processes are part of what is waited for
            await trio.sleep(0.002)


@asynccontextmanager
async def running(folder: Path, *, take_units: bool = True) -> AsyncIterator[Running]:
    home = find_home({"HOODY_HOME": str(folder)})
    prepare_home(home)
    control = Control(
        home=home,
        instance=f"test-{os.getpid()}-{folder.name}",
        started_at=utc_now(),
        tokens=TokenKeeper.load_or_create(home.token_file),
        departure=Departure(),
    )
    parts = make_parts(home, DaemonConfig(), control, Host.as_it_is(), listen())
    system = System()
    system.telemetry.attach(parts.health)
    up = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(
            lambda task_status: run(make_tree(parts, up=up.set), system=system, task_status=task_status)
        )
        assert up.is_set()
        try:
            yield Running(parts, system)
        finally:
            control.departure.take_units = take_units
            system.shutdown("the test is over")
    parts.close()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] not in b"ZX"
    except FileNotFoundError:
        return False


SERVICES = ("base/events", "base/logs", "base/processes", "departing", "http", "address")


@pytest.mark.parametrize("part", [f"hoody/{service}" for service in SERVICES])
async def test_a_service_that_crashes_comes_back_and_agents_keep_their_processes(tmp_path: Path, part: str) -> None:
    async with running(tmp_path) as tree:
        pid = await tree.create("web")

        await tree.crash_service(*part.rsplit("/", 1))

        assert is_alive(pid)
        assert await tree.pid_of("web") == pid
        found = read_daemon_file(tree.parts.home)
        assert found is not None
        assert found.port == tree.parts.listening.port
        report = tree.parts.health.report(())
        assert [(each.path, each.up, each.restarts) for each in report.parts] == [(part, True, 1)]
        assert report.status is Overall.HEALTHY

        # What the part is there for works: an end is noticed, output is taken in, and the unit comes back.
        os.kill(pid, 9)
        second = await tree.pid_of("web", other_than=pid)
        begin = trio.current_time()

    # Ends are noticed to the last: the end of the tree does not run into the unit's stop timeout.
    assert trio.current_time() - begin < SPEC.stop_timeout
    assert not is_alive(second)


@pytest.mark.parametrize("part", ["store", "groups", "agents", "agents/web"])
async def test_an_actor_that_crashes_comes_back_and_agents_keep_their_processes(tmp_path: Path, part: str) -> None:
    async with running(tmp_path) as tree:
        pid = await tree.create("web")

        await tree.crash_actor(part)

        assert await tree.pid_of("web") == pid
        assert is_alive(pid)
        await tree.ask("agents", lambda reply: StopUnit(name="web", wait=True, now=False, reply_to=reply))
        assert not is_alive(pid)
        assert tree.state_of("web") is State.STOPPED


async def test_the_supervisor_of_the_keepers_can_crash_and_all_agents_are_taken_up_again(tmp_path: Path) -> None:
    async with running(tmp_path) as tree:
        pids = [await tree.create(name) for name in ("a", "b")]

        await tree.crash_service("hoody/agents", "agents-units")

        await eventually(lambda: tree.system.registry.whereis("agents") is not None)
        assert [await tree.pid_of(name) for name in ("a", "b")] == pids
        assert all(map(is_alive, pids))


async def test_agents_that_are_left_are_taken_up_by_the_next_tree(tmp_path: Path) -> None:
    async with running(tmp_path, take_units=False) as tree:
        pid = await tree.create("web")
    assert is_alive(pid)

    async with running(tmp_path) as tree:
        assert await tree.pid_of("web") == pid

    assert not is_alive(pid)


async def test_a_part_that_crashes_again_and_again_ends_the_tree_and_leaves_the_agents(tmp_path: Path) -> None:
    async with running(tmp_path) as tree:
        pid = await tree.create("web")
        with trio.fail_after(30):
            while any(shell.path == "hoody" for shell in tree.system.shells):
                for shell in [shell for shell in tree.system.shells if shell.path == "hoody/base"]:
                    if (child := shell._live.get("logs")) is not None:
                        child.fail(RuntimeError("a defect, for a test"))
                await trio.sleep(0.005)

        assert is_alive(pid)

    async with running(tmp_path) as tree:
        assert await tree.pid_of("web") == pid


async def test_the_base_can_be_restarted_under_running_agents(tmp_path: Path) -> None:
    async with running(tmp_path) as tree:
        pid = await tree.create("web")

        await tree.crash_service("hoody", "base")
        await eventually(lambda: tree.system.registry.whereis("agents/web") is not None)

        assert await tree.pid_of("web") == pid
        os.kill(pid, 9)
        await tree.pid_of("web", other_than=pid)
        begin = trio.current_time()

    assert trio.current_time() - begin < SPEC.stop_timeout


async def test_what_has_not_been_asked_to_end_is_not_waited_for(tmp_path: Path) -> None:
    async with running(tmp_path) as tree:
        await tree.create("web")

        assert list(unfinished(tree.system.tree())) == []
