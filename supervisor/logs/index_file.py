"""The index of the current file, open for appending."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

from supervisor.logs.index import (
    HEADER_SIZE,
    RECORD_SIZE,
    Header,
    IndexView,
    Record,
    decode_header,
    decode_record,
    next_record,
    records_in,
)

INTERVAL: Final = 100_000_000
"""Bytes that arrive within this many ns of the last record get none of their own."""
TURN_INTERVAL: Final = 10_000_000
"""The same where the unit's other stream has had its turn since: so the two can be merged in the right order."""


class IndexAppender:
    """Appends records. Not thread-safe: the owner's lock guards it.

    Records are written at explicit offsets, so that one cut off by a full disk is overwritten by the next try.
    """

    __slots__ = ("_fd", "count", "header", "last")

    def __init__(self, fd: int, header: Header, count: int, last: Record | None) -> None:
        self._fd = fd
        self.header = header
        self.count = count
        self.last = last

    @classmethod
    def create(cls, path: Path, header: Header, last: Record | None) -> IndexAppender:
        """Make the index of a new file. ``last`` is the last record of the file before, for its clock."""
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            _write_whole(fd, header.encode(), 0)
        except OSError:
            os.close(fd)
            path.unlink()
            raise
        return cls(fd, header, 0, last)

    @classmethod
    def open(cls, path: Path, end: int) -> IndexAppender | None:
        """Open an index that is there; None where it cannot be used.

        Records that are cut off, damaged at the end, or about bytes beyond the logical offset ``end`` (their log was
        not kept over a power failure) are taken off.
        """
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        header = decode_header(os.pread(fd, HEADER_SIZE, 0))
        if header is None:
            os.close(fd)
            return None
        count = records_in(os.fstat(fd).st_size)
        view = IndexView(lambda start, length: os.pread(fd, length, start), count)
        last = None
        while count:
            last = view.at(count - 1)
            if last is not None and last.offset <= end:
                break
            last = None
            count -= 1
        os.ftruncate(fd, HEADER_SIZE + count * RECORD_SIZE)
        return cls(fd, header, count, last)

    def note(self, offset: int, time: int, incarnation: int, interval: int = INTERVAL) -> None:
        """Say that the bytes from ``offset`` on arrive at ``time`` from ``incarnation``.

        Left out where the last record is of the same incarnation and less than ``interval`` ns old.
        """
        last = self.last
        if last is not None and self.count and incarnation == last.incarnation:
            if 0 <= time - last.time < interval:
                return
            if offset == last.offset:
                self.count -= 1  # nothing came since then: the new time takes its place
        record = next_record(last, offset, time, incarnation)
        _write_whole(self._fd, record.encode(), HEADER_SIZE + self.count * RECORD_SIZE)
        self.count += 1
        self.last = record

    @property
    def size(self) -> int:
        """How many bytes the index takes."""
        return HEADER_SIZE + self.count * RECORD_SIZE

    @property
    def began(self) -> int:
        """The time of the first record; 0 where there is none."""
        first = decode_record(os.pread(self._fd, RECORD_SIZE, HEADER_SIZE))
        return first.time if first else 0

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def _write_whole(fd: int, data: bytes, offset: int) -> None:
    if os.pwrite(fd, data, offset) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
