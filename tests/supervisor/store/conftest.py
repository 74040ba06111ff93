"""Records and databases for the tests of the store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from supervisor.store.database import Database
from supervisor.store.messages import UnitRecord
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Desired, Kind

NOW = datetime(2030, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
MakeRecord = Callable[..., UnitRecord]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hoody.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database(path, now=lambda: NOW)
    yield database
    database.close()


@pytest.fixture
def record() -> MakeRecord:
    """Return a maker of records; keywords replace its defaults."""

    def make(name: str = "web", **changes: Any) -> UnitRecord:
        values: dict[str, Any] = {
            "kind": Kind.AGENT,
            "workspace": None,
            "labels": {"team": "docs"},
            "revision": 1,
            "created_at": NOW,
            "spec": AgentSpec(command=("sleep", "1"), environment={"A": "1"}),
            "desired": Desired.RUNNING,
        }
        return UnitRecord(name=name, **{**values, **changes})

    return make
