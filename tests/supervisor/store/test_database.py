"""The state on disk: what is kept, in what order, and what happens when the disk refuses."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from supervisor.errors import NotFound, StorageError
from supervisor.store.database import Database, Outcome
from supervisor.store.messages import (
    ForgetUnit,
    LoadDocuments,
    LoadUnit,
    LoadUnits,
    NoteProgress,
    Progress,
    SaveDesired,
    SaveUnit,
    SaveUnits,
    StoreRequest,
)
from supervisor.units.status import Desired, Kind, State
from tests.supervisor.store.conftest import NOW, MakeRecord

NOBODY: Any = None
"""The database answers by its return values; the replies are the actor's affair."""


def load(name: str = "web") -> LoadUnit:
    return LoadUnit(kind=Kind.AGENT, name=name, reply_to=NOBODY)


def save(record: Any) -> SaveUnit:
    return SaveUnit(record=record, reply_to=NOBODY)


def forget(name: str = "web") -> ForgetUnit:
    return ForgetUnit(kind=Kind.AGENT, name=name, reply_to=NOBODY)


def desire(desired: Desired, name: str = "web") -> SaveDesired:
    return SaveDesired(kind=Kind.AGENT, name=name, desired=desired, reply_to=NOBODY)


def note(number: int, name: str = "web") -> NoteProgress:
    progress = Progress(state=State.RUNNING, incarnation=number)
    return NoteProgress(kind=Kind.AGENT, name=name, progress=progress)


ALL = LoadUnits(kind=Kind.AGENT, reply_to=NOBODY)


def one(database: Database, request: StoreRequest) -> Outcome:
    (outcome,) = database.carry_out([request])
    return outcome


def after_opening_again(path: Path, request: StoreRequest) -> Outcome:
    with contextlib.closing(Database(path, now=lambda: NOW)) as database:
        return one(database, request)


def test_a_new_database_is_private_and_holds_nothing(database: Database, path: Path) -> None:
    assert one(database, ALL) == ()
    assert {entry.name: entry.stat().st_mode & 0o7777 for entry in path.parent.iterdir()} == {
        "hoody.db": 0o600,
        "hoody.db-wal": 0o600,
        "hoody.db-shm": 0o600,
    }


def test_what_was_saved_is_there_after_opening_again(database: Database, path: Path, record: MakeRecord) -> None:
    assert one(database, save(record("web"))) is None
    database.close()

    assert after_opening_again(path, load()) == record("web")


def test_what_was_answered_is_there_although_nobody_closed_the_file(
    database: Database, path: Path, record: MakeRecord
) -> None:
    one(database, save(record("web")))

    assert after_opening_again(path, load()) == record("web")


def test_saving_again_replaces_the_definition_and_leaves_the_progress(database: Database, record: MakeRecord) -> None:
    database.carry_out([save(record()), note(7)])

    database.carry_out([save(record(revision=2, labels={}, desired=Desired.STOPPED))])

    assert one(database, load()) == record(revision=2, labels={}, desired=Desired.STOPPED, progress=note(7).progress)


def test_units_are_loaded_in_the_order_of_their_names(database: Database, record: MakeRecord) -> None:
    database.carry_out([save(record(name)) for name in ("b", "a", "C", "a2")])

    outcome = one(database, ALL)

    assert isinstance(outcome, tuple)
    assert [found.name for found in outcome] == ["C", "a", "a2", "b"]


def test_a_batch_is_carried_out_in_its_order(database: Database, record: MakeRecord) -> None:
    outcomes = database.carry_out([load(), save(record()), load(), note(1), load(), forget(), load(), note(2), load()])

    noted = evolve(record(), progress=note(1).progress)
    assert outcomes == [None, None, record(), None, noted, None, None, None, None]


def test_forgetting_a_unit_forgets_its_progress_too(database: Database, record: MakeRecord) -> None:
    database.carry_out([save(record()), note(7), forget(), save(record())])

    assert one(database, load()) == record()


def test_forgetting_what_is_not_there_is_done_at_once(database: Database) -> None:
    assert one(database, forget("nobody")) is None


def test_what_is_wanted_of_a_unit_is_remembered(database: Database, record: MakeRecord) -> None:
    database.carry_out([save(record()), desire(Desired.STOPPED)])

    assert one(database, load()) == record(desired=Desired.STOPPED)


def test_wanting_something_of_an_unknown_unit_is_refused_and_harms_no_neighbour(
    database: Database, record: MakeRecord
) -> None:
    refused, saved = database.carry_out([desire(Desired.RUNNING, "nobody"), save(record())])

    assert isinstance(refused, NotFound)
    assert saved is None
    assert one(database, load()) == record()


def test_a_note_about_an_unknown_unit_is_dropped(database: Database, record: MakeRecord) -> None:
    database.carry_out([note(7), save(record())])

    assert one(database, load()) == record()


def test_names_that_mean_something_to_sql_mean_nothing_here(database: Database, record: MakeRecord) -> None:
    hostile = record(workspace="'; drop table units; --", labels={"a'b\"c": "%_\\"})
    database.carry_out([save(hostile)])

    assert one(database, load()) == hostile


def test_a_full_disk_refuses_the_whole_batch_and_recovers(database: Database, record: MakeRecord) -> None:
    one(database, save(record("kept")))
    connection = database._connection
    assert connection is not None
    pages = connection.execute("pragma page_count").fetchone()[0]
    connection.execute(f"pragma max_page_count = {pages}")
    large = record("large", labels={"x": "y" * 100_000})

    with pytest.raises(StorageError, match="the disk is full"):
        database.carry_out([desire(Desired.STOPPED, "kept"), save(large)])

    # The limit belonged to the connection, which is a new one by now: the disk has room again.
    assert database.carry_out([load("kept"), load("large"), save(large), load("large")]) == [
        record("kept"), None, None, large,
    ]  # fmt: skip


def test_a_read_only_disk_is_told_in_words(database: Database, record: MakeRecord) -> None:
    database.open()
    connection = database._connection
    assert connection is not None
    connection.execute("pragma query_only = on")

    with pytest.raises(StorageError, match="read-only") as caught:
        database.carry_out([save(record())])

    assert caught.value.hint == "make it writable; nothing was changed"


def test_a_file_that_another_program_has_locked_is_told_in_words(
    path: Path, database: Database, record: MakeRecord
) -> None:
    database.open()
    assert database._connection is not None
    database._connection.execute("pragma busy_timeout = 1")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("begin immediate")

    with pytest.raises(StorageError, match="another program holds it locked"):
        database.carry_out([save(record())])

    other.execute("rollback")
    other.close()
    assert one(database, save(record())) is None


def test_a_defect_in_the_middle_of_a_batch_undoes_all_of_it(database: Database, record: MakeRecord) -> None:
    naive = record("naive", created_at=NOW.replace(tzinfo=None))

    with pytest.raises(ValueError, match="without a time zone"):
        database.carry_out([save(record()), save(naive)])

    assert database.carry_out([load(), load("naive")]) == [None, None]


def test_a_probe_finds_out_whether_writing_works(database: Database, record: MakeRecord) -> None:
    database.probe()
    assert database._connection is not None
    database._connection.execute("pragma query_only = on")

    with pytest.raises(StorageError):
        database.probe()

    database.probe()
    assert one(database, save(record())) is None


def spoil(path: Path, column: str, content: object, table: str = "units") -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(f"update {table} set {column} = ? where name = 'web'", (content,))
    connection.close()


@pytest.mark.parametrize(
    ("column", "content"),
    [
        ("spec", '{"command": ["sl'),
        ("spec", b"\xff\x00"),
        ("spec", "{}"),
        ("labels", "[]"),
        ("created_at", "yesterday"),
        ("desired", "perhaps"),
        ("revision", "not a number"),
        ("name", "../../etc"),
    ],
)
def test_a_unit_that_cannot_be_read_is_told_and_costs_no_other(
    database: Database, path: Path, record: MakeRecord, column: str, content: object
) -> None:
    database.carry_out([save(record("web")), save(record("other"))])
    spoil(path, column, content)

    assert one(database, ALL) == (record("other"),)
    (finding,) = database.findings
    assert "cannot be read" in finding.sentence
    assert finding.unreadable is not None


def test_asking_for_a_unit_that_cannot_be_read_is_an_error_and_not_an_absence(
    database: Database, path: Path, record: MakeRecord
) -> None:
    one(database, save(record()))
    spoil(path, "spec", "rubbish")

    assert isinstance(one(database, load()), StorageError)


def test_a_unit_is_not_lost_for_progress_that_cannot_be_read(
    database: Database, path: Path, record: MakeRecord
) -> None:
    database.carry_out([save(record()), note(7)])
    spoil(path, "document", '{"incarnation": "many"}', "progress")

    assert one(database, load()) == record()
    assert [finding.unreadable for finding in database.findings] == ["progress of agent web"]


def test_a_unit_that_cannot_be_read_can_be_defined_anew(database: Database, path: Path, record: MakeRecord) -> None:
    one(database, save(record()))
    spoil(path, "spec", "rubbish")

    database.carry_out([save(record())])

    assert one(database, load()) == record()


def test_a_thousand_units_take_one_transaction(database: Database, record: MakeRecord) -> None:
    database.open()
    statements: list[str] = []
    assert database._connection is not None
    database._connection.set_trace_callback(statements.append)

    database.carry_out([save(record(f"unit-{number}")) for number in range(1000)])

    assert sum(statement.lower() == "commit" for statement in statements) == 1


def test_only_notes_alone_are_not_forced_to_the_disk(database: Database, record: MakeRecord) -> None:
    database.open()
    connection = database._connection
    assert connection is not None

    def level() -> int:
        return int(connection.execute("pragma synchronous").fetchone()[0])

    database.carry_out([save(record()), note(1)])
    assert level() == 2
    database.carry_out([note(2), note(3)])
    assert level() == 1
    database.carry_out([note(4), desire(Desired.STOPPED)])
    assert level() == 2


def test_several_units_are_saved_and_forgotten_together(database: Database, record: MakeRecord) -> None:
    one(database, save(record("old")))
    both = (record("web", source="/srv/hoody.toml"), record("api"))
    one(database, SaveUnits(records=both, forget=((Kind.AGENT, "old"),), reply_to=NOBODY))

    assert one(database, ALL) == tuple(sorted(both, key=lambda each: each.name))


def test_documents_are_saved_and_forgotten_with_units_or_not_at_all(database: Database, record: MakeRecord) -> None:
    documents = LoadDocuments(kind="group", reply_to=NOBODY)
    one(database, SaveUnits(records=(record("web"),), documents=(("group", "a", "1"),), reply_to=NOBODY))
    broken = SaveUnits(
        records=(record("api", revision=2**70),),
        documents=(("group", "b", "2"),),
        forget_documents=(("group", "a"),),
        reply_to=NOBODY,
    )
    with pytest.raises((StorageError, OverflowError)):
        one(database, broken)
    kept = one(database, documents)
    one(database, evolve(broken, records=()))

    assert kept == (("a", "1"),)
    assert one(database, documents) == (("b", "2"),)


def test_of_several_units_one_that_cannot_be_saved_keeps_all_of_them_out(
    database: Database, record: MakeRecord
) -> None:
    one(database, save(record("old")))
    broken = record("api", revision=2**70)  # more than a column takes

    with pytest.raises((StorageError, OverflowError)):
        one(database, SaveUnits(records=(record("web"), broken), forget=((Kind.AGENT, "old"),), reply_to=NOBODY))

    assert one(database, ALL) == (record("old"),)
