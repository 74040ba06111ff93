"""Virtual time for whole test classes and modules.

pytest-trio runs a test on a clock only where the test function itself takes one as an argument, which an inherited
suite cannot. Here a test that depends on the fixture ``virtual_time``, directly or through another fixture, runs on a
clock that jumps ahead whenever everything waits.
"""

from __future__ import annotations

from inspect import iscoroutinefunction
from typing import Any

import pytest
import trio
from trio.testing import MockClock


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
