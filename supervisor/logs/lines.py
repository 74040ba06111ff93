"""Find lines in bytes that are read in blocks, forwards and backwards. Pure: memory is bounded whatever the bytes are.

Offsets are those of ``read(start, length)``, which returns at most ``length`` bytes and fewer only where a block ends;
it returns none only at a place where bytes are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from attrs import frozen

LONGEST: Final = 64 * 1024
"""A longer line is handed out in parts of this size."""
BLOCK: Final = 64 * 1024

Read: TypeAlias = Callable[[int, int], bytes]


@frozen
class Line:
    """A line, or a part of a long one. ``text`` is without the newline; ``ended`` says that there was one."""

    start: int
    end: int
    text: bytes
    ended: bool


def forwards(read: Read, start: int, stop: int, limit: int) -> Iterator[Line]:
    """Yield the lines that begin in [start, stop), none of them going beyond ``limit``, first to last.

    The parts of a long line begin at multiples of ``LONGEST`` from its start. Bytes that are gone end the line before.
    """
    base, data, at = start, b"", 0  # ``data`` begins at ``base``; what comes next is at ``data[at]``
    line_start = start
    while line_start < stop:
        found = data.find(b"\n", at, at + LONGEST + 1)
        while found < 0 and len(data) - at <= LONGEST and base + len(data) < limit:
            more = read(base + len(data), min(BLOCK, limit - base - len(data)))
            if not more:
                limit = base + len(data)
                break
            searched = len(data) - at
            base, data, at = base + at, data[at:] + more, 0
            found = data.find(b"\n", searched, LONGEST + 1)
        if found >= 0:
            yield Line(base + at, base + found + 1, data[at:found], ended=True)
            at = found + 1
            line_start = base + at
        elif at < len(data):
            text = data[at : at + LONGEST]
            yield Line(base + at, base + at + len(text), text, ended=False)
            at += len(text)
        else:
            return


def starts_backwards(read: Read, start: int, stop: int, limit: int) -> Iterator[int]:
    """Yield where the lines (and parts of long lines) begin that :func:`forwards` yields, last to first."""
    if start >= stop:
        return
    end = next_line(read, stop, limit) if stop < limit else limit
    ended = read(end - 1, 1) == b"\n"
    at = stop - 1  # a newline at ``stop - 1`` begins no line before ``stop``
    while at > start:
        low = max(start, at - BLOCK)
        data = read_all(read, low, at - low)
        found = len(data)
        while (found := data.rfind(b"\n", 0, found)) >= 0:
            yield from _parts_backwards(low + found + 1, end, ended=ended)
            end, ended = low + found + 1, True
        at = low
    yield from _parts_backwards(start, end, ended=ended)


def next_line(read: Read, start: int, limit: int) -> int:
    """Return where the first line begins after the newline at or behind ``start - 1``; ``limit`` where there is none.

    ``start`` itself when it is the beginning of a line.
    """
    if start <= 0:
        return start
    at = start - 1
    while at < limit:
        data = read(at, min(BLOCK, limit - at))
        if not data:
            return limit
        found = data.find(b"\n")
        if found >= 0:
            return at + found + 1
        at += len(data)
    return limit


def text_at(read: Read, start: int, limit: int) -> bytes:
    """Return the text of the line, or part of a line, that begins at ``start``."""
    data = read_all(read, start, min(LONGEST, limit - start))
    found = data.find(b"\n")
    return data if found < 0 else data[:found]


def _parts_backwards(start: int, end: int, *, ended: bool) -> Iterator[int]:
    length = end - start - ended  # a newline just behind a full part belongs to that part
    for number in range(max(0, length - 1) // LONGEST, -1, -1):
        yield start + number * LONGEST


def read_all(read: Read, start: int, length: int) -> bytes:
    """Return ``length`` bytes over the ends of blocks; fewer where bytes are gone."""
    data = read(start, length)
    while len(data) < length:
        more = read(start + len(data), length - len(data))
        if not more:
            break
        data += more
    return data
