"""The fake driver keeps the contract of all drivers, and its scripts do what they say."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio

from supervisor.errors import SignalFailed, SpawnFailed
from supervisor.units.driver import ExitStatus, Incarnation
from supervisor.units.spec import AgentSpec
from supervisor.units.testing import FakeDriver, FakeIncarnation, Program, fake_driver
from tests.supervisor.contract import DriverContract, DriverWorld, Ends, clear, launch, start

_CODES = {f"exits{code}": Program(runs_for=0.0, ends=ExitStatus(code=code)) for code in (0, 1, 3, 7, 255)}


class FakeWorld(DriverWorld):
    def __init__(self, driver: FakeDriver) -> None:
        self.driver: FakeDriver = driver

    def steady(self) -> AgentSpec:
        return AgentSpec(command=("steady",))

    def stubborn(self) -> AgentSpec:
        return AgentSpec(command=("stubborn",))

    def exits(self, code: int) -> AgentSpec:
        return AgentSpec(command=(f"exits{code}",))

    def leaves_helpers(self) -> AgentSpec:
        return AgentSpec(command=("family",))

    def missing(self) -> AgentSpec:
        return AgentSpec(command=("nowhere",))

    def helpers(self, incarnation: Incarnation) -> set[int]:
        assert isinstance(incarnation, FakeIncarnation)
        return set(incarnation.process.helpers)

    def alive(self, pid: int) -> bool:
        return self.driver.exists(pid)

    def running(self, unit: str) -> set[int]:
        return {process.pid for process in self.driver.live(unit)}


@pytest.fixture
async def world(virtual_time: None) -> AsyncIterator[FakeWorld]:
    async with fake_driver(
        steady=Program(),
        stubborn=Program(ignores=frozenset({signal.SIGTERM})),
        family=Program(helpers=2),
        slow=Program(starts_in=5.0),
        hasty=Program(starts_in=5.0, runs_for=1.0, ends=ExitStatus(code=4)),
        polite=Program(code_on_term=0, ends_after=2.0),
        stuck=Program(unkillable=True),
        foreign=Program(refuses_signals=True),
        moody=(Program(fails="no such folder: '/gone'"), Program()),
        **_CODES,
    ) as driver:
        yield FakeWorld(driver)


class TestContract(DriverContract):
    """The suite that the real drivers pass as well."""


def named(name: str) -> Any:
    return AgentSpec(command=(name,))


async def test_a_script_plays_its_entries_in_order_and_repeats_the_last(world: FakeWorld) -> None:
    with pytest.raises(SpawnFailed, match="no such folder"):
        await start(world, named("moody"), Ends())

    first = await start(world, named("moody"), Ends())
    second = await start(world, named("moody"), Ends(), number=2)

    assert first.identity != second.identity


async def test_a_program_can_end_with_a_code_some_time_after_term(world: FakeWorld) -> None:
    ends = Ends()
    incarnation = await start(world, named("polite"), ends)
    before = trio.current_time()

    incarnation.signal(signal.SIGTERM)
    with trio.fail_after(3):
        await ends.came.wait()

    assert [ExitStatus(code=0)] == ends.seen
    assert trio.current_time() - before == pytest.approx(2.0)


async def test_a_start_cancelled_half_way_leaves_the_process_running_and_detached(world: FakeWorld) -> None:
    ends = Ends()
    with trio.move_on_after(1):
        await world.driver.spawn(launch(named("slow")), ends)

    (process,) = world.driver.live("web")
    assert process.on_exit is None
    adopted = await world.driver.adopt(process.identity, launch(named("slow")), ends)
    assert adopted is not None


async def test_an_end_can_be_reported_before_the_start_has_returned(world: FakeWorld) -> None:
    ends = Ends()

    await world.driver.spawn(launch(named("hasty")), ends)

    assert [ExitStatus(code=4)] == ends.seen


async def test_what_cannot_be_killed_is_named_at_the_deadline(world: FakeWorld) -> None:
    ends = Ends()
    incarnation = await start(world, named("stuck"), ends)

    assert await clear(world, incarnation) == (incarnation.identity.pid,)
    assert ends.seen == []


async def test_a_refused_signal_is_said(world: FakeWorld) -> None:
    incarnation = await start(world, named("foreign"), Ends())

    with pytest.raises(SignalFailed, match="not allowed"):
        incarnation.signal(signal.SIGTERM)
