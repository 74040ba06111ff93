"""Reading a container's log on after a break: every byte once, whatever was cut where."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supervisor.containers.cursor import Cursor, Place
from supervisor.containers.frames import Demultiplexer, LogMessage, Stream, log_message

SLACK = 3
STREAMS: tuple[Stream, ...] = ("stdout", "stderr")


@st.composite
def engine_logs(draw: st.DrawFn) -> list[LogMessage]:
    """A log as engines write it: the parts of a line share a stamp; both outputs interleave, a little unordered."""
    clock = 1000
    open_lines: dict[Stream, int] = {}
    log: list[LogMessage] = []
    for number in range(draw(st.integers(0, 25))):
        clock += draw(st.sampled_from([0, 0, 0, 1, 7]))
        stream = draw(st.sampled_from(STREAMS))
        stamp = open_lines.pop(stream, clock - draw(st.integers(0, SLACK)))
        part = draw(st.sampled_from([True, True, False]))
        if part:
            open_lines[stream] = stamp
        log.append(LogMessage(stream, stamp, b"%d" % number + (b"" if part else b"\n")))
    return log


def read(log: list[LogMessage], place: Place) -> list[LogMessage]:
    return [message for message in log if message.at >= place.since]


@given(engine_logs(), st.lists(st.integers(0, 8), max_size=6))
def test_a_log_that_is_read_in_pieces_is_read_once(log: list[LogMessage], pieces: list[int]) -> None:
    cursor = Cursor(slack=SLACK)
    taken: list[LogMessage] = []

    for length in [*pieces, len(log)]:
        again = read(log, cursor.begin_again())
        new = 0
        for message in again:
            if new == length and length < len(log):
                break
            if cursor.take(message):
                taken.append(message)
                new += 1

    assert taken == log


@given(engine_logs(), st.integers(0, 25), st.data())
def test_a_place_that_was_put_down_is_enough_to_go_on(log: list[LogMessage], cut: int, data: st.DataObject) -> None:
    first = Cursor(slack=SLACK)
    before = [message for message in log[:cut] if first.take(message)]
    second = Cursor(first.place, SLACK)

    after = [message for message in read(log, second.begin_again()) if second.take(message)]

    assert before + after == log


@given(engine_logs(), st.integers(0, 25), st.integers(0, 25))
def test_a_second_break_after_a_restart_loses_nothing_either(log: list[LogMessage], one: int, two: int) -> None:
    first = Cursor(slack=SLACK)
    taken = [message for message in log[:one] if first.take(message)]
    second = Cursor(first.place, SLACK)
    again = read(log, second.begin_again())[: two + first.place.taken]
    taken += [message for message in again if second.take(message)]
    third = Cursor(second.place, SLACK)
    taken += [message for message in read(log, third.begin_again()) if third.take(message)]

    assert taken == log


def test_a_frame_is_taken_apart_into_stream_stamp_and_bytes() -> None:
    message = log_message("stderr", b"2026-11-24T22:30:03.094626124Z a\xff\xfeb\n")

    assert message == LogMessage("stderr", 1795559403094626124, b"a\xff\xfeb\n")
    assert not message.is_part
    assert log_message("stdout", b"no stamp") == LogMessage("stdout", 0, b"no stamp")


@given(st.lists(st.tuples(st.sampled_from([1, 2]), st.binary(max_size=40)), max_size=8), st.integers(1, 9))
def test_frames_come_out_whole_however_their_bytes_arrive(frames: list[tuple[int, bytes]], size: int) -> None:
    wire = b"".join(bytes([kind, 0, 0, 0]) + len(body).to_bytes(4, "big") + body for kind, body in frames)
    split = Demultiplexer()

    found = [frame for at in range(0, len(wire), size) for frame in split.feed(wire[at : at + size])]

    assert found == [(STREAMS[kind - 1], body) for kind, body in frames]


def test_a_terminal_has_one_output_and_its_last_line_is_not_lost() -> None:
    split = Demultiplexer(plain=True)

    assert [*split.feed(b"a\nb"), *split.feed(b"c\nd"), *split.finish()] == [
        ("stdout", b"a\n"),
        ("stdout", b"bc\n"),
        ("stdout", b"d"),
    ]
