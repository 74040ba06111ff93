"""A real engine for this folder, started once per session; without one the tests say why they are skipped."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests import engine as engines


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
