"""Ports that are lent to agents, and what their environment says at a start."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from supervisor.agents.leases import FIRST_PORT, PORTS, PortLeases, holder_of, is_free
from supervisor.agents.provision import AgentProvision
from supervisor.errors import SpawnFailed, StorageError
from supervisor.units.provision import Store
from supervisor.units.quantities import Duration
from supervisor.units.services import UnitServices
from supervisor.units.spec import AgentSpec, BackoffSpec
from supervisor.units.status import State
from supervisor.units.testing import FakeDriver, Program, Shelf, Units, fake_driver, running_units

UNITS = st.sampled_from(["a", "b", "c"])
NAMES = st.lists(st.sampled_from(["http", "admin", "metrics"]), unique=True)


@given(st.lists(st.tuples(UNITS, NAMES)), st.sets(st.integers(FIRST_PORT, FIRST_PORT + 50)))
def test_no_port_is_lent_twice_and_what_is_lent_stays(steps: list[tuple[str, list[str]]], busy: set[int]) -> None:
    leases = PortLeases(lambda port: port not in busy)
    for unit, names in steps:
        before = dict(leases.of(unit))
        granted = leases.grant(unit, names)

        assert list(granted) == names
        assert all(granted[name] == before[name] for name in names if name in before)
        everything = [port for each in "abc" for port in leases.of(each).values()]
        assert len(everything) == len(set(everything))
        assert not busy.intersection(everything)


def test_the_same_agent_gets_the_same_port_where_it_is_free() -> None:
    first, second = (PortLeases(lambda _: True).grant("web", ["http"]) for _ in range(2))

    assert first == second


def test_when_no_port_is_left_that_is_said() -> None:
    with pytest.raises(SpawnFailed, match=f"no port between {FIRST_PORT} and {FIRST_PORT + PORTS - 1} is free for 'x'"):
        PortLeases(lambda _: False).grant("web", ["x"])


def test_a_port_that_somebody_listens_on_is_not_free_and_its_holder_is_named() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        port = listening.getsockname()[1]

        assert not is_free(port)
        assert f"process {os.getpid()} (" in holder_of(port)
    assert is_free(port)
    assert holder_of(port) == "a process that this user may not look at"


# ---- at a start ----


def agent(**given: Any) -> AgentSpec:
    return AgentSpec(command=("web",), start_seconds=Duration(0), **given)


class World:
    """Agents whose ports are taken by whom the test says."""

    def __init__(self, units: Units, driver: FakeDriver, busy: set[int]) -> None:
        self.units = units
        self.driver = driver
        self.busy = busy

    def environment(self, unit: str) -> Mapping[str, str]:
        return [launch.spec.environment for launch in self.driver.launches if launch.unit == unit][-1]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    busy: set[int] = set()
    async with fake_driver(web=Program()) as driver:
        provision = AgentProvision(PortLeases(lambda port: port not in busy))
        async with running_units(UnitServices(driver=driver, provision=provision)) as units:
            yield World(units, driver, busy)


async def test_an_agent_is_told_its_ports_and_its_names(world: World) -> None:
    environment = {"URL": "http://localhost:{ports.admin}/{name}", "RAW": "{{port}}", "HTTP_PORT": "mine"}
    spec = agent(ports=("http", "admin"), environment=environment)
    await world.units.create("web", spec)
    view = await world.units.start("web", wait=True)

    http, admin = view.status.ports["http"], view.status.ports["admin"]
    assert world.environment("web") == {
        "PORT": str(http),
        "HTTP_PORT": "mine",
        "ADMIN_PORT": str(admin),
        "URL": f"http://localhost:{admin}/web",
        "RAW": "{port}",
    }
    assert view.spec == spec


async def test_ports_stay_over_restarts_of_the_unit_and_of_the_daemon(world: World) -> None:
    await world.units.create("web", agent(ports=("http",)))
    first = (await world.units.start("web", wait=True)).status.ports
    assert (await world.units.restart("web", wait=True)).status.ports == first
    assert world.units.shelf.documents[("lease", "web")] == f'{{"http": {first["http"]}}}'

    provision = AgentProvision(PortLeases(lambda _: True))
    async with running_units(UnitServices(driver=world.driver, provision=provision), world.units.shelf) as units:
        assert (await units.get("web")).status.ports == first


async def test_an_agent_that_is_deleted_gives_its_ports_back(world: World) -> None:
    await world.units.create("web", agent(ports=("http",)))
    await world.units.start("web", wait=True)

    await world.units.delete("web", force=True)

    assert world.units.shelf.documents == {}
    await world.units.create("web", agent(), start=False)
    assert (await world.units.get("web")).status.ports == {}


async def test_a_port_that_is_taken_is_told_with_its_holder_and_tried_again(world: World) -> None:
    await world.units.create("web", agent(ports=("http",), backoff=BackoffSpec(initial=Duration(0.05))))
    port = (await world.units.start("web", wait=True)).status.ports["http"]
    await world.units.stop("web", wait=True)
    world.busy.add(port)

    with pytest.raises(SpawnFailed, match=f"port {port}, which it has as 'http', is taken by "):
        await world.units.start("web", wait=True)

    world.busy.clear()
    with trio.fail_after(30):
        while (view := await world.units.get("web")).status.state is not State.RUNNING:  # noqa: ASYNC110 - as a client
            await trio.sleep(0.01)
    assert view.status.ports == {"http": port}


async def test_ports_that_cannot_be_remembered_are_not_given(world: World) -> None:
    await world.units.create("web", agent(ports=("http",)), start=False)
    await world.units.start("web", wait=True)
    await world.units.stop("web", wait=True)
    await world.units.replace("web", agent(ports=("http", "more")))
    launches = len(world.driver.launches)

    class Broken(AgentProvision):
        async def prepare(self, name: str, workspace: str | None, spec: AgentSpec, store: Store) -> AgentSpec:
            raise StorageError("the disk is full")

    object.__setattr__(world.units.services, "provision", Broken())
    with pytest.raises(SpawnFailed, match="the disk is full"):
        await world.units.start("web", wait=True)

    assert len(world.driver.launches) == launches


async def test_an_agent_without_a_workspace_that_names_one_is_not_started(world: World) -> None:
    await world.units.create("web", agent(environment={"A": "{workspace}"}), start=False)

    with pytest.raises(SpawnFailed, match=r"the environment names \{workspace\}, and this agent has no workspace"):
        await world.units.start("web", wait=True)

    view = await world.units.get("web")
    assert view.status.state in {State.BACKOFF, State.STARTING}


async def test_what_is_stored_and_cannot_be_read_is_no_obstacle() -> None:
    shelf = Shelf()
    shelf.documents.update({("lease", "web"): "[]", ("lease", "x"): "{", ("lease", "y"): '{"http": "z"}'})
    async with (
        fake_driver(web=Program()) as driver,
        running_units(UnitServices(driver=driver, provision=AgentProvision()), shelf) as units,
    ):
        await units.create("web", agent(ports=("http",)))
        assert (await units.start("web", wait=True)).status.ports["http"] >= FIRST_PORT
