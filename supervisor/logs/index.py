"""The index beside a log file: when which byte arrived, and from which incarnation. Pure codec and search.

Layout: one header, then records of a fixed size in the order of their offsets, all little-endian.

- header: magic, base, inode of the log file, epoch of the stream, checksum
- record: offset, wall time in ns, incarnation, era, checksum

Offsets are *logical*: they count every byte of the stream since its first one and go on over rotations, so that
``base + position in the file`` is an address that neither a rotation nor a restart of the daemon changes. A record says
that the bytes from its offset up to the next record's arrived at its time. ``epoch`` is drawn when a stream begins and
tells its addresses apart from those of an erased one. ``era`` goes up by one whenever the wall clock was set back, so
that (era, time) never decreases and can be searched by halves.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from typing import Final

from attrs import frozen

_HEADER: Final = struct.Struct("<8sQQII")
_RECORD: Final = struct.Struct("<QqIHH")
_MAGIC: Final = b"hoodyix1"
HEADER_SIZE: Final = _HEADER.size
RECORD_SIZE: Final = _RECORD.size
LAST_ERA: Final = 0xFFFF

TOLERATED_STEP: Final = 1_000_000_000
"""A clock that went back by less than this (ns) is treated as standing still."""


@frozen
class Header:
    """What an index says about its log file."""

    base: int
    inode: int
    epoch: int

    def encode(self) -> bytes:
        """Return the bytes of the header."""
        body = _HEADER.pack(_MAGIC, self.base, self.inode, self.epoch, 0)[:-4]
        return body + zlib.crc32(body).to_bytes(4, "little")


@frozen(order=True)
class Record:
    """The bytes from ``offset`` on arrived at ``time`` (ns since 1970) from ``incarnation``."""

    offset: int
    time: int
    incarnation: int
    era: int = 0

    def encode(self) -> bytes:
        """Return the bytes of the record."""
        body = _RECORD.pack(self.offset, self.time, self.incarnation, self.era, 0)[:-2]
        return body + _check(body)


def _check(body: bytes) -> bytes:
    # Never zero: a run of zero bytes, as a power failure can leave behind, is not a record.
    return ((zlib.crc32(body) % 0xFFFF) + 1).to_bytes(2, "little")


def decode_header(data: bytes) -> Header | None:
    """Return the header, or None where these bytes are not one."""
    if len(data) < HEADER_SIZE:
        return None
    magic, base, inode, epoch, check = _HEADER.unpack_from(data)
    if magic != _MAGIC or check != zlib.crc32(data[: HEADER_SIZE - 4]):
        return None
    return Header(base, inode, epoch)


def decode_record(data: bytes) -> Record | None:
    """Return the record, or None where these bytes are not one (cut off, or never written)."""
    if len(data) != RECORD_SIZE or _check(data[:-2]) != data[-2:]:
        return None
    offset, time, incarnation, era, _ = _RECORD.unpack(data)
    return Record(offset, time, incarnation, era)


def next_record(last: Record | None, offset: int, time: int, incarnation: int) -> Record:
    """Return the record that follows ``last``, with the era that keeps (era, time) from decreasing."""
    if last is None or time >= last.time:
        return Record(offset, time, incarnation, last.era if last else 0)
    if last.time - time < TOLERATED_STEP or last.era == LAST_ERA:
        return Record(offset, last.time, incarnation, last.era)
    return Record(offset, time, incarnation, last.era + 1)


class IndexView:
    """The records of one index, read one at a time: memory does not grow with the index.

    ``read(start, length)`` returns bytes of the index file. Only the first ``count`` records exist for this view, so
    that what is appended meanwhile does not move its results.
    """

    def __init__(self, read: Callable[[int, int], bytes], count: int) -> None:
        self._read = read
        self.count = count

    def at(self, number: int) -> Record | None:
        """Return a record; None where it is damaged."""
        return decode_record(self._read(HEADER_SIZE + number * RECORD_SIZE, RECORD_SIZE))

    def __getitem__(self, number: int) -> Record:
        """Return a record. One that is damaged stands for its nearest sound neighbour, before it if there is one."""
        for candidate in (*range(number, -1, -1), *range(number + 1, self.count)):
            found = self.at(candidate)
            if found is not None:
                return found
        raise IndexError(number)


def records_in(size: int) -> int:
    """Return how many whole records an index file of this size has."""
    return max(0, size - HEADER_SIZE) // RECORD_SIZE
