"""A real engine for this folder, started once per session; without one the tests say why they are skipped."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests import engine as engines
from tests.supervisor.containers.world import Daemon, fresh_folder


@pytest.fixture(scope="session")
def shared_engine() -> Iterator[engines.Engine]:
    lacking = engines.missing()
    if lacking is not None:
        if "docker" in os.environ.get("HOODY_TESTS_REQUIRE", ""):
            pytest.fail(f"a container engine is required here: {lacking}")
        pytest.skip(lacking)
    engine = engines.Engine()
    try:
        engine.start()
        engine.import_image()
        yield engine
    finally:
        engine.close()


@pytest.fixture
def docker_engine(shared_engine: engines.Engine) -> Iterator[engines.Engine]:
    """The running engine, without containers before and after."""
    shared_engine.start()
    yield shared_engine
    shared_engine.start()
    shared_engine.remove_all()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder for one daemon's files."""
    made = fresh_folder()
    yield made
    shutil.rmtree(made)


@pytest.fixture
async def daemon(docker_engine: engines.Engine, folder: Path) -> AsyncIterator[Daemon]:
    """What a daemon has of containers, running."""
    async with Daemon(docker_engine, folder).running() as running:
        yield running
