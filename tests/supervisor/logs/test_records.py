"""Searching the records of a stream gives what looking at every one of them gives."""

from __future__ import annotations

from itertools import groupby, pairwise

from hypothesis import given
from hypothesis import strategies as st

from supervisor.logs.index import TOLERATED_STEP, Record, next_record
from supervisor.logs.records import Records, pieces, pieces_backwards, select


class Part(list):  # type: ignore[type-arg]
    """The records of one file."""

    @property
    def count(self) -> int:
        return len(self)


@st.composite
def streams(draw: st.DrawFn) -> tuple[Records, list[Record], int]:
    steps = draw(
        st.lists(
            st.tuples(st.integers(1, 9), st.integers(-3, 3), st.sampled_from([0, 0, 0, 1, 2])), min_size=1, max_size=30
        )
    )
    last, offset, time, incarnation = None, 0, 100 * TOLERATED_STEP, 1
    known: list[Record] = []
    for length, passed, new in steps:
        incarnation += new
        last = next_record(last, offset, time, incarnation)
        known.append(last)
        offset += length
        time += passed * TOLERATED_STEP
    borders = sorted(draw(st.sets(st.integers(1, len(known) - 1), max_size=3))) if len(known) > 1 else []
    cuts = [0, *borders, len(known)]
    parts = [Part(known[low:high]) for low, high in pairwise(cuts)]
    return Records(parts), known, offset


TIMES = st.one_of(st.none(), st.integers(0, 250).map(lambda number: number * TOLERATED_STEP))
INCARNATIONS = st.one_of(st.none(), st.integers(0, 12))


def wanted(record: Record, since: int | None, until: int | None, incarnation: int | None) -> bool:
    return (
        (since is None or record.time >= since)
        and (until is None or record.time <= until)
        and (incarnation is None or record.incarnation == incarnation)
    )


@given(streams(), TIMES, TIMES, INCARNATIONS)
def test_selecting_by_halves_finds_every_wanted_record_and_no_other(
    stream: tuple[Records, list[Record], int], since: int | None, until: int | None, incarnation: int | None
) -> None:
    records, known, _ = stream
    spans = select(records, since, until, incarnation)

    found = [number for span in spans for number in range(span.first, span.past)]

    assert found == [number for number, record in enumerate(known) if wanted(record, since, until, incarnation)]


@given(streams(), TIMES, TIMES, INCARNATIONS)
def test_pieces_are_the_runs_of_one_incarnation_and_the_same_both_ways(
    stream: tuple[Records, list[Record], int], since: int | None, until: int | None, incarnation: int | None
) -> None:
    records, known, end = stream
    spans = select(records, since, until, incarnation)
    forwards = list(pieces(records, spans, end))

    assert list(reversed(list(pieces_backwards(records, spans, end)))) == forwards
    expected = []
    for span in spans:
        for value, group in groupby(range(span.first, span.past), lambda number: known[number].incarnation):
            run = list(group)
            behind = next((item for item in known[run[0] :] if item.incarnation != value), None)
            expected.append((known[run[0]].offset, value, behind.offset if behind else end, run[0]))
    assert [(piece.start, piece.incarnation, piece.limit, piece.first) for piece in forwards] == expected
    assert all(piece.start <= piece.stop <= piece.limit for piece in forwards)
