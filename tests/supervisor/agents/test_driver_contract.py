"""The process driver keeps what every driver keeps, as the reaper of orphans and without."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from supervisor.agents.host import Host
from tests.supervisor.agents.world import ProcessWorld, process_world
from tests.supervisor.contract import DriverContract


class TestProcessDriver(DriverContract):
    @pytest.fixture
    async def world(self, tmp_path: Path, host: Host) -> AsyncIterator[ProcessWorld]:
        async with process_world(tmp_path, host=host) as made:
            yield made
