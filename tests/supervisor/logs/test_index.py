"""The index: what is written is read back, what is damaged is noticed, times can be searched."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from supervisor.logs.index import (
    HEADER_SIZE,
    RECORD_SIZE,
    TOLERATED_STEP,
    Header,
    IndexView,
    Record,
    decode_header,
    decode_record,
    next_record,
    records_in,
)
from supervisor.logs.index_file import INTERVAL, IndexAppender

U64 = st.integers(0, 2**64 - 1)
U32 = st.integers(0, 2**32 - 1)
TIMES = st.integers(-(2**63), 2**63 - 1)
HEADERS = st.builds(Header, U64, U64, U32)
RECORDS = st.builds(Record, U64, TIMES, U32, st.integers(0, 0xFFFF))


@given(HEADERS)
def test_a_header_survives_a_round_trip(header: Header) -> None:
    data = header.encode()

    assert len(data) == HEADER_SIZE
    assert decode_header(data) == header


@given(RECORDS)
def test_a_record_survives_a_round_trip(record: Record) -> None:
    data = record.encode()

    assert len(data) == RECORD_SIZE
    assert decode_record(data) == record


@given(RECORDS, st.integers(0, RECORD_SIZE - 1))
def test_a_record_that_is_cut_off_is_not_one(record: Record, length: int) -> None:
    assert decode_record(record.encode()[:length]) is None


@given(HEADERS, st.integers(0, HEADER_SIZE * 8 - 1))
def test_a_header_with_a_flipped_bit_is_not_one(header: Header, bit: int) -> None:
    data = bytearray(header.encode())
    data[bit // 8] ^= 1 << bit % 8

    assert decode_header(bytes(data)) is None


@given(RECORDS, st.integers(0, RECORD_SIZE * 8 - 1))
def test_a_record_with_a_flipped_bit_is_not_one(record: Record, bit: int) -> None:
    data = bytearray(record.encode())
    data[bit // 8] ^= 1 << bit % 8

    assert decode_record(bytes(data)) is None


def test_zero_bytes_are_no_record() -> None:
    assert decode_record(bytes(RECORD_SIZE)) is None
    assert decode_header(bytes(HEADER_SIZE)) is None


@given(st.lists(st.integers(0, 2**62), min_size=1))
def test_era_and_time_never_decrease_whatever_the_clock_does(times: list[int]) -> None:
    last = None
    keys = []
    for number, time in enumerate(times):
        last = next_record(last, number, time, 1)
        keys.append((last.era, last.time))

    assert keys == sorted(keys)


def test_a_clock_set_back_begins_a_new_era_and_a_clock_that_jitters_does_not() -> None:
    first = next_record(None, 0, 10 * TOLERATED_STEP, 1)

    assert next_record(first, 1, first.time - 5, 1) == Record(1, first.time, 1, 0)
    assert next_record(first, 1, first.time - TOLERATED_STEP, 1) == Record(1, first.time - TOLERATED_STEP, 1, 1)


@given(st.lists(RECORDS, min_size=1, max_size=8), st.data())
def test_a_damaged_record_stands_for_a_sound_neighbour(records: list[Record], data: st.DataObject) -> None:
    broken = data.draw(st.sets(st.integers(0, len(records) - 1), max_size=len(records) - 1))
    body = b"".join(
        bytes(RECORD_SIZE) if number in broken else record.encode() for number, record in enumerate(records)
    )
    image = Header(0, 1, 1).encode() + body
    view = IndexView(lambda start, length: image[start : start + length], len(records))

    for number in range(len(records)):
        before = [item for item in range(number, -1, -1) if item not in broken]
        behind = [item for item in range(number, len(records)) if item not in broken]
        assert view[number] == records[(before or behind)[0]]


def make(path: Path, *, records: int) -> bytes:
    index = IndexAppender.create(path, Header(0, 1, 1), None)
    for number in range(records):
        index.note(number * 100, number * INTERVAL, 1)
    index.close()
    return path.read_bytes()


def test_records_that_follow_closely_are_left_out_and_a_new_incarnation_never_is(tmp_path: Path) -> None:
    index = IndexAppender.create(tmp_path / "i", Header(0, 1, 1), None)
    index.note(0, 0, 1)
    index.note(10, INTERVAL - 1, 1)
    index.note(20, INTERVAL - 1, 2)
    index.note(30, INTERVAL, 2)
    index.note(40, 2 * INTERVAL, 2)
    index.close()

    assert index.count == 3
    assert records_in((tmp_path / "i").stat().st_size) == 3


def test_a_record_of_bytes_that_never_came_is_replaced(tmp_path: Path) -> None:
    index = IndexAppender.create(tmp_path / "i", Header(0, 1, 1), None)
    index.note(0, 0, 1)
    index.note(0, 5 * INTERVAL, 1)
    index.close()

    assert index.count == 1
    assert index.last == Record(0, 5 * INTERVAL, 1)


@given(cut=st.integers(0, 3 * RECORD_SIZE))
def test_an_index_that_was_cut_off_is_mended_when_it_is_opened(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "i"
    whole = make(path, records=5)
    os.truncate(path, len(whole) - cut)

    index = IndexAppender.open(path, 10_000)

    assert index is not None
    assert index.count == 5 - -(-cut // RECORD_SIZE)
    assert path.stat().st_size == index.size
    index.note(1_000, 100 * INTERVAL, 1)
    index.close()
    assert decode_record(path.read_bytes()[-RECORD_SIZE:]) == Record(1_000, 100 * INTERVAL, 1)


def test_records_of_bytes_that_were_not_kept_are_taken_off(tmp_path: Path) -> None:
    make(tmp_path / "i", records=5)

    index = IndexAppender.open(tmp_path / "i", 250)

    assert index is not None
    assert index.last == Record(200, 2 * INTERVAL, 1)
    index.close()


def test_a_file_that_is_no_index_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "i").write_bytes(b"something else, and long enough to be one")

    assert IndexAppender.open(tmp_path / "i", 0) is None
