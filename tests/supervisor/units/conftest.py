"""Virtual time for whole test classes and modules.

pytest-trio runs a test on a clock only where the test function itself takes one as an argument, which an inherited
suite cannot. Here a test that depends on the fixture ``virtual_time``, directly or through another fixture, runs on a
clock that jumps ahead whenever everything waits.
"""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from datetime import timedelta
from inspect import iscoroutinefunction
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from supervisor.units.driver import ExitStatus
from supervisor.units.services import UnitServices
from supervisor.units.testing import FakeDriver, Program, Units, fake_driver, running_units
from tests.supervisor.units.player import MORNING


def run_in_virtual_time(main: Any, *, clock: Any = None, instruments: Any = ()) -> Any:
    return trio.run(main, clock=clock or MockClock(autojump_threshold=0), instruments=instruments)


@pytest.fixture
def virtual_time() -> None:
    """Ask for a clock that jumps ahead; see this module's first lines."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "virtual_time" in getattr(item, "fixturenames", ()) and iscoroutinefunction(getattr(item, "obj", None)):
            item.add_marker(pytest.mark.trio(run=run_in_virtual_time), append=False)


@pytest.fixture
async def driver(virtual_time: None) -> AsyncIterator[FakeDriver]:
    """A computer with one program of each character."""
    async with fake_driver(
        web=Program(),
        stubborn=Program(ignores=frozenset({signal.SIGTERM})),
        polite=Program(code_on_term=0, ends_after=3.0),
        crashes=Program(runs_for=0.2, ends=ExitStatus(code=1)),
        job=Program(runs_for=0.2, ends=ExitStatus(code=0)),
        hasty=Program(starts_in=0.5, runs_for=0.2, ends=ExitStatus(code=1)),
        slow=Program(starts_in=3.0),
        stuck=Program(unkillable=True),
        foreign=Program(refuses_signals=True),
        family=Program(helpers=3),
        heals=(Program(fails="no such folder: '/gone'"), Program(fails="no such folder: '/gone'"), Program()),
    ) as computer:
        yield computer


@pytest.fixture
def services(driver: FakeDriver) -> UnitServices:
    """What the keepers share, on that computer."""
    return UnitServices(driver=driver, wall=lambda: MORNING + timedelta(seconds=trio.current_time()))


@pytest.fixture
async def units(services: UnitServices) -> AsyncIterator[Units]:
    """A running tree; its units are left running at the end, as by a daemon that crashes."""
    async with running_units(services) as found:
        yield found
