"""Open ``hoody.db``: create it, bring it up to date, refuse a newer one, and put a damaged one aside.

Everything here blocks and runs in the store's worker thread.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import stat
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

from attrs import frozen

from supervisor.errors import StorageError
from supervisor.store.schema import APPLICATION_ID, MIGRATIONS
from supervisor.store.words import DAMAGE, primary_code, storage_error

BUSY_TIMEOUT: Final = 5.0
_SIDES: Final = ("-wal", "-shm")


@frozen(kw_only=True)
class Opened:
    """An open database, and what had to be done to get there."""

    connection: sqlite3.Connection
    moved_aside: Path | None = None
    rescued: int = 0


class _Damaged(Exception):
    """The file cannot be trusted as a whole."""


def open_database(path: Path, now: Callable[[], datetime], *, migrations: Sequence[str] = MIGRATIONS) -> Opened:
    """Open the database at ``path``, making it where there is none.

    A damaged file is renamed to ``NAME.corrupt-TIME`` and never deleted, and what can still be read of it is carried
    over. Raises ``StorageError`` where the disk refuses, where the file belongs to another application, or where a
    newer version has written it; the file is then untouched.
    """
    try:
        return Opened(connection=_open_sound(path, now, migrations))
    except (_Damaged, UnicodeDecodeError):  # the latter: even SQLite's complaint quotes bytes that are no text
        return _start_over(path, now, migrations)
    except sqlite3.Error as error:
        if primary_code(error) not in DAMAGE:
            raise storage_error(error, path) from error
        return _start_over(path, now, migrations)
    except OSError as error:
        raise storage_error(error, path) from error


def _start_over(path: Path, now: Callable[[], datetime], migrations: Sequence[str]) -> Opened:
    try:
        aside = _move_aside(path, now())
        connection = _open_sound(path, now, migrations)
        return Opened(connection=connection, moved_aside=aside, rescued=_rescue(aside, connection))
    except (sqlite3.Error, OSError) as error:
        raise storage_error(error, path) from error


def _open_sound(path: Path, now: Callable[[], datetime], migrations: Sequence[str]) -> sqlite3.Connection:
    _make_private(path)
    # One worker thread at a time uses the connection, and not always the same one.
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT, isolation_level=None, check_same_thread=False)
    connection.text_factory = _text
    try:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma foreign_keys = on")
        connection.execute("pragma synchronous = full")
        _bring_up_to_date(connection, path, now, migrations)
    except BaseException:
        connection.close()
        raise
    return connection


def _text(content: bytes) -> str:
    # Bytes that are no text are one unreadable row, and not an error of the whole query.
    return content.decode("utf-8", "replace")


def _make_private(path: Path) -> None:
    """Make the file with mode 0600, or see to it that the one that is there is ours and private.

    An existing file is never opened here: closing a descriptor of it would drop the locks that SQLite holds on it.
    """
    try:
        found = path.lstat()
    except FileNotFoundError:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        sync_folder(path.parent)
        return
    if not stat.S_ISREG(found.st_mode):
        raise StorageError(f"{path} is not a regular file", hint="move it away; the daemon then makes a new one")
    if found.st_uid != os.geteuid():
        raise StorageError(f"{path} belongs to another user (uid {found.st_uid})")
    if found.st_mode & 0o077:
        path.chmod(0o600)


def _bring_up_to_date(
    connection: sqlite3.Connection, path: Path, now: Callable[[], datetime], migrations: Sequence[str]
) -> None:
    application = _pragma(connection, "application_id")
    version = _pragma(connection, "user_version")
    if application not in {0, APPLICATION_ID} or (application == 0 and _schema(connection)):
        raise StorageError(f"{path} is the database of another program", hint="move it away, or use another folder")
    if version > len(migrations):
        raise StorageError(
            f"{path} was written by a newer version (schema {version}, this one knows {len(migrations)})",
            hint="install that version again, or start with another folder: HOODY_HOME=...",
        )
    if version:
        _check(connection, migrations[:version])
    if 0 < version < len(migrations):
        _copy(connection, path.with_name(f"{path.name}.schema-{version}-{_stamp(now())}"))
    for number, script in enumerate(migrations[version:], start=version + 1):
        # One transaction per step: a kill in between leaves the last complete version.
        connection.executescript(
            f"begin immediate; {script}; pragma application_id = {APPLICATION_ID}; "
            f"pragma user_version = {number}; commit;"
        )


def _check(connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    found = connection.execute("pragma integrity_check(1)").fetchone()
    if found != ("ok",) or _schema(connection) != _expected_schema(migrations):
        raise _Damaged


def _expected_schema(migrations: Sequence[str]) -> set[tuple[str, str]]:
    with contextlib.closing(sqlite3.connect(":memory:")) as fresh:
        for script in migrations:
            fresh.executescript(script)
        return _schema(fresh)


def _pragma(connection: sqlite3.Connection, name: str) -> int:
    return int(connection.execute(f"pragma {name}").fetchone()[0])


def _schema(connection: sqlite3.Connection) -> set[tuple[str, str]]:
    return set(connection.execute("select name, sql from sqlite_schema"))


def _copy(connection: sqlite3.Connection, target: Path) -> None:
    """Keep a complete copy before anything is changed: the way back to the older version."""
    _make_private(target)
    with contextlib.closing(sqlite3.connect(target)) as copy:
        connection.backup(copy)
    sync_folder(target.parent)


def _move_aside(path: Path, moment: datetime) -> Path:
    aside = path.with_name(f"{path.name}.corrupt-{_stamp(moment)}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.corrupt-{_stamp(moment)}-{number}")
    for side in _SIDES:
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + side).rename(aside.with_name(aside.name + side))
    path.rename(aside)
    sync_folder(path.parent)
    return aside


def _rescue(aside: Path, into: sqlite3.Connection) -> int:
    """Carry over every row that can still be read, from both ends of the damage. Returns the number of units."""
    into.execute("begin immediate")
    with contextlib.closing(sqlite3.connect(f"{aside.as_uri()}?mode=ro", uri=True)) as damaged:
        damaged.text_factory = _text
        for table in ("units", "progress", "documents"):
            # The damaged file may be of an earlier version: what it has no column for begins empty.
            there = {row[1] for row in _readable_rows(damaged, f"pragma table_info({table})")}
            names = [row[1] for row in into.execute(f"pragma table_info({table})") if row[1] in there]
            if not names:
                continue
            for direction in ("asc", "desc"):
                _rescue_rows(damaged, into, table, names, direction)
    into.execute("commit")
    return int(into.execute("select count(*) from units").fetchone()[0])


def _rescue_rows(
    damaged: sqlite3.Connection, into: sqlite3.Connection, table: str, names: Sequence[str], direction: str
) -> None:
    columns, places = ", ".join(names), ", ".join("?" * len(names))
    query = f"select {columns} from {table} order by kind {direction}, name {direction}"  # noqa: S608 - names of ours
    for row in _readable_rows(damaged, query):
        # A row that breaks a rule of the table is part of the damage.
        with contextlib.suppress(sqlite3.IntegrityError):
            into.execute(f"insert or ignore into {table} ({columns}) values ({places})", row)  # noqa: S608


def _readable_rows(damaged: sqlite3.Connection, query: str) -> Iterator[tuple[object, ...]]:
    # The first error is where the damage begins, seen from this end.
    with contextlib.suppress(sqlite3.Error, UnicodeDecodeError):
        cursor = damaged.execute(query)
        while (row := cursor.fetchone()) is not None:
            yield row


def _stamp(moment: datetime) -> str:
    return moment.strftime("%Y%m%dT%H%M%SZ")


def sync_folder(folder: Path) -> None:
    """Make the names in ``folder`` survive a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
