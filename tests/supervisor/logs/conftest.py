"""A log store that runs on real FIFOs and files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import trio

from supervisor.logs import StoreSettings
from supervisor.logs.testing import LogBench


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., LogBench]]:
    """Make log stores, on the same folder unless told otherwise; each is closed at the end."""
    made: list[LogBench] = []

    def make(settings: StoreSettings | None = None, home: Path | None = None) -> LogBench:
        made.append(LogBench(home or tmp_path, settings))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


@pytest.fixture
async def bench(make_bench: Callable[..., LogBench], nursery: trio.Nursery) -> AsyncIterator[LogBench]:
    """A log store that is running."""
    made = make_bench()
    await made.serve(nursery)
    yield made
    made.stop()
