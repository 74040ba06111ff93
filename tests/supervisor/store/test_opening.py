"""Opening: versions, copies, damage, and files that are not ours."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.errors import StorageError
from supervisor.store.database import Database
from supervisor.store.messages import LoadUnits, SaveUnit
from supervisor.store.opening import open_database
from supervisor.store.schema import APPLICATION_ID, MIGRATIONS
from supervisor.units.names import check_name
from supervisor.units.status import Kind
from tests.supervisor.store.conftest import NOW, MakeRecord

NOBODY: Any = None
STAMP = "20300102T030405Z"


def fill(path: Path, record: MakeRecord, count: int = 3) -> None:
    database = Database(path, now=lambda: NOW)
    database.carry_out([SaveUnit(record=record(f"unit-{number:04}"), reply_to=NOBODY) for number in range(count)])
    database.close()


def names(database: Database) -> list[str]:
    (outcome,) = database.carry_out([LoadUnits(kind=Kind.AGENT, reply_to=NOBODY)])
    assert isinstance(outcome, tuple)
    return [record.name for record in outcome]


def test_a_newer_schema_is_refused_in_words_and_left_untouched(path: Path, record: MakeRecord) -> None:
    fill(path, record)
    with sqlite3.connect(path) as connection:
        connection.execute(f"pragma user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    before = path.read_bytes()

    with pytest.raises(StorageError, match=rf"newer version \(schema {len(MIGRATIONS) + 1}") as caught:
        open_database(path, lambda: NOW)

    assert "HOODY_HOME" in str(caught.value.hint)
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_refused_and_left_untouched(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("create table recipes (name text)")
    connection.close()

    with pytest.raises(StorageError, match="database of another program"):
        open_database(path, lambda: NOW)

    with sqlite3.connect(path) as connection:
        assert connection.execute("select count(*) from recipes").fetchone() == (0,)
    connection.close()


def test_an_older_schema_is_copied_before_it_is_brought_up_to_date(path: Path, record: MakeRecord) -> None:
    fill(path, record)
    later = (*MIGRATIONS, "create table added (x); insert into added values (1)", "alter table added add column y")

    connection = open_database(path, lambda: NOW, migrations=later).connection

    assert connection.execute("select * from added").fetchall() == [(1, None)]
    assert connection.execute("pragma user_version").fetchone() == (len(MIGRATIONS) + 2,)
    connection.close()
    copy = path.with_name(f"hoody.db.schema-{len(MIGRATIONS)}-{STAMP}")
    assert copy.stat().st_mode & 0o7777 == 0o600
    with contextlib.closing(Database(copy, now=lambda: NOW)) as older:
        assert names(older) == ["unit-0000", "unit-0001", "unit-0002"]


def test_a_step_that_fails_leaves_the_last_complete_version(path: Path, record: MakeRecord) -> None:
    fill(path, record)
    later = (*MIGRATIONS, "create table added (x)", "create table added (x)")

    with pytest.raises(StorageError, match="already exists"):
        open_database(path, lambda: NOW, migrations=later)

    connection = open_database(path, lambda: NOW, migrations=later[:-1]).connection
    assert connection.execute("pragma user_version").fetchone() == (len(MIGRATIONS) + 1,)
    connection.close()


def test_a_new_database_is_marked_as_ours(path: Path) -> None:
    opened = open_database(path, lambda: NOW)

    assert opened.connection.execute("pragma application_id").fetchone() == (APPLICATION_ID,)
    assert opened.moved_aside is None
    opened.connection.close()


@pytest.mark.parametrize("content", [b"rubbish" * 1000, b"SQLite format 3\0" + b"\xff" * 5000])
def test_a_file_that_is_no_database_is_moved_aside_and_told(path: Path, record: MakeRecord, content: bytes) -> None:
    path.write_bytes(content)
    database = Database(path, now=lambda: NOW)

    assert names(database) == []
    (finding,) = database.findings
    aside = path.with_name(f"hoody.db.corrupt-{STAMP}")
    assert finding.moved_aside == aside
    assert aside.read_bytes() == content
    database.carry_out([SaveUnit(record=record("again"), reply_to=NOBODY)])
    assert names(database) == ["again"]
    database.close()


def test_a_second_damage_within_a_second_keeps_both_files(path: Path) -> None:
    for content in (b"first" * 500, b"second" * 500):
        path.write_bytes(content)
        open_database(path, lambda: NOW).connection.close()

    assert path.with_name(f"hoody.db.corrupt-{STAMP}").read_bytes() == b"first" * 500
    assert path.with_name(f"hoody.db.corrupt-{STAMP}-2").read_bytes() == b"second" * 500


def test_what_can_still_be_read_of_a_damaged_database_is_carried_over(path: Path, record: MakeRecord) -> None:
    fill(path, record, count=400)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xa5" * 8192)
    database = Database(path, now=lambda: NOW)

    found = names(database)

    assert 200 < len(found) < 400
    assert database.findings[0].rescued >= len(found)
    assert "unit-0000" in found
    assert "unit-0399" in found
    database.close()


def test_what_can_be_read_of_a_damaged_database_of_an_earlier_version_is_carried_over(path: Path) -> None:
    connection = open_database(path, lambda: NOW, migrations=MIGRATIONS[:1]).connection
    row = ("agent", "web", None, "{}", 1, "2030-01-02T03:04:05Z", '{"command":["sleep","1"]}', "running")
    connection.execute("insert into units values (?, ?, ?, ?, ?, ?, ?, ?)", row)
    connection.execute("drop table progress")
    connection.close()
    database = Database(path, now=lambda: NOW)

    assert names(database) == ["web"]
    assert database.findings[0].rescued == 1
    database.close()


def test_a_missing_table_counts_as_damage(path: Path, record: MakeRecord) -> None:
    fill(path, record)
    with sqlite3.connect(path) as connection:
        connection.execute("drop table progress")
    connection.close()
    database = Database(path, now=lambda: NOW)

    assert names(database) == ["unit-0000", "unit-0001", "unit-0002"]
    assert database.findings[0].moved_aside is not None
    database.close()


@given(seed=st.integers(0, 2**32), cut=st.booleans())
def test_no_damage_of_the_file_keeps_the_daemon_from_starting(
    tmp_path_factory: pytest.TempPathFactory, record: MakeRecord, seed: int, cut: bool
) -> None:
    path = tmp_path_factory.mktemp("damage") / "hoody.db"
    fill(path, record, count=20)
    chance = random.Random(seed)
    content = bytearray(path.read_bytes())
    if cut:
        del content[chance.randrange(len(content)) :]
    else:
        for _ in range(chance.randrange(1, 60)):
            content[chance.randrange(len(content))] = chance.randrange(256)
    path.write_bytes(content)
    database = Database(path, now=lambda: NOW)

    with contextlib.closing(database):
        refusal = None
        try:
            found = names(database)
        except StorageError as error:
            refusal = str(error)
        if refusal is not None:
            # Bytes of the header can say that the file is of a newer version, here or of SQLite, or of another program:
            # then it is not touched.
            assert any(told in refusal for told in ("newer version", "another program", "unsupported file format"))
            assert path.read_bytes() == bytes(content)
            return
        assert [check_name(name) for name in found] == found
        database.carry_out([SaveUnit(record=record("again"), reply_to=NOBODY)])
        assert "again" in names(database)


def test_a_file_that_others_may_read_is_closed_to_them(path: Path, record: MakeRecord) -> None:
    fill(path, record)
    path.chmod(0o644)

    open_database(path, lambda: NOW).connection.close()

    assert path.stat().st_mode & 0o7777 == 0o600


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(path: Path, record: MakeRecord) -> None:
    fill(path, record)
    os.chown(path, 12345, 12345)

    with pytest.raises(StorageError, match="belongs to another user"):
        open_database(path, lambda: NOW)


def test_a_link_in_the_place_of_the_file_is_refused(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StorageError, match="is not a regular file"):
        open_database(path, lambda: NOW)

    assert not (tmp_path / "elsewhere").exists()


def test_a_missing_folder_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file or directory"):
        open_database(tmp_path / "none" / "hoody.db", lambda: NOW)


def test_the_stamp_of_a_moved_file_is_the_time_of_finding(path: Path) -> None:
    path.write_bytes(b"rubbish" * 1000)

    opened = open_database(path, lambda: NOW + timedelta(days=1))
    opened.connection.close()

    assert opened.moved_aside == path.with_name("hoody.db.corrupt-20300103T030405Z")
