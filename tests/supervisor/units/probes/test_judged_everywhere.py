"""A keeper that fails at any step of a probed life: what it looks after is judged on by the next one, and once."""

from __future__ import annotations

import socket
from contextlib import suppress

import trio
from trio.testing import MockClock

from supervisor.errors import HoodyError
from supervisor.units.probes.notify import NotifySocket
from supervisor.units.probes.spec import Limits, Liveness, Readiness
from supervisor.units.quantities import Duration
from supervisor.units.services import UnitServices
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Health, State
from supervisor.units.testing import FakeDriver, FakeInstruments, Program, Shelf, Units, fake_driver, running_units

SPEC = AgentSpec(
    command=("web",),
    readiness=Readiness(exec=("is-ready",), interval=Duration(2)),
    liveness=Liveness(notify=True, interval=Duration(5), failures=1, start_period=Duration(0)),
    limits=Limits(runtime=Duration(500), silence=Duration(100)),
)


class PoisonAtStep(trio.abc.Instrument):
    """Counts the scheduler's steps, and before the chosen one sends the keeper a message that it fails on."""

    def __init__(self, at: int | None) -> None:
        self.steps = 0
        self.units: Units | None = None
        self._at = at

    def before_task_step(self, _task: trio.lowlevel.Task) -> None:
        if self.units is None:
            return
        if self.steps == self._at:
            ref = self.units.system.registry.whereis("agents/web")
            if ref is not None:
                ref.offer("nonsense")
        self.steps += 1


async def feed(tools: FakeInstruments) -> None:
    """Be the program: give signs of life."""
    while True:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mouth, suppress(ConnectionRefusedError):
            mouth.connect(b"\0" + tools.notify_name("web").encode())
            mouth.send(b"WATCHDOG=1\nSTATUS=fine")
        tools.wrote_at = trio.current_time()
        await trio.sleep(2)


async def live_a_little(units: Units, driver: FakeDriver, tools: FakeInstruments) -> None:
    with suppress(HoodyError):
        await units.create("web", SPEC)
        await units.start("web", wait=True, timeout=20)
        for process in driver.live("web"):
            driver.end(process, process.program.ends)
        await units.restart("web")
        await units.start("web", wait=True, timeout=20)
        await trio.sleep(6)  # nobody gives signs of life
        await units.stop("web", wait=True)


def run_poisoned(at: int | None) -> int:
    poison = PoisonAtStep(at)
    tools = FakeInstruments(takes=0.1)

    async def main() -> None:
        async with fake_driver(web=Program()) as driver:
            services = UnitServices(driver=driver, instruments=tools)
            async with trio.open_nursery() as nursery:
                async with running_units(services, Shelf()) as units:
                    poison.units = units
                    await live_a_little(units, driver, tools)
                    poison.units = None
                    nursery.start_soon(feed, tools)
                    await trio.sleep(5)  # the keeper is back
                    await units.start("web")
                    await trio.sleep(12)
                    before = len(tools.runs)
                    await trio.sleep(6)
                    found = (await units.get("web")).status
                    assert (found.state, found.ready, found.health) == (State.RUNNING, True, Health.HEALTHY)
                    assert found.says == "fine"
                    assert len(driver.live()) == 1
                    assert len(tools.runs) - before <= 3, "nobody else looks as well"
                nursery.cancel_scope.cancel(reason="the test is over")
            assert driver.doubled == set()
            NotifySocket(tools.notify_name("web")).close()

    trio.run(main, clock=MockClock(autojump_threshold=0), instruments=[poison])
    return poison.steps


def test_a_keeper_that_fails_at_any_step_is_followed_by_one_that_judges_on() -> None:
    steps = run_poisoned(None)
    assert steps > 100
    for step in range(steps):
        run_poisoned(step)
