"""One stream on disk as it is at one instant: its files put in order, readable by logical offset."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import IO, Final

from attrs import evolve, frozen

from supervisor.logs import places
from supervisor.logs.index import IndexView, Record
from supervisor.logs.position import Position
from supervisor.logs.records import Records
from supervisor.logs.settings import Key, StreamName

_ALIKE: Final = 3
"""A hole that so many looks in a row have shown is none of a rotation: a file is missing."""
_PATIENCE: Final = 2.0
_PAUSE: Final = 0.002


@frozen
class Found:
    """A log file as it was found: its name may change, its inode stays."""

    path: Path
    number: int
    inode: int
    length: int
    changed: int
    compressed: bool


class Segment:
    """One file of a stream. Opened when it is first read; compressed ones are unpacked to a nameless file then."""

    def __init__(
        self, folder: Path, stream: StreamName, found: Found, base: int, index: places.IndexFile | None
    ) -> None:
        self._folder = folder
        self._stream = stream
        self._found = found
        self._index = index if index and index.records else None
        self._data: IO[bytes] | None = None
        self._gone = False
        self._index_file: IO[bytes] | None = None
        self.base = base
        self.end = base + found.length

    @property
    def count(self) -> int:
        """How many records it has; at least one."""
        return self._index.records if self._index else 1

    def __getitem__(self, number: int) -> Record:
        """Return a record. Without an index there is one for the whole file, with the time of its last change."""
        view = self._view()
        if view is None:
            return Record(self.base, self._found.changed, 0)
        record = view[number]
        return record if number else evolve(record, offset=self.base)

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes by logical offset; none where the file was deleted meanwhile."""
        if self._data is None and not self._gone:
            self._data = self._open_data()
            self._gone = self._data is None
        if self._data is None:
            return b""
        return os.pread(self._data.fileno(), min(length, self.end - offset), offset - self.base)

    def close(self) -> None:
        """Give the descriptors back."""
        for file in (self._data, self._index_file):
            if file is not None:
                file.close()

    def _open_data(self) -> IO[bytes] | None:
        for path in (self._found.path, *(item.path for item in places.backups(self._folder, self._stream))):
            try:
                file = path.open("rb")
            except FileNotFoundError:
                continue
            if os.fstat(file.fileno()).st_ino == self._found.inode:
                return _unpack(file) if self._found.compressed else file
            file.close()
        return None

    def _view(self) -> IndexView | None:
        if self._index_file is None and self._index is not None:
            try:
                self._index_file = self._index.path.open("rb")
            except FileNotFoundError:
                self._index_file = tempfile.TemporaryFile()  # noqa: SIM115 - deleted meanwhile: as good as empty
        file = self._index_file
        if file is None or not os.fstat(file.fileno()).st_size:
            return None
        return IndexView(lambda start, length: os.pread(file.fileno(), length, start), self.count)


class StreamView:
    """What is there of one stream. Blocking; not thread-safe; to be closed.

    What arrives after it was made is not part of it. Files that are deleted meanwhile read as gone.
    """

    def __init__(self, unit: str, stream: StreamName, epoch: int, segments: Sequence[Segment]) -> None:
        self.unit = unit
        self.stream = stream
        self.epoch = epoch
        self.segments = segments
        self.records = Records(segments)
        self.whole_end = segments[-1].end if segments else 0
        """The end of what is there, whether or not :meth:`cut` has hidden some of it."""
        self._end = self.whole_end

    @property
    def key(self) -> Key:
        """The stream that it is of."""
        return self.unit, self.stream

    def cut(self, end: int) -> None:
        """Hide what stands behind a logical offset."""
        self._end = end

    @property
    def start(self) -> int:
        """The logical offset of the first byte that is there."""
        return self.segments[0].base if self.segments else 0

    @property
    def end(self) -> Position:
        """Where the stream goes on behind this view."""
        return Position(self.epoch, self._end)

    def read(self, offset: int, length: int) -> bytes:
        """Return bytes from one of the files; none at an offset where nothing is (any more)."""
        for segment in reversed(self.segments):
            if segment.base <= offset:
                return segment.read(offset, length) if offset < segment.end else b""
        return b""

    def behind_hole(self, offset: int) -> int:
        """Return the next offset behind ``offset`` at which a file begins, or the end."""
        return next((segment.base for segment in self.segments if segment.base > offset), self.end.offset)

    def close(self) -> None:
        """Give the descriptors back."""
        for segment in self.segments:
            segment.close()


def open_stream(logs: Path, unit: str, stream: StreamName) -> StreamView:
    """Look at a stream. One that does not exist (yet) is empty.

    No lock is taken. Rotations at the same instant can show a file twice or hide one; then it is looked at again. How
    often does not count, since on a busy machine each look may meet another rotation: the hole has to stay the same.
    """
    folder = logs / unit
    deadline = time.monotonic() + _PATIENCE
    shown: list[tuple[int, int]] = []
    alike = 0
    while True:
        found = _look(folder, stream)
        indexes = list(places.indexes(folder, stream))
        # An inode is used again once its file is gone: the newest index of several is the right one.
        segments = _in_order(folder, stream, found, {item.header.inode: item for item in reversed(indexes)})
        epoch = indexes[0].header.epoch if indexes else 0
        holes = [(older.end, newer.base) for older, newer in pairwise(segments) if older.end != newer.base]
        alike = alike + 1 if holes == shown else 1
        if not holes or alike == _ALIKE or time.monotonic() > deadline:
            return StreamView(unit, stream, epoch, segments)
        shown = holes
        time.sleep(_PAUSE)


def _in_order(
    folder: Path, stream: StreamName, found: Sequence[Found], indexes: Mapping[int, places.IndexFile]
) -> list[Segment]:
    """Return the files as segments, oldest first. ``found`` has the newest first.

    A file without an index follows on the one with the next higher number. Beside an indexed file of the same number it
    is a copy: the one of the two, plain and compressed, that is being made or about to be deleted.
    """
    indexed = {item.number for item in found if item.inode in indexes}
    segments: list[Segment] = []
    end = 0
    for item in reversed(found):
        index = indexes.get(item.inode)
        if index is None and item.number in indexed:
            continue
        segments.append(Segment(folder, stream, item, index.header.base if index else end, index))
        end = segments[-1].end
    return sorted(segments, key=lambda segment: (segment.base, segment.end))


def _look(folder: Path, stream: StreamName) -> list[Found]:
    """Return the files of a stream, newest first, each once."""
    found: dict[int, Found] = {}
    # A rotation moves files from low numbers to high ones; looking in the same direction misses none.
    paths = [(places.current(folder, stream), None), *((item.path, item) for item in places.backups(folder, stream))]
    for path, item in paths:
        try:
            known = path.stat()
            length = known.st_size if item is None else places.length(item)
        except FileNotFoundError:
            continue
        number, packed = (item.number, item.compressed) if item else (0, False)
        found.setdefault(known.st_ino, Found(path, number, known.st_ino, length, known.st_mtime_ns, packed))
    return list(found.values())


def _unpack(packed: IO[bytes]) -> IO[bytes]:
    plain = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the segment
    with packed, gzip.open(packed, "rb") as source:
        shutil.copyfileobj(source, plain, 1024 * 1024)
    plain.flush()
    return plain
