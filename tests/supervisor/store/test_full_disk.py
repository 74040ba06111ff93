"""The same on a real file system that is full, or that becomes read-only: needs the right to mount one."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.errors import StorageError
from supervisor.store.database import Database
from supervisor.store.messages import LoadUnits, SaveUnit
from supervisor.units.status import Kind
from tests.supervisor.store.conftest import NOW, MakeRecord

NOBODY: Any = None


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "hoody-test", str(tmp_path)]
    try:
        mounted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a small file system is not permitted here")
    yield tmp_path
    subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


def save(database: Database, record: object) -> None:
    database.carry_out([SaveUnit(record=record, reply_to=NOBODY)])  # type: ignore[arg-type]


def names(database: Database) -> list[str]:
    (outcome,) = database.carry_out([LoadUnits(kind=Kind.AGENT, reply_to=NOBODY)])
    assert isinstance(outcome, tuple)
    return [record.name for record in outcome]


def fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass


def test_a_full_file_system_keeps_what_was_answered_and_takes_more_once_there_is_room(
    small: Path, record: MakeRecord
) -> None:
    database = Database(small / "hoody.db", now=lambda: NOW)
    save(database, record("first"))
    filler = small / "filler"
    fill(filler)

    with pytest.raises(StorageError, match="the disk is full"):
        save(database, record("large", labels={"x": "y" * 100_000}))

    filler.unlink()
    assert names(database) == ["first"]
    save(database, record("large", labels={"x": "y" * 100_000}))
    assert names(database) == ["first", "large"]
    database.close()


def test_a_file_system_that_becomes_read_only_refuses_until_it_is_writable_again(
    small: Path, record: MakeRecord
) -> None:
    database = Database(small / "hoody.db", now=lambda: NOW)
    save(database, record("first"))
    database.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small)], check=True)

    with pytest.raises(StorageError) as caught:
        save(database, record("second"))

    assert caught.value.hint
    subprocess.run(["mount", "-o", "remount,rw", str(small)], check=True)
    save(database, record("second"))
    assert names(database) == ["first", "second"]
    database.close()
