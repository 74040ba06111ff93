"""Small documents of the daemon's parts, beside the units."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from supervisor.store.database import Database
from supervisor.store.messages import ForgetDocument, LoadDocuments, SaveDocument
from supervisor.store.opening import open_database
from supervisor.store.schema import MIGRATIONS
from tests.supervisor.store.conftest import NOW

NOBODY: Any = None


def save(name: str, text: str, kind: str = "group") -> SaveDocument:
    return SaveDocument(kind=kind, name=name, text=text, reply_to=NOBODY)


def load(kind: str = "group") -> LoadDocuments:
    return LoadDocuments(kind=kind, reply_to=NOBODY)


def test_documents_are_kept_by_kind_and_name_and_replaced(database: Database, path: Path) -> None:
    database.carry_out([save("b", "1"), save("a", "2"), save("b", "3"), save("b", "other", kind="lease")])
    database.close()

    with contextlib.closing(Database(path, now=lambda: NOW)) as again:
        assert again.carry_out([load(), load("lease"), load("none")]) == [
            (("a", "2"), ("b", "3")),
            (("b", "other"),),
            (),
        ]


def test_a_forgotten_document_is_gone_and_its_namesakes_are_not(database: Database) -> None:
    database.carry_out([save("a", "1"), save("a", "2", kind="lease")])

    forget = ForgetDocument(kind="group", name="a", reply_to=NOBODY)
    assert database.carry_out([forget, forget, load(), load("lease")]) == [None, None, (), (("a", "2"),)]


def test_a_database_from_before_there_were_documents_is_brought_up_to_date(path: Path) -> None:
    before = next(number for number, script in enumerate(MIGRATIONS) if "create table documents" in script)
    open_database(path, lambda: NOW, migrations=MIGRATIONS[:before]).connection.close()

    with contextlib.closing(Database(path, now=lambda: NOW)) as database:
        assert database.carry_out([save("a", "1"), load()]) == [None, (("a", "1"),)]


def test_documents_are_rescued_from_a_damaged_database(database: Database, path: Path) -> None:
    database.carry_out([save("a", "1")])
    database.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("drop table progress")

    with contextlib.closing(Database(path, now=lambda: NOW)) as again:
        assert again.carry_out([load()]) == [(("a", "1"),)]
