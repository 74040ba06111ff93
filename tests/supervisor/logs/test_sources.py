"""The parts of the pump one by one: moving bytes, a FIFO and its sink, the pace, ages."""

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.logs import STREAMS, Entry, LogSettings, Selection, StoreSettings, places
from supervisor.logs.housekeeping import compress, put_in_place
from supervisor.logs.index_file import TURN_INTERVAL
from supervisor.logs.mover import CopyMover, Mover, SpliceMover, enlarge, pipe_size
from supervisor.logs.pump import FOLLOWED_PAUSE, LONGEST_PAUSE, next_pause
from supervisor.logs.rounds import Round
from supervisor.logs.sink import Sink, Turn
from supervisor.logs.source import Source, open_fifo

NANO = 1_000_000_000


@pytest.fixture(params=[SpliceMover, CopyMover])
def mover(request: pytest.FixtureRequest) -> Mover:
    made: Mover = request.param()
    return made


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    out, into = os.pipe()
    os.set_blocking(out, False)
    yield out, into
    os.close(out)
    os.close(into)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    yield fd
    os.close(fd)


def test_bytes_are_moved_to_where_they_belong(mover: Mover, pipe: tuple[int, int], file: int) -> None:
    out, into = pipe
    os.write(into, b"hello world")

    assert mover.move(out, file, 3, 5) == 5
    assert mover.move(out, file, 8, 1000) == 6
    assert mover.move(out, file, 14, 1000) == 0
    assert os.pread(file, 100, 0) == b"\0\0\0hello world"


def test_looking_ahead_takes_nothing_away(mover: Mover, pipe: tuple[int, int], file: int) -> None:
    out, into = pipe
    assert mover.peek(out, 10) == b""
    os.write(into, b"hello")

    assert mover.peek(out, 3) == b"hel"
    assert mover.peek(out, 10) == b"hello"
    assert mover.pending(out) == 5
    assert mover.move(out, file, 0, 10) == 5


def test_a_file_that_cannot_be_written_loses_no_byte(mover: Mover, pipe: tuple[int, int], file: int) -> None:
    out, into = pipe
    os.write(into, b"hello")
    closed = os.open("/dev/null", os.O_RDONLY)
    with pytest.raises(OSError, match="Bad file descriptor"):
        mover.move(out, closed, 0, 10)
    os.close(closed)

    assert mover.pending(out) == 5
    assert mover.move(out, file, 0, 10) == 5
    assert os.pread(file, 10, 0) == b"hello"


def test_a_buffer_is_enlarged(pipe: tuple[int, int]) -> None:
    assert enlarge(pipe[0], 256 * 1024) == 256 * 1024
    assert pipe_size(pipe[0]) == 256 * 1024


@given(st.lists(st.tuples(st.integers(1, 6000), st.booleans()), max_size=12), st.booleans())
def test_every_mover_gives_the_same_files(
    tmp_path_factory: pytest.TempPathFactory, writes: list[tuple[int, bool]], kind: bool
) -> None:
    folder = tmp_path_factory.mktemp("web")
    mover: Mover = SpliceMover() if kind else CopyMover()
    sink = Sink(folder, "stdout", LogSettings(max_size=4096, backups=100), Turn())
    out, into = os.pipe()
    os.set_blocking(out, False)
    data = b""
    for length, ended in writes:
        piece = b"x" * (length - 1) + (b"\n" if ended else b"y")
        os.write(into, piece)
        data += piece
        while sink.take(mover, out, 1 << 20, NANO, 1).moved:
            pass
    sink.file.close()
    os.close(out)
    os.close(into)

    backups = [item.path.read_bytes() for item in reversed(places.backups(folder, "stdout"))]
    current = places.current(folder, "stdout")
    assert b"".join(backups) + (current.read_bytes() if current.exists() else b"") == data
    assert all(part.endswith(b"\n") and len(part) >= 4096 for part in backups)


def make_source(tmp_path: Path, **settings: object) -> Source:
    sink = Sink(tmp_path / "web", "stdout", LogSettings(**settings), Turn())  # type: ignore[arg-type]
    return Source(
        "web", "stdout", path=tmp_path / "fifo", sink=sink, mover=SpliceMover(), size=StoreSettings().pipe_size
    )


def test_who_writes_is_put_down_once_there_is_somebody_and_not_before(tmp_path: Path) -> None:
    """A start waits for no file; whose bytes come next is known all the same."""
    source = make_source(tmp_path)

    source.begin(7)
    before = (tmp_path / "web").exists()
    source.put_down(NANO)

    assert (before, source.latest_incarnation) == (False, 7)
    assert source.sink.file.last is not None
    assert source.sink.file.last.incarnation == 7
    source.close(remove=True)


def test_what_is_written_before_it_is_put_down_belongs_to_whoever_wrote_it(tmp_path: Path) -> None:
    source = make_source(tmp_path)
    source.begin(1)
    os.write(source.fd, b"one\n")
    source.begin(2)
    source.put_down(NANO)
    waiting = source.incarnation
    source.visit(NANO)
    source.put_down(NANO)

    assert (waiting, source.incarnation) == (1, 2)
    source.close(remove=True)


def test_starts_that_come_to_nothing_do_not_pile_up(tmp_path: Path) -> None:
    source = make_source(tmp_path)
    for incarnation in range(1, 1000):
        source.begin(incarnation)

    assert len(source._upcoming) == 1
    assert source.latest_incarnation == 999
    source.close(remove=True)


def test_the_buffer_of_a_busy_stream_is_enlarged_and_that_of_a_quiet_one_is_not(tmp_path: Path) -> None:
    source = make_source(tmp_path)
    os.write(source.fd, b"x" * 100)
    source.visit(NANO)
    quiet = pipe_size(source.fd)
    os.write(source.fd, b"x" * 60_000)
    source.visit(NANO)
    busy = pipe_size(source.fd)
    source.close(remove=True)

    assert (quiet, busy) == (65536, 1024 * 1024)


def test_a_file_is_rotated_when_it_is_old_enough_and_something_arrives(tmp_path: Path) -> None:
    source = make_source(tmp_path, max_age=60)
    for seconds in (100, 130, 159, 161, 300):
        os.write(source.fd, b"%d\n" % seconds)
        source.visit(seconds * NANO)
    source.close(remove=True)

    assert places.backup(tmp_path / "web", "stdout", 1).read_bytes() == b"161\n"
    assert places.backup(tmp_path / "web", "stdout", 2).read_bytes() == b"100\n130\n159\n"
    assert places.current(tmp_path / "web", "stdout").read_bytes() == b"300\n"


def test_the_age_of_a_file_is_known_to_the_next_daemon(tmp_path: Path) -> None:
    for seconds in (100, 130, 161):
        source = make_source(tmp_path, max_age=60)
        os.write(source.fd, b"%d\n" % seconds)
        source.visit(seconds * NANO)
        source.close(remove=False)

    assert places.backup(tmp_path / "web", "stdout", 1).read_bytes() == b"100\n130\n"


def test_an_index_never_takes_much_more_than_its_share(tmp_path: Path) -> None:
    source = make_source(tmp_path, max_size=4096, backups=1000)
    for number in range(1000):
        os.write(source.fd, b".\n")
        source.visit(number * NANO)
    source.close(remove=True)

    sizes = [path.stat().st_size for path in (tmp_path / "web").glob(".*.idx")]
    assert len(sizes) > 5
    assert max(sizes) <= 2048 + 100


def test_a_file_that_somebody_renamed_is_left_within_a_second_or_two(tmp_path: Path) -> None:
    source = make_source(tmp_path)
    path = places.current(tmp_path / "web", "stdout")
    for seconds in (100, 101):
        os.write(source.fd, b"%d\n" % seconds)
        source.visit(seconds * NANO)
    path.rename(tmp_path / "taken")
    for seconds in (103, 104):
        os.write(source.fd, b"%d\n" % seconds)
        source.visit(seconds * NANO)
    source.close(remove=True)

    assert ((tmp_path / "taken").read_bytes(), path.read_bytes()) == (b"100\n101\n", b"103\n104\n")


def test_addresses_are_void_when_the_file_was_deleted_between_two_daemons(tmp_path: Path) -> None:
    """Also where the new file is given the inode of the old one, as ext4 does."""
    ends, epochs = [], []
    for _ in range(3):
        source = make_source(tmp_path)
        os.write(source.fd, b"some text\n")
        source.visit(100 * NANO)
        ends.append(source.position)
        epochs.append(source.sink.file.epoch)
        source.close(remove=False)
        places.current(tmp_path / "web", "stdout").unlink()

    assert len(set(epochs)) == 3
    assert ends == sorted(set(ends))


def test_addresses_go_on_when_the_daemon_died_in_the_middle_of_a_rotation(tmp_path: Path) -> None:
    source = make_source(tmp_path)
    os.write(source.fd, b"some text\n")
    source.visit(100 * NANO)
    epoch = source.sink.file.epoch
    source.close(remove=False)
    places.current(tmp_path / "web", "stdout").rename(places.backup(tmp_path / "web", "stdout", 1))
    source = make_source(tmp_path)
    os.write(source.fd, b"and more\n")
    source.visit(100 * NANO)
    source.close(remove=False)

    assert (source.sink.file.epoch, source.sink.file.base) == (epoch, 10)


def test_two_streams_that_take_turns_can_be_put_in_order(tmp_path: Path) -> None:
    """Without the other's turns in between, a stream that is written to all the time gets few records."""
    turn = Turn()
    out, into = os.pipe()
    os.set_blocking(out, False)
    sinks = [Sink(tmp_path / "web", stream, LogSettings(), turn) for stream in STREAMS]
    for number in range(20):
        os.write(into, b"%d\n" % number)
        sinks[number % 2].take(SpliceMover(), out, 100, number * TURN_INTERVAL, 1)
    for sink in sinks:
        sink.file.close()
    os.close(out)
    os.close(into)

    this = Round(tmp_path, Selection(units=("web",)), {})
    assert [int(item.text) for item in this.pull() if isinstance(item, Entry)] == list(range(20))
    this.close()


def test_a_backup_that_is_renumbered_while_it_is_compressed_is_not_mixed_up(tmp_path: Path) -> None:
    source = make_source(tmp_path, max_size=4096, compress=True)
    folder = tmp_path / "web"
    for number in range(100):
        os.write(source.fd, b"%0100d\n" % number)
        source.visit(NANO)
    oldest = places.backups(folder, "stdout")[-1]
    part = folder / f"stdout.log.gz{places.TEMPORARY}"
    part.write_bytes(gzip.compress(oldest.path.read_bytes()))
    inode = oldest.path.stat().st_ino
    os.write(source.fd, b"x" * 5000 + b"\ny\n")
    source.visit(NANO)
    os.write(source.fd, b"z\n")
    source.visit(NANO)
    put_in_place(source, folder, part, inode)
    compress(source, folder)
    source.close(remove=True)

    this = Round(tmp_path, Selection(units=("web",)), {})
    found = [item.text for item in this.pull() if isinstance(item, Entry)]
    this.close()
    assert [int(text) for text in found[:100]] == list(range(100))
    assert [text[:1] for text in found[100:]] == [b"x", b"y", b"z"]
    assert all(item.compressed for item in places.backups(folder, "stdout"))


def test_something_else_that_has_the_name_of_a_fifo_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "fifo").write_text("a file")
    os.close(open_fifo(tmp_path / "fifo"))

    assert (tmp_path / "fifo").is_fifo()


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    source = make_source(tmp_path)
    source.close(remove=True)
    source.close(remove=True)

    assert source.visit(NANO).moved == 0
    assert source.pending() == 0


@given(st.floats(0, LONGEST_PAUSE), st.floats(0, 4), st.sampled_from([FOLLOWED_PAUSE, LONGEST_PAUSE]))
def test_the_pause_stays_within_its_limits_and_moves_the_right_way(pause: float, fill: float, longest: float) -> None:
    following = next_pause(pause, fill, longest)

    assert 0 <= following <= max(longest, pause / 2)
    assert following <= pause if fill >= 0.5 else following >= min(pause, longest)


@pytest.mark.parametrize(
    "wrong",
    [{"max_size": 100}, {"backups": -1}, {"max_age": 0.5}, {"compress": True, "max_size": 5 * 1024**3}],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must be"):
        LogSettings(**wrong)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="must be"):
        StoreSettings(quota=5)  # type: ignore[arg-type]
