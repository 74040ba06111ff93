"""The table of events on a real disk."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from supervisor.runtime import Reply
from supervisor.store.database import Database
from supervisor.store.entry import Entry, Search, Which
from supervisor.store.messages import AppendEvents, FindEvents, GetEventBounds

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
EVER = datetime(2000, 1, 1, tzinfo=UTC)
NOBODY: Reply[Any] = None  # type: ignore[assignment]


def entry(number: int, type_: str = "unit.state", name: str | None = "web", kind: str | None = "agent") -> Entry:
    time = NOON + timedelta(seconds=number)
    return Entry(number=number, time=time, type=type_, kind=kind, name=name, text=f'{{"number":{number}}}')


def append(database: Database, *entries: Entry, keep: int = 1000, since: datetime = EVER) -> Any:
    return database.carry_out([AppendEvents(entries=entries, keep=keep, since=since, reply_to=NOBODY)])[0]


def find(database: Database, **search: Any) -> Any:
    found = database.carry_out(
        [FindEvents(search=Search(**{"after": 0, "upto": 10**6, "most": 100, **search}), reply_to=NOBODY)]
    )[0]
    return [each.number for each in found]  # type: ignore[union-attr]


def bounds(database: Database) -> Any:
    return database.carry_out([GetEventBounds(reply_to=NOBODY)])[0]


def test_what_was_appended_is_found_again_as_it_was(database: Database) -> None:
    assert bounds(database) == (1, 0)
    assert append(database, entry(1), entry(2, "daemon.started", None, None)) == 1
    database.close()
    (found,) = database.carry_out([FindEvents(search=Search(after=0, upto=9, most=9), reply_to=NOBODY)])

    assert found == (entry(1), entry(2, "daemon.started", None, None))
    assert bounds(database) == (1, 2)


def test_events_are_chosen_by_number_type_name_kind_and_time(database: Database) -> None:
    append(
        database, entry(1), entry(2, "unit.exited", "api"), entry(3, "daemon.started", None, None), entry(4, "unitx")
    )

    assert find(database, after=1, upto=3) == [2, 3]
    assert find(database, which=Which(types=("unit",))) == [1, 2]
    assert find(database, which=Which(types=("daemon.started", "unit.exited"))) == [2, 3]
    assert find(database, which=Which(names=("api",))) == [2]
    assert find(database, which=Which(kinds=("agent",), types=("unit.state",))) == [1]
    assert find(database, since=NOON + timedelta(seconds=3)) == [3, 4]
    assert find(database, most=2) == [1, 2]
    assert find(database, most=2, newest=True) == [3, 4]


def test_what_the_table_chooses_is_what_memory_chooses(database: Database) -> None:
    entries = [entry(number, type_) for number, type_ in enumerate(("a", "a.b", "a.b.c", "ab", "a-b", "a/"), start=1)]
    append(database, *entries)
    for wanted in ("a", "a.b", "b"):
        which = Which(types=(wanted,))

        assert find(database, which=which) == [each.number for each in entries if which.takes(each)]


def test_the_oldest_are_forgotten_by_count_and_by_age_but_never_the_newest(database: Database) -> None:
    assert append(database, *map(entry, range(1, 11)), keep=4) == 7
    assert append(database, entry(11), keep=100, since=NOON + timedelta(seconds=10)) == 10
    assert append(database, entry(12), keep=100, since=NOON + timedelta(days=1)) == 12
    assert bounds(database) == (12, 12)


def test_a_damaged_line_keeps_nobody_from_the_others(database: Database) -> None:
    append(database, entry(1), entry(2))
    database._opened().execute("update events set time = 'never' where number = 1")

    assert find(database) == [2]


def test_events_written_again_after_a_doubtful_write_are_there_once(database: Database) -> None:
    append(database, entry(1), entry(2))
    append(database, entry(1), entry(2), entry(3))

    assert find(database) == [1, 2, 3]
