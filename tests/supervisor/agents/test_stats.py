"""Figures of what agents use: the arithmetic by table, the measuring with real processes."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pytest
import trio

from supervisor.agents.meter import ProcessMeter
from supervisor.agents.stats import Look, Reading, UnitStats, first_history, next_history, summary, usage
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Kind, State, UnitStatus, UnitView
from tests.supervisor.agents.world import ProcessWorld
from tests.supervisor.contract import Ends, start

MAIN = (200, 50)
HELPER = (201, 60)


def reading(key: tuple[int, int], seconds: float, memory: int = 1000, threads: int = 1) -> Reading:
    return Reading(key, "program", seconds, memory, threads)


def view(pid: int | None, name: str = "web", incarnation: int = 1) -> UnitView:
    status = UnitStatus(state=State.RUNNING if pid else State.STOPPED, pid=pid, incarnation=incarnation)
    return UnitView(
        kind=Kind.AGENT,
        name=name,
        workspace=None,
        labels={},
        revision=1,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        spec=AgentSpec(command="x"),
        status=status,
    )


def test_the_first_rate_is_that_since_the_start() -> None:
    history = first_history(now=100.0, age=10.0)._replace(last=Look(100.0, {MAIN: 5.0}))

    found = usage([reading(MAIN, 5.0)], history)

    assert (found.cpu, found.window, found.cpu_seconds) == (50.0, 10.0, 5.0)


def test_a_later_rate_is_that_since_the_look_before() -> None:
    history = first_history(100.0, 10.0)._replace(last=Look(100.0, {MAIN: 5.0}))

    history = next_history(history, Look(102.0, {MAIN: 8.0, HELPER: 1.0}))
    found = usage([reading(MAIN, 8.0), reading(HELPER, 1.0)], history)

    assert (found.cpu, found.window) == (200.0, 2.0)
    assert {each.pid: each.cpu for each in found.by_process} == {200: 150.0, 201: 50.0}


def test_looks_that_follow_closely_share_the_one_before_them() -> None:
    history = first_history(100.0, 10.0)._replace(last=Look(100.0, {MAIN: 5.0}))
    history = next_history(history, Look(102.0, {MAIN: 8.0}))

    history = next_history(history, Look(102.01, {MAIN: 8.0}))

    assert usage([reading(MAIN, 8.0)], history).window == pytest.approx(2.01)


def test_the_largest_process_comes_first_and_the_sums_are_those_of_the_parts() -> None:
    history = first_history(100.0, 10.0)._replace(last=Look(100.0, {}))

    found = usage([reading(MAIN, 1.0, 10, 2), reading(HELPER, 1.0, 90, 3)], history)

    assert [each.pid for each in found.by_process] == [201, 200]
    assert (found.memory, found.threads, found.processes) == (100, 5, 2)
    assert summary(found).memory == 100


def test_a_start_this_very_instant_is_no_division_by_nothing() -> None:
    history = first_history(100.0, 0.0)._replace(last=Look(100.0, {}))

    assert math.isfinite(usage([reading(MAIN, 0.0)], history).cpu)


async def test_an_agent_is_measured_with_all_that_it_has_started(world: ProcessWorld) -> None:
    meter = ProcessMeter(world.driver.instance)
    incarnation = await start(world, world.leaves_helpers(), Ends())

    found = (await meter.measure((view(incarnation.identity.pid),)))["web"]

    assert found.processes == 3
    assert {each.pid for each in found.by_process} == {
        incarnation.identity.pid,
        *world.helpers_of(incarnation.identity.pid),
    }
    assert found.memory == sum(each.memory for each in found.by_process) > 0
    assert found.threads == 3


async def test_a_busy_agent_shows_a_busy_processor_and_an_idle_one_does_not(world: ProcessWorld) -> None:
    meter = ProcessMeter(world.driver.instance)
    busy = await start(world, world.shell("$READY; while :; do :; done"), Ends(), "busy")
    idle = await start(world, world.steady(), Ends(), "idle")
    views = (view(busy.identity.pid, "busy"), view(idle.identity.pid, "idle"))
    await meter.measure(views)

    async def burned() -> float:
        return (await meter.measure(views))["busy"].cpu_seconds

    with trio.fail_after(world.patience):
        while await burned() < 0.1:  # noqa: ASYNC110 - the kernel counts, and tells nobody
            await trio.sleep(0.01)
    found = await meter.measure(views)

    assert found["busy"].cpu > 0
    assert found["idle"].cpu < found["busy"].cpu


async def test_without_a_process_everything_is_zero(world: ProcessWorld) -> None:
    meter = ProcessMeter(world.driver.instance)
    incarnation = await start(world, world.steady(), Ends())

    found = await meter.measure((view(None, "stopped"), view(incarnation.identity.pid, incarnation=7)))

    assert found == {"stopped": UnitStats(), "web": UnitStats()}
