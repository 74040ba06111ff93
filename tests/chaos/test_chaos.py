"""The short form of the storm, and that its audit finds what it is there to find."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chaos.soak import grown
from tests.chaos.storm import Storm
from tests.chaos.verify import Books, audit, read_log

KILLS = 3


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_daemon_that_is_killed_at_any_instant_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """The long form is ``just chaos``; a seed that fails there can be put here."""
    tally = Storm(tmp_path, seed=4).run(KILLS)

    assert (tally.daemon_kills, tally.doubled_processes, tally.lost_wishes) == (KILLS, 0, 0)
    assert tally.books.balanced
    assert tally.books.written > 100


@pytest.mark.parametrize(
    ("log", "records", "found"),
    [
        (b"1.7 0\n1.7 1\n2.8 0\n", {"1.7": 2, "2.8": 1}, Books(incarnations=2, written=3)),
        (b"1.7 0\n1.7 1\n", {"1.7": 1}, Books(incarnations=1, written=2)),
        (b"1.7 0\n1.7 2\n", {"1.7": 3}, Books(incarnations=1, written=3, lost=1)),
        (b"1.7 0\n", {"1.7": 3}, Books(incarnations=1, written=3, lost=2)),
        (b"", {"1.7": 3}, Books(incarnations=1, written=3, lost=3)),
        (b"1.7 0\n1.7 0\n", {"1.7": 1}, Books(incarnations=1, written=1, doubled=1)),
        (b"1.7 0\n1.7 1\n1.7 2\n", {"1.7": 1}, Books(incarnations=1, written=3, torn=1)),
        (b"1.7 \n1.7 0\n", {"1.7": 1}, Books(incarnations=1, written=1, torn=1)),
        (b"9.9 0\n", {}, Books(torn=1)),
    ],
    ids=["all", "one not entered yet", "a gap", "no end", "nothing", "twice", "too much", "torn", "a stranger"],
)
def test_the_audit_finds_every_line_that_is_missing_doubled_or_torn(
    log: bytes, records: dict[str, int], found: Books
) -> None:
    books = Books()

    audit(log, records, books)

    assert books == found


FLAT = {"memory": 100_000_000, "descriptors": 500, "tasks": 900, "threads": 60}


@pytest.mark.parametrize("name", FLAT)
def test_the_soak_finds_a_figure_that_grows_and_forgives_one_that_swings(name: str) -> None:
    steady = [{**FLAT, name: FLAT[name] + 50 * (turn % 2)} for turn in range(30)]
    leaking = [{**FLAT, name: int(FLAT[name] * (1 + turn / 30))} for turn in range(30)]

    assert grown(steady) == {}
    assert list(grown(leaking)) == [name]


def test_backups_are_read_oldest_first(tmp_path: Path) -> None:
    for name, text in (("stdout.log.10", "a"), ("stdout.log.2", "b"), ("stdout.log.1", "c"), ("stdout.log", "d")):
        (tmp_path / name).write_text(text)

    assert read_log(tmp_path) == b"abcd"
