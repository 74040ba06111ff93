"""The table of events: appended to, cut off at the old end, searched. Blocks, inside the transaction of a batch."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias, assert_never

from supervisor.store.codec import Undecodable, decode_time, encode_time
from supervisor.store.entry import Entry, Search
from supervisor.store.messages import AppendEvents, EventRequest, FindEvents, GetEventBounds

EventOutcome: TypeAlias = "int | tuple[int, int] | tuple[Entry, ...]"

_APPEND: Final = "insert or replace into events (number, time, type, kind, name, document) values (?, ?, ?, ?, ?, ?)"
_TRIM: Final = "delete from events where number < (select max(number) from events) and (number <= ? or time < ?)"
_BOUNDS: Final = "select coalesce(min(number), 1), coalesce(max(number), 0) from events"


def carry_out_event(connection: sqlite3.Connection, request: EventRequest) -> EventOutcome:
    """Carry out one request and return its answer."""
    match request:
        case AppendEvents(entries=entries, keep=keep, since=since):
            return _append(connection, entries, keep, since)
        case FindEvents(search=search):
            return _find(connection, search)
        case GetEventBounds():
            oldest, last = connection.execute(_BOUNDS).fetchone()
            return int(oldest), int(last)
        case _:
            assert_never(request)


def _append(connection: sqlite3.Connection, entries: Sequence[Entry], keep: int, since: datetime) -> int:
    connection.executemany(_APPEND, map(_row, entries))
    newest = entries[-1].number if entries else 0
    connection.execute(_TRIM, (newest - keep, encode_time(since)))
    return int(connection.execute(_BOUNDS).fetchone()[0])


def _row(entry: Entry) -> tuple[object, ...]:
    return entry.number, encode_time(entry.time), entry.type, entry.kind, entry.name, entry.text


def _find(connection: sqlite3.Connection, search: Search) -> tuple[Entry, ...]:
    conditions, values = ["number > ?", "number <= ?"], [search.after, search.upto]
    parameters: list[Any] = list(values)
    if search.since is not None:
        conditions.append("time >= ?")
        parameters.append(encode_time(search.since))
    which = search.which
    for column, wanted in (("kind", which.kinds), ("name", which.names)):
        if wanted:
            conditions.append(f"{column} in ({', '.join('?' * len(wanted))})")
            parameters += wanted
    if which.types:
        # A family is a range of texts: what begins with "unit." lies between it and "unit/".
        conditions.append("(" + " or ".join(["type = ? or (type > ? and type < ?)"] * len(which.types)) + ")")
        parameters += [text for wanted in which.types for text in (wanted, f"{wanted}.", f"{wanted}/")]
    order = "desc" if search.newest else "asc"
    query = f"select number, time, type, kind, name, document from events where {' and '.join(conditions)}"  # noqa: S608
    rows = connection.execute(f"{query} order by number {order} limit ?", [*parameters, search.most]).fetchall()
    found = [entry for entry in map(_entry, rows) if entry is not None]
    return tuple(reversed(found)) if search.newest else tuple(found)


def _entry(row: tuple[Any, ...]) -> Entry | None:
    number, time, type_, kind, name, document = row
    try:
        return Entry(
            number=int(number), time=decode_time(time), type=str(type_), kind=kind, name=name, text=str(document)
        )
    except (Undecodable, ValueError):
        # A damaged line of history is left out, and keeps nobody from the others.
        return None
