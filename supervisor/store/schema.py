"""The tables of ``hoody.db`` and how they came to be. Append to :data:`MIGRATIONS`; never change an entry that shipped.

``PRAGMA user_version`` is the number of migrations that a database has been through.
"""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x48445931
"""``HDY1`` in the header of the file: what tells our database from somebody else's."""

_UNITS: Final = """
create table units (
    kind text not null,
    name text not null,
    workspace text,
    labels text not null,
    revision integer not null,
    created_at text not null,
    spec text not null,
    desired text not null,
    primary key (kind, name)
) without rowid;

create table progress (
    kind text not null,
    name text not null,
    document text not null,
    primary key (kind, name),
    foreign key (kind, name) references units on delete cascade
) without rowid;
"""
# Progress has a table of its own because it is written at every change of state, a definition hardly ever.

_SOURCES: Final = "alter table units add column source text;"

_EVENTS: Final = """
create table events (
    number integer primary key,
    time text not null,
    type text not null,
    kind text,
    name text,
    document text not null
);

create index events_of_unit on events (name, number);
create index events_by_time on events (time);
"""

_DOCUMENTS: Final = """
create table documents (
    kind text not null,
    name text not null,
    document text not null,
    primary key (kind, name)
) without rowid;
"""
# What is small, has a name, and is read whole when its owner begins: groups, leases of ports.

MIGRATIONS: Final[tuple[str, ...]] = (_UNITS, _SOURCES, _EVENTS, _DOCUMENTS)
"""One script per version, oldest first."""
