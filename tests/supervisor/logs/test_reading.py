"""Reading gives what stands in the files: compared with a model that knows every byte's time and incarnation."""

from __future__ import annotations

import gzip
import heapq
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from supervisor.logs import (
    STREAMS,
    Entry,
    Gap,
    LogSettings,
    Position,
    Selection,
    StreamName,
    format_cursor,
    parse_cursor,
    places,
    rotation,
)
from supervisor.logs.lines import LONGEST
from supervisor.logs.mover import SpliceMover
from supervisor.logs.rounds import Round
from supervisor.logs.segments import open_stream
from supervisor.logs.sink import Sink, Turn

EPOCH = 1_700_000_000
NANO = 1_000_000_000


@frozen
class Write:
    """Some bytes of a stream, ``passed`` tenths of a second after the write before."""

    stream: StreamName
    data: bytes
    passed: int
    new_incarnation: bool = False


class World:
    """Two streams of one unit, written through the sinks of the store with a clock of our own.

    ``known`` has (value, time, incarnation) of every byte of a stream.
    """

    def __init__(self, logs: Path, settings: LogSettings) -> None:
        self.logs = logs
        self.unit = "web"
        self.now = EPOCH * NANO
        self.incarnation = 1
        self.known: dict[StreamName, list[tuple[int, int, int]]] = {name: [] for name in STREAMS}
        self.mover = SpliceMover()
        self.out, self.into = os.pipe()
        os.set_blocking(self.out, False)
        turn = Turn()
        self.sinks = {name: Sink(logs / self.unit, name, settings, turn) for name in STREAMS}

    def write(self, step: Write) -> None:
        self.now += step.passed * NANO // 10
        if step.new_incarnation:
            self.incarnation += 1
            for sink in self.sinks.values():
                sink.mark(self.now, self.incarnation)
        rest = step.data
        while rest:
            rest = rest[os.write(self.into, rest[:65536]) :]
            while self.sinks[step.stream].take(self.mover, self.out, 1 << 30, self.now, self.incarnation).moved:
                pass
        self.known[step.stream] += [(byte, self.now, self.incarnation) for byte in step.data]

    def close(self) -> None:
        os.close(self.out)
        os.close(self.into)
        for sink in self.sinks.values():
            sink.file.close()

    def entries(self, stream: StreamName) -> Iterator[tuple[int, str, StreamName, bytes, bool, int]]:
        """The entries of a stream, found byte by byte: time, unit, stream, text, ended, incarnation."""
        text = b""
        begun: tuple[int, int] | None = None
        for byte, time, incarnation in self.known[stream]:
            if begun is not None and (begun[1] != incarnation or (len(text) == LONGEST and byte != 10)):
                yield begun[0], self.unit, stream, text, False, begun[1]
                text, begun = b"", None
            begun = begun or (time, incarnation)
            if byte == 10:
                yield begun[0], self.unit, stream, text, True, begun[1]
                text, begun = b"", None
            else:
                text += bytes([byte])
        if begun is not None:
            yield begun[0], self.unit, stream, text, False, begun[1]

    def expected(self, selection: Selection) -> list[tuple[int, str, StreamName, bytes, bool, int]]:
        since = selection.since.timestamp() * NANO if selection.since else None
        until = selection.until.timestamp() * NANO if selection.until else None
        found = [
            item
            for item in heapq.merge(*(self.entries(stream) for stream in selection.streams), key=lambda item: item[:3])
            if (since is None or item[0] >= since)
            and (until is None or item[0] <= until)
            and (selection.grep is None or selection.grep.encode() in item[3])
            and (selection.incarnation is None or item[5] == selection.incarnation)
        ]
        return found if selection.tail is None else found[max(0, len(found) - selection.tail) :]


WORDS = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\n", b"\xff\x00", b"x" * 700]), max_size=6).map(b"".join)
STREAM = st.sampled_from(STREAMS)
WRITES = st.lists(
    st.builds(Write, STREAM, WORDS, st.integers(1, 5), st.sampled_from([False, False, False, True])), max_size=25
)
MOMENTS = st.one_of(st.none(), st.integers(0, 60).map(lambda tenths: datetime.fromtimestamp(EPOCH + tenths / 10, UTC)))
SELECTIONS = st.builds(
    Selection,
    units=st.just(("web",)),
    streams=st.sampled_from([STREAMS, ("stdout",), ("stderr",)]),
    tail=st.one_of(st.none(), st.integers(0, 12)),
    since=MOMENTS,
    until=MOMENTS,
    grep=st.sampled_from([None, None, "a", "bca"]),
    incarnation=st.one_of(st.none(), st.integers(1, 5)),
)
MANY = st.lists(SELECTIONS, min_size=6, max_size=6)
SMALL = LogSettings(max_size=4096, backups=1000)


def plain(entry: Entry) -> tuple[int, str, StreamName, bytes, bool, int]:
    return entry.time_ns, entry.unit, entry.stream, entry.text, entry.ended, entry.incarnation


def read(logs: Path, selection: Selection, current: int = 0) -> list[Entry | Gap]:
    this = Round(logs, selection, {"web": current})
    found: list[Entry | Gap] = []
    while batch := this.pull():
        found.extend(batch)
    this.close()
    return found


@given(writes=WRITES, selections=MANY)
def test_reading_gives_what_was_written(writes: list[Write], selections: list[Selection]) -> None:
    with new_world() as world:
        for step in writes:
            world.write(step)

        for selection in selections:
            found = [plain(item) for item in read(world.logs, selection) if isinstance(item, Entry)]
            assert found == world.expected(selection)


@given(
    writes=st.lists(
        st.builds(Write, st.just("stdout"), WORDS, st.sampled_from([1, 3, -20, -40]), st.booleans()), max_size=15
    ),
    selections=MANY,
)
def test_a_clock_that_is_set_back_hides_nothing(writes: list[Write], selections: list[Selection]) -> None:
    with new_world() as world:
        for step in writes:
            world.write(step)

        for selection in selections:
            one = evolve(selection, streams=("stdout",))
            assert [plain(item) for item in read(world.logs, one) if isinstance(item, Entry)] == world.expected(one)


@given(writes=WRITES, share=st.floats(0, 1))
def test_reading_goes_on_at_any_position_that_was_handed_out(writes: list[Write], share: float) -> None:
    with new_world() as world:
        for step in writes[: int(len(writes) * share)]:
            world.write(step)
        selection = Selection(units=("web",))
        before = read(world.logs, selection)
        place = {item.key: item.position for item in before if isinstance(item, Entry)}
        for step in writes[int(len(writes) * share) :]:
            world.write(step)

        after = read(world.logs, evolve(selection, after=parse_cursor(format_cursor(place))))

        for stream in STREAMS:
            parts = [item for item in before + after if isinstance(item, Entry) and item.stream == stream]
            assert b"".join(item.text + b"\n" * item.ended for item in parts) == bytes(
                byte for byte, _, _ in world.known[stream]
            )


@contextmanager
def new_world() -> Iterator[World]:
    with TemporaryDirectory() as folder:
        made = World(Path(folder), SMALL)
        yield made
        made.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, LogSettings(max_size=4096, backups=2))
    yield made
    made.close()


def test_the_previous_incarnation_is_the_one_before_the_current(world: World) -> None:
    world.write(Write("stdout", b"first\n", 1))
    world.write(Write("stderr", b"second\n", 1, new_incarnation=True))
    world.write(Write("stdout", b"third\n", 1, new_incarnation=True))
    selection = Selection(units=("web",), previous=True)

    assert [item.text for item in read(world.logs, selection) if isinstance(item, Entry)] == [b"second"]
    assert [item.text for item in read(world.logs, selection, current=2) if isinstance(item, Entry)] == [b"first"]
    assert read(world.logs, selection, current=1) == []


def test_a_line_that_an_incarnation_left_unfinished_is_not_glued_to_the_next_ones(world: World) -> None:
    world.write(Write("stdout", b"I was going to", 1))
    world.write(Write("stdout", b"hello\n", 1, new_incarnation=True))

    found = [item for item in read(world.logs, Selection(units=("web",))) if isinstance(item, Entry)]

    assert [(item.text, item.ended, item.continues) for item in found] == [
        (b"I was going to", False, False),
        (b"hello", True, False),
    ]


def test_a_long_line_comes_in_parts_that_say_so(world: World) -> None:
    world.write(Write("stdout", b"x" * (LONGEST + 5) + b"\n", 1))

    found = [item for item in read(world.logs, Selection(units=("web",))) if isinstance(item, Entry)]

    assert [(len(item.text), item.ended, item.continues) for item in found] == [
        (LONGEST, False, False),
        (5, True, True),
    ]


def test_who_comes_back_too_late_is_told_how_much_is_gone(world: World) -> None:
    world.write(Write("stdout", b"x" * 99 + b"\n", 1))
    place = {("web", "stdout"): Position(world.sinks["stdout"].file.epoch, 50)}
    for _ in range(200):
        world.write(Write("stdout", b"x" * 99 + b"\n", 1))

    found = read(world.logs, Selection(units=("web",), after=place))  # type: ignore[arg-type]

    gap = found[0]
    assert isinstance(gap, Gap)
    assert gap.lost == gap.position.offset - 50
    kept = [item for item in found[1:] if isinstance(item, Entry)]
    assert sum(len(item.text) + 1 for item in kept) == world.sinks["stdout"].file.position - gap.position.offset


def test_a_place_in_logs_that_were_erased_is_told_as_a_gap_of_unknown_size(world: World) -> None:
    world.write(Write("stdout", b"new\n", 1))
    place = {("web", "stdout"): Position(12345, 2)}

    found = read(world.logs, Selection(units=("web",), after=place))  # type: ignore[arg-type]

    assert isinstance(found[0], Gap)
    assert found[0].lost is None
    assert [item.text for item in found[1:] if isinstance(item, Entry)] == [b"new"]


def test_files_deleted_while_they_are_read_leave_a_gap_and_not_a_mixture(world: World) -> None:
    for _ in range(120):
        world.write(Write("stdout", b"x" * 99 + b"\n", 1))
    this = Round(world.logs, Selection(units=("web",)), {})
    for item in places.backups(world.logs / "web", "stdout"):
        rotation.delete(world.logs / "web", "stdout", item.path)

    found = [item for batch in iter(this.pull, []) for item in batch]
    this.close()

    gaps = [item for item in found if isinstance(item, Gap)]
    texts = [item for item in found if isinstance(item, Entry)]
    assert sum(item.lost or 0 for item in gaps) + sum(len(item.text) + 1 for item in texts) == 12_000
    assert gaps


def test_logs_without_any_index_are_still_read_in_order(world: World) -> None:
    for number in range(100):
        world.write(Write("stdout", b"%0100d\n" % number, 1))
    for path in (world.logs / "web").glob(".*.idx"):
        path.unlink()

    found = [item for item in read(world.logs, Selection(units=("web",))) if isinstance(item, Entry)]

    assert [int(item.text) for item in found] == list(range(100))[-len(found) :]
    assert len(found) > 80


def test_the_last_entries_of_two_streams_are_the_last_of_both_together(world: World) -> None:
    for number in range(6):
        world.write(Write("stdout" if number % 2 else "stderr", b"%d\n" % number, 1))

    found = [item.text for item in read(world.logs, Selection(units=("web",), tail=3)) if isinstance(item, Entry)]

    assert found == [b"3", b"4", b"5"]


@pytest.mark.parametrize("indexed", ["plain", "packed"])
def test_a_file_that_stands_there_plain_and_compressed_is_read_once(world: World, indexed: str) -> None:
    for number in range(60):
        world.write(Write("stdout", b"%0100d\n" % number, 1))
    plain_file = places.backup(world.logs / "web", "stdout", 1)
    packed = places.backup(world.logs / "web", "stdout", 1, compressed=True)
    packed.write_bytes(gzip.compress(plain_file.read_bytes()))
    if indexed == "packed":
        copy = plain_file.read_bytes()
        rotation.replace_source(world.logs / "web", "stdout", plain_file, packed)
        plain_file.write_bytes(copy)

    found = [item for item in read(world.logs, Selection(units=("web",))) if isinstance(item, Entry)]

    assert [int(item.text) for item in found] == list(range(60))


def test_no_rotation_can_be_caught_half_done(world: World) -> None:
    """Each look shows the files without a hole between them, however many rotations happen meanwhile."""
    enough = threading.Event()

    def rotate() -> None:
        while not enough.is_set():
            world.write(Write("stdout", b"x" * 999 + b"\n", 1))

    thread = threading.Thread(target=rotate)
    thread.start()
    try:
        for _ in range(300):
            view = open_stream(world.logs, "web", "stdout")
            assert all(older.end == newer.base for older, newer in pairwise(view.segments))
            view.close()
    finally:
        enough.set()
        thread.join()

    assert world.sinks["stdout"].rotations > 10


def test_a_file_that_somebody_has_removed_is_not_waited_for(world: World) -> None:
    for _ in range(12):
        world.write(Write("stdout", b"x" * 999 + b"\n", 1))
    missing = world.logs / "web" / "stdout.log.1"
    missing.rename(world.logs / "away")
    began = monotonic()

    for _ in range(10):
        view = open_stream(world.logs, "web", "stdout")
        view.close()

    assert [older.end == newer.base for older, newer in pairwise(view.segments)] == [False]
    assert monotonic() - began < 10, "with all the patience that a rotation is given it takes 20 s"


def test_a_unit_without_logs_reads_as_empty(tmp_path: Path) -> None:
    assert read(tmp_path, Selection(units=("web",))) == []
    assert read(tmp_path, Selection(units=("web",), tail=5)) == []


@pytest.mark.parametrize(
    "text",
    ["web", "web/stdout", "web/stdin@00000001.5", "a/b/stdout@00000001.5", "web/stdout@5", "../x/stdout@00000001.5"],
)
def test_a_cursor_that_nobody_handed_out_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_cursor(text)


@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["a", "b.c", "d-e"]), STREAM),
        st.builds(Position, st.integers(0, 2**32 - 1), st.integers(0, 2**60)),
    )
)
def test_a_cursor_survives_a_round_trip(positions: dict[tuple[str, StreamName], Position]) -> None:
    assert parse_cursor(format_cursor(positions)) == positions
