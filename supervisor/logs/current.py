"""The current file of a stream and its index, and where in the stream they are.

Notices what others do to the file: deleted, renamed, cut off, written into, restored. None of it stops the stream.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Final

from supervisor.logs import places, rotation
from supervisor.logs.index import Header, Record
from supervisor.logs.index_file import IndexAppender
from supervisor.logs.settings import StreamName

_LOOK_AGAIN: Final = 1_000_000_000
"""How often (ns) a busy file is checked for having been renamed by somebody else."""


class CurrentFile:
    """Not thread-safe: the lock of its source guards it.

    Every method that touches the disk may raise ``OSError``; a later call goes on from there. ``base`` is the logical
    offset of the file's first byte and ``size`` its length, both meaningful once :meth:`ready` has returned.
    """

    __slots__ = ("_index", "_inode", "_looked", "_place", "_stream", "base", "epoch", "fd", "index_errors", "last",
                 "size")  # fmt: skip

    def __init__(self, folder: Path, stream: StreamName) -> None:
        self._place = str(folder)  # a Path is five times as large, and of thousands of streams most are quiet
        self._stream = stream
        self._index: IndexAppender | None = None
        self._inode = 0
        self._looked = 0
        self.fd = -1
        self.base = 0
        self.size = 0
        self.epoch = 0
        self.last: Record | None = None
        self.index_errors = 0

    @property
    def folder(self) -> Path:
        """Where the files of the unit are."""
        return Path(self._place)

    @property
    def position(self) -> int:
        """The logical offset of the next byte."""
        return self.base + self.size

    @property
    def began(self) -> int:
        """When the first byte of the file arrived (wall time in ns); 0 where the index does not know."""
        return self._index.began if self._index else 0

    @property
    def index_size(self) -> int:
        """How many bytes the index takes."""
        return self._index.size if self._index else 0

    def ready(self, now: int) -> None:
        """Make sure that the file at hand is the one of that name, and that its length is the known one."""
        if self.fd >= 0:
            self._check(now)
        if self.fd < 0:
            self._open(self.position if self._inode else None)
            self._looked = now

    def note(self, now: int, incarnation: int, interval: int) -> None:
        """Tell the index from when and whom the next bytes are; before they are there, so that no reader meets any
        that it knows nothing of.

        An index that cannot be written costs precision of times and never a byte: a failure is counted and does not
        raise.
        """
        if self._index is None:
            return
        try:
            self._index.note(self.position, now, incarnation, interval)
        except OSError:
            self.index_errors += 1
        else:
            self.last = self._index.last

    def begin_next(self) -> None:
        """Go on with a new file, after the old one was renamed."""
        self.close()
        self.base, self.size = self.position, 0
        self._open(self.base)

    def close(self) -> None:
        """Give the descriptors back. The next use opens the files again."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
        if self._index is not None:
            self._index.close()
            self._index = None

    def _check(self, now: int) -> None:
        found = os.fstat(self.fd)
        if not found.st_nlink or found.st_size < self.size:
            self.close()
            return
        self.size = found.st_size  # larger where somebody else appended: what they wrote is kept
        if not 0 <= now - self._looked <= _LOOK_AGAIN:
            self._looked = now
            try:
                renamed = places.current(self.folder, self._stream).stat().st_ino != self._inode
            except FileNotFoundError:
                renamed = True
            if renamed:
                self.close()

    def _open(self, position: int | None) -> None:
        """Open the current file, making it where there is none.

        ``position`` is the logical offset reached so far, None where this is the first look at the stream.
        """
        if position is None:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            rotation.tidy(self.folder, self._stream)
        fd, fresh = self._open_log()
        try:
            found = os.fstat(fd)
            index = None if fresh else self._known_index(found, position)
            if index is None:
                index = self._new_index(found, position)
        except OSError:
            os.close(fd)
            raise
        self.fd, self._index = fd, index
        self._inode, self.size = found.st_ino, found.st_size
        self.base, self.epoch = index.header.base, index.header.epoch
        self.last = index.last or self.last

    def _open_log(self) -> tuple[int, bool]:
        path = places.current(self.folder, self._stream)
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return os.open(path, flags), False
        except FileNotFoundError:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600), True

    def _known_index(self, found: os.stat_result, position: int | None) -> IndexAppender | None:
        """Return the index of a file that was there; None where it has none, or was cut off since."""
        if position is not None and found.st_ino == self._inode and found.st_size >= self.size:
            path = places.index(self.folder, self._stream, self.base)
            if path.exists():
                return IndexAppender.open(path, self.base + found.st_size)
        for item in places.indexes(self.folder, self._stream):
            if item.header.inode == found.st_ino:
                end = item.header.base + found.st_size
                return IndexAppender.open(item.path, end) if position is None or end >= position else None
        return None

    def _new_index(self, found: os.stat_result, position: int | None) -> IndexAppender:
        base, epoch, last = position or 0, self.epoch, self.last
        if position is None:
            known = rotation.ending(self.folder, self._stream)
            if known is not None:
                # Where the stream ended is not known when its newest file is gone: then its addresses are void.
                base, epoch, last = known.offset, known.epoch if known.exact else 0, known.last
        header = Header(base, found.st_ino, epoch or secrets.randbits(32) or 1)
        return IndexAppender.create(places.index(self.folder, self._stream, base), header, last)
