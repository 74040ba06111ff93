"""Carry out what the store is asked, one transaction per batch. Blocks; to be used by one thread at a time."""

from __future__ import annotations

import contextlib
import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias, assert_never

from supervisor.errors import HoodyError, NotFound, StorageError
from supervisor.store.codec import (
    Undecodable,
    decode_labels,
    decode_progress,
    decode_spec,
    decode_time,
    encode_labels,
    encode_progress,
    encode_spec,
    encode_time,
)
from supervisor.store.events import EventOutcome, carry_out_event
from supervisor.store.health import Finding
from supervisor.store.messages import (
    AppendEvents,
    FindEvents,
    ForgetDocument,
    ForgetUnit,
    GetEventBounds,
    LoadDocuments,
    LoadUnit,
    LoadUnits,
    NoteProgress,
    Progress,
    SaveDesired,
    SaveDocument,
    SaveUnit,
    SaveUnits,
    StoreRequest,
    UnitRecord,
)
from supervisor.store.opening import Opened, open_database
from supervisor.store.words import storage_error
from supervisor.units.names import check_name
from supervisor.units.status import Desired, Kind

Outcome: TypeAlias = (
    "UnitRecord | tuple[UnitRecord, ...] | tuple[tuple[str, str], ...] | EventOutcome | HoodyError | None"
)
"""The answer to one request: its value, or the error that it is refused with."""

Opener: TypeAlias = Callable[[Path, Callable[[], datetime]], Opened]

_SAVE: Final = """
insert into units (kind, name, workspace, labels, revision, created_at, spec, desired, source)
values (?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (kind, name) do update set workspace = excluded.workspace, labels = excluded.labels,
    revision = excluded.revision, created_at = excluded.created_at, spec = excluded.spec, desired = excluded.desired,
    source = excluded.source
"""
_FORGET: Final = "delete from units where kind = ? and name = ?"
_SAVE_DOCUMENT: Final = "insert or replace into documents values (?, ?, ?)"
_FORGET_DOCUMENT: Final = "delete from documents where kind = ? and name = ?"
_NOTE: Final = """
insert into progress (kind, name, document) select kind, name, ? from units where kind = ? and name = ?
on conflict (kind, name) do update set document = excluded.document
"""
_LOAD: Final = """
select kind, name, workspace, labels, revision, created_at, spec, desired, source, document
from units left join progress using (kind, name) where kind = ?
"""

_NOT_FORCED: Final = (NoteProgress, AppendEvents, FindEvents, GetEventBounds)

_Row: TypeAlias = tuple[Any, ...]
# Whatever the file holds: it is decoded column by column.


class Database:
    """The state on disk. Opens itself at the first use, and again after an error that may have broken the connection.

    ``findings`` collects what a person should hear of, for the caller to take.
    """

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], datetime],
        opener: Opener = open_database,
    ) -> None:
        self._path = path
        self._now = now
        self.findings: deque[Finding] = deque()
        self._opener = opener
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the file now. Raises ``StorageError``; does nothing where it is open already."""
        self._opened()

    def close(self) -> None:
        """Close the file, folding the write-ahead log back into it. The next use opens it again."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(sqlite3.Error):  # everything answered is in the log; the next open reads it
                connection.close()

    def carry_out(self, batch: Sequence[StoreRequest]) -> list[Outcome]:
        """Carry out a batch in its order, in one transaction, and return one outcome per request.

        On return everything is on disk; after a ``StorageError`` nothing of it is. A batch of nothing but events and
        progress notes is handed to the kernel and not forced to the disk: it survives the death of the daemon, and a
        loss of power makes what it says (which processes live) untrue anyway.
        """
        connection = self._opened()
        forced = not all(isinstance(request, _NOT_FORCED) for request in batch)
        try:
            connection.execute(f"pragma synchronous = {'full' if forced else 'normal'}")
            connection.execute("begin immediate")
            outcomes = [self._one(connection, request) for request in batch]
            connection.execute("commit")
        except (sqlite3.Error, UnicodeDecodeError) as error:  # the latter: a complaint that quotes damaged text
            self._undo(connection)
            # Whatever SQLite's caches hold now is not worth trusting; opening again also checks the file.
            self.close()
            raise storage_error(error, self._path) from error
        except BaseException:
            self._undo(connection)
            raise
        return outcomes

    def probe(self) -> None:
        """Write something of no meaning, to learn whether writing works again. Raises ``StorageError``."""
        connection = self._opened()
        try:
            version = connection.execute("pragma user_version").fetchone()[0]
            connection.execute(f"pragma user_version = {int(version)}")
        except sqlite3.Error as error:
            self.close()
            raise storage_error(error, self._path) from error

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            opened = self._opener(self._path, self._now)
            self._connection = opened.connection
            if opened.moved_aside is not None:
                sentence = (
                    f"the state in {self._path} was damaged; it is kept as {opened.moved_aside.name}, "
                    f"and {opened.rescued} units could be read out of it"
                )
                self.findings.append(Finding(sentence=sentence, moved_aside=opened.moved_aside, rescued=opened.rescued))
        return self._connection

    def _undo(self, connection: sqlite3.Connection) -> None:
        # SQLite has rolled back by itself after some errors, and a connection that cannot is closed by the caller.
        with contextlib.suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("rollback")

    def _one(self, connection: sqlite3.Connection, request: StoreRequest) -> Outcome:
        match request:
            case SaveUnit(record=record):
                connection.execute(_SAVE, _row(record))
            case SaveUnits(records=records, forget=forget, documents=documents, forget_documents=gone):
                connection.executemany(_SAVE, map(_row, records))
                connection.executemany(_FORGET, [(kind.value, name) for kind, name in forget])
                connection.executemany(_SAVE_DOCUMENT, documents)
                connection.executemany(_FORGET_DOCUMENT, gone)
            case ForgetUnit(kind=kind, name=name):
                connection.execute(_FORGET, (kind.value, name))
            case SaveDesired(kind=kind, name=name, desired=desired):
                return self._desire(connection, kind, name, desired)
            case NoteProgress(kind=kind, name=name, progress=progress):
                connection.execute(_NOTE, (encode_progress(progress), kind.value, name))
            case SaveDocument(kind=owner, name=name, text=text):
                connection.execute(_SAVE_DOCUMENT, (owner, name, text))
            case ForgetDocument(kind=owner, name=name):
                connection.execute(_FORGET_DOCUMENT, (owner, name))
            case LoadDocuments(kind=owner):
                query = "select name, document from documents where kind = ? order by name"
                return tuple((str(row[0]), str(row[1])) for row in connection.execute(query, (owner,)))
            case LoadUnits(kind=kind):
                rows = connection.execute(_LOAD + "order by name", (kind.value,))
                return tuple(found for found in map(self._readable, rows) if found is not None)
            case LoadUnit(kind=kind, name=name):
                row = connection.execute(_LOAD + "and name = ?", (kind.value, name)).fetchone()
                return None if row is None else self._one_record(row)
            case AppendEvents() | FindEvents() | GetEventBounds():
                return carry_out_event(connection, request)
            case _:
                assert_never(request)
        return None

    def _desire(self, connection: sqlite3.Connection, kind: Kind, name: str, desired: Desired) -> HoodyError | None:
        statement = "update units set desired = ? where kind = ? and name = ?"
        if connection.execute(statement, (desired.value, kind.value, name)).rowcount:
            return None
        return NotFound(f"no {kind.value} named {name!r} is stored")

    def _one_record(self, row: _Row) -> UnitRecord | HoodyError:
        record = self._readable(row)
        return record if record is not None else StorageError(f"what is stored of {row[0]} {row[1]!r} cannot be read")

    def _readable(self, row: _Row) -> UnitRecord | None:
        *definition, progress = row
        try:
            return _record(definition, self._progress(row[0], row[1], progress))
        except (Undecodable, ValueError) as error:
            self._unreadable(f"{row[0]} {row[1]}", error)
            return None

    def _progress(self, kind: str, name: str, document: str | None) -> Progress:
        """Read the progress, or begin afresh: a unit is never lost for what is only a help."""
        try:
            return Progress() if document is None else decode_progress(document)
        except Undecodable as error:
            self._unreadable(f"progress of {kind} {name}", error)
            return Progress()

    def _unreadable(self, what: str, error: ValueError) -> None:
        self.findings.append(Finding(sentence=f"what is stored as {what} cannot be read: {error}", unreadable=what))


def _row(record: UnitRecord) -> tuple[str | int | None, ...]:
    return (
        record.kind.value,
        record.name,
        record.workspace,
        encode_labels(record.labels),
        record.revision,
        encode_time(record.created_at),
        encode_spec(record.spec),
        record.desired.value,
        record.source,
    )


def _record(definition: Sequence[Any], progress: Progress) -> UnitRecord:
    kind, name, workspace, labels, revision, created_at, spec, desired, source = definition
    return UnitRecord(
        kind=Kind(kind),
        # A name becomes a folder; one that was forged into the file must not reach the file system.
        name=check_name(name),
        workspace=None if workspace is None else str(workspace),
        labels=decode_labels(labels),
        revision=int(revision),
        created_at=decode_time(created_at),
        spec=decode_spec(Kind(kind), spec),
        desired=Desired(desired),
        source=None if source is None else str(source),
        progress=progress,
    )
