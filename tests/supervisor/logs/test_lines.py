"""Lines are found the same way forwards and backwards, as in the bytes themselves."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supervisor.logs.lines import LONGEST, Line, Read, forwards, next_line, starts_backwards, text_at

LENGTHS = st.one_of(
    st.integers(0, 5), st.sampled_from([LONGEST - 1, LONGEST, LONGEST + 1, 2 * LONGEST, 2 * LONGEST + 1])
)
TEXTS = st.builds(
    lambda lengths, ended: b"\n".join(b"x" * length for length in lengths) + b"\n" * ended,
    st.lists(LENGTHS, max_size=6),
    st.booleans(),
)


def naive(data: bytes, start: int, stop: int, limit: int) -> list[Line]:
    """The lines that begin in [start, stop), found without regard for time and memory."""
    found = []
    at = start
    while at < stop:
        newline = data.find(b"\n", at, limit)
        end = limit if newline < 0 else newline
        text, ended = data[at:end], newline >= 0
        parts = [text[low : low + LONGEST] for low in range(0, len(text), LONGEST)] or [b""]
        for number, part in enumerate(parts):
            low = at + number * LONGEST
            last = number == len(parts) - 1
            found.append(Line(low, low + len(part) + (ended and last), part, ended=ended and last))
        at = end + 1
    return found


@st.composite
def stretches(draw: st.DrawFn) -> tuple[bytes, int, int, int]:
    data = draw(TEXTS)
    limit = draw(st.one_of(st.just(len(data)), st.integers(0, len(data))))
    stop = draw(st.one_of(st.just(limit), st.integers(0, limit)))
    return data, draw(st.integers(0, stop)), stop, limit


def reader(data: bytes, block: int) -> Read:
    return lambda start, length: data[start : start + min(length, block)]


@given(stretches(), st.sampled_from([1000, LONGEST, 10 * LONGEST]))
def test_forwards_yields_the_lines(stretch: tuple[bytes, int, int, int], block: int) -> None:
    data, start, stop, limit = stretch

    assert list(forwards(reader(data, block), start, stop, limit)) == naive(data, start, stop, limit)


@given(stretches(), st.sampled_from([1000, LONGEST, 10 * LONGEST]))
def test_backwards_finds_the_same_lines_from_the_end(stretch: tuple[bytes, int, int, int], block: int) -> None:
    data, start, stop, limit = stretch
    expected = [line.start for line in reversed(naive(data, start, stop, limit))]

    assert list(starts_backwards(reader(data, block), start, stop, limit)) == expected


@given(stretches())
def test_the_text_at_a_start_is_the_text_of_the_line(stretch: tuple[bytes, int, int, int]) -> None:
    data, start, stop, limit = stretch

    for line in naive(data, start, stop, limit):
        assert text_at(reader(data, 1000), line.start, limit) == line.text


@given(st.binary(max_size=40).map(lambda data: data.replace(b"a", b"\n")), st.data())
def test_the_next_line_begins_behind_the_nearest_newline(data: bytes, drawn: st.DataObject) -> None:
    start = drawn.draw(st.integers(0, len(data)))
    expected = next(
        (at for at in range(start, len(data)) if at == 0 or data[at - 1 : at] == b"\n"),
        start if start == 0 else len(data),
    )

    assert next_line(reader(data, 7), start, len(data)) == expected


def test_bytes_that_are_gone_end_the_line_before_them() -> None:
    data = b"one\ntw"

    assert list(forwards(reader(data, 4), 0, 20, 20)) == [
        Line(0, 4, b"one", ended=True),
        Line(4, 6, b"tw", ended=False),
    ]
