"""Whatever goes wrong, and wherever: every unit that should run runs once, and nothing else does."""

from __future__ import annotations

import signal
from contextlib import suppress

import trio
from attrs import evolve
from trio.testing import MockClock

from supervisor.errors import HoodyError
from supervisor.runtime.testing import cancel_at_every_step
from supervisor.units.quantities import Duration
from supervisor.units.services import UnitServices
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Desired, State
from supervisor.units.testing import FakeDriver, Program, Shelf, Units, fake_driver, running_units

WEB = AgentSpec(command=("web",), start_seconds=Duration(0.5))
PROGRAMS = {
    "web": Program(starts_in=0.1),
    "other": Program(code_on_term=0, ends_after=0.2, helpers=1),
    "stubborn": Program(ignores=frozenset({signal.SIGTERM})),
}


async def live_a_little(units: Units, driver: FakeDriver) -> None:
    """Start, crash, replace, restart and stop, as fast as it goes."""
    with suppress(HoodyError):
        await units.create("web", WEB)
        await units.start("web", wait=True, timeout=20)
        for process in driver.live("web"):
            driver.end(process, evolve(process.program.ends, code=1))
        await trio.sleep(0.05)
        await units.replace("web", evolve(WEB, command=("other",)))
        await units.create("gone", AgentSpec(command=("stubborn",), stop_timeout=Duration(0.3)))
        await units.restart("web")
        await units.start("web", wait=True, timeout=20)
        await units.delete("gone", force=True)
        await units.stop("web", wait=True)
        await units.start("web", wait=True, timeout=20)


async def all_is_well(services: UnitServices, shelf: Shelf, driver: FakeDriver) -> None:
    """What the next daemon makes of it."""
    async with running_units(services, shelf) as units:
        await trio.sleep(100)
        for record in shelf.records.values():
            view = await units.get(record.name)
            wanted = record.desired is Desired.RUNNING
            assert view.status.state is (State.RUNNING if wanted else State.STOPPED), view
            assert len(driver.live(record.name)) == (1 if wanted else 0)
            if wanted:
                assert driver.only(record.name).pid == view.status.pid
                last = [launch.spec for launch in driver.launches if launch.unit == record.name][-1]
                assert last == record.spec, "what runs is what is defined"
    defined = {record.name for record in shelf.records.values()}
    assert {process.unit for process in driver.live()} <= defined, "nothing runs that is not defined"
    assert driver.doubled == set()


class Life:
    """A daemon that is cancelled somewhere, on a computer that is not, and the daemon after it."""

    def __init__(self) -> None:
        self.finished = False

    async def run(self) -> None:
        first_daemon = trio.CancelScope()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pass_on, first_daemon)
            with trio.CancelScope(shield=True):
                async with fake_driver(**PROGRAMS) as driver:
                    shelf = Shelf()
                    services = UnitServices(driver=driver)
                    with first_daemon:
                        async with running_units(services, shelf) as units:
                            await live_a_little(units, driver)
                    await all_is_well(services, shelf, driver)
                    self.finished = True
            nursery.cancel_scope.cancel(reason="the scenario is over")

    async def _pass_on(self, scope: trio.CancelScope) -> None:
        try:
            await trio.sleep_forever()
        finally:
            scope.cancel(reason="the daemon is cancelled")

    def check(self) -> None:
        assert self.finished


def test_a_daemon_cancelled_at_any_step_loses_and_doubles_nothing() -> None:
    assert cancel_at_every_step(Life) > 100


class _PoisonAtStep(trio.abc.Instrument):
    """Counts the scheduler's steps, and before the chosen one sends the keeper a message that it fails on."""

    def __init__(self, at: int | None) -> None:
        self.steps = 0
        self.units: Units | None = None
        self._at = at

    def before_task_step(self, _task: trio.lowlevel.Task) -> None:
        if self.units is None:
            return
        if self.steps == self._at:
            for name in ("web", "gone"):
                ref = self.units.system.registry.whereis(f"agents/{name}")
                if ref is not None:
                    ref.offer("nonsense")
        self.steps += 1


def _run_poisoned(at: int | None) -> int:
    poison = _PoisonAtStep(at)

    async def main() -> None:
        async with fake_driver(**PROGRAMS) as driver:
            services = UnitServices(driver=driver)
            shelf = Shelf()
            async with running_units(services, shelf) as units:
                poison.units = units
                await live_a_little(units, driver)
                poison.units = None
                # The keepers are back, and what was asked of them is done or was refused.
                await trio.sleep(60)
            await all_is_well(services, shelf, driver)

    trio.run(main, clock=MockClock(autojump_threshold=0), instruments=[poison])
    return poison.steps


def test_a_keeper_that_fails_at_any_step_loses_and_doubles_nothing() -> None:
    steps = _run_poisoned(None)
    assert steps > 100
    for step in range(steps):
        _run_poisoned(step)
