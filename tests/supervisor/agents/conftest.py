"""A real driver for the tests of this folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from supervisor.agents.host import Host
from supervisor.agents.orphans import become_subreaper
from tests.supervisor.agents.world import ProcessWorld, process_world


@pytest.fixture(params=["subreaper", "plain parent"])
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """Both standings of a parent: the daemon's, and that of a program that only uses the driver."""
    become_subreaper(on=request.param == "subreaper")
    yield Host.as_it_is()
    become_subreaper(on=False)


@pytest.fixture
def subreaper() -> Iterator[Host]:
    """The standing of the daemon."""
    become_subreaper()
    yield Host.as_it_is()
    become_subreaper(on=False)


@pytest.fixture
async def world(tmp_path: Path, subreaper: Host) -> AsyncIterator[ProcessWorld]:
    """A driver as the daemon has it."""
    async with process_world(tmp_path, host=subreaper) as made:
        yield made
