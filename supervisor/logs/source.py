"""One stream of one unit: its FIFO, its file, and what is known of both. Outlives the thread that pumps it."""

from __future__ import annotations

import math
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from attrs import frozen

from supervisor.logs.mover import Mover, enlarge, pipe_size
from supervisor.logs.settings import Key, StreamName
from supervisor.logs.sink import CHUNK, Sink

_MOST_PER_VISIT: Final = 4 * 1024 * 1024
"""A stream that never runs dry gives way to the others after this many bytes."""
_BUSY: Final = 0.5
"""A FIFO that was found this full has a busy writer."""
LOCK_TIMEOUT: Final = 10.0


class Busy(TimeoutError):
    """A stream's files did not become free: a write to the disk hangs."""


@frozen
class Visit:
    """What one visit to a source did: bytes moved, how full the FIFO's buffer was (0.0 to about 1.0), files rotated."""

    moved: int
    fill: float
    rotated: bool


class Source:
    """A FIFO that is read as long as its unit is known, and the sink of its bytes.

    Thread-safe: everything that moves bytes or touches the files happens under the lock, and any thread may do it.
    The FIFO is open for reading *and* writing, so it never reports an end of file when a writer goes away.
    """

    __slots__ = ("_capacity", "_lock", "_mover", "_pipe_size", "_upcoming", "closed", "error", "failing_since", "fd",
                 "incarnation", "inode", "moved_at", "path", "retries", "sink", "stream", "total", "unit")  # fmt: skip

    def __init__(self, unit: str, stream: StreamName, *, path: Path, sink: Sink, mover: Mover, size: int) -> None:
        self.unit = unit
        self.stream = stream
        self.path = str(path)
        self.fd = open_fifo(path)
        self.inode = os.fstat(self.fd).st_ino
        self.sink = sink
        self.incarnation = 0
        """Whom the next byte is from; 0 until the index or a start has told it."""
        self.closed = False
        self.total = 0
        """How many bytes were moved by this source object."""
        self.error = ""
        self.failing_since: float | None = None
        self.moved_at = -math.inf
        """When bytes were last moved, by ``time.monotonic``."""
        self.retries = 0
        self._mover = mover
        self._lock = threading.Lock()
        self._upcoming: list[tuple[int, int]] = []
        self._pipe_size = size
        self._capacity = 0

    @property
    def key(self) -> Key:
        """What the source is known by."""
        return self.unit, self.stream

    @property
    def position(self) -> int:
        """The logical offset of the next byte of the stream."""
        return self.sink.file.position

    @property
    def latest_incarnation(self) -> int:
        """The incarnation that was last told to :meth:`begin`; 0 where none was."""
        return self._upcoming[-1][1] if self._upcoming else self.incarnation

    def visit(self, now: int, *, patience: float = LOCK_TIMEOUT, keep_open: bool = True) -> Visit:
        """Move what is waiting into the file; leave the file open unless it was closed and ``keep_open`` is False.

        Raises ``OSError`` when the file cannot be written, and :class:`Busy` (an ``OSError`` too) when another thread
        holds the stream for longer than ``patience`` seconds.
        """
        with self.locked(patience):
            if self.closed:
                return Visit(0, 0.0, rotated=False)
            rotations = self.sink.rotations
            was_open = self.sink.file.fd >= 0
            try:
                moved = self._move(now)
            finally:
                if not (keep_open or was_open):
                    self.sink.file.close()  # the pump counts the files that it keeps open
            self._capacity = self._capacity or pipe_size(self.fd)
            fill = moved / self._capacity
            if fill >= _BUSY and self._capacity < self._pipe_size:
                # As far as the kernel lets this user go, and never asked again.
                self._pipe_size = self._capacity = enlarge(self.fd, self._pipe_size)
            return Visit(moved, fill, rotated=self.sink.rotations != rotations)

    def begin(self, incarnation: int) -> None:
        """Attribute what is written from now on to ``incarnation``, and what waits in the FIFO to the one before.

        Touches no file: the index is told by :meth:`put_down`, or with the next byte.
        """
        with self.locked():
            beginning = self.total + self._mover.pending(self.fd)
            if self._upcoming and self._upcoming[-1][0] == beginning:
                self._upcoming.pop()  # whoever was to begin here has written nothing
            self._upcoming.append((beginning, incarnation))

    def put_down(self, now: int) -> None:
        """Tell the index who writes now, unless bytes of the one before still wait.

        Where the stream is being moved, or its disk cannot be written just now, the index is told with the next byte.
        """
        with suppress(Busy), self.locked(0.0):
            if not self.closed:
                with self._files():
                    self._begin_due(now)

    def pending(self, *, patience: float = LOCK_TIMEOUT) -> int:
        """Return how many bytes wait in the FIFO."""
        with self.locked(patience):
            return 0 if self.closed else self._mover.pending(self.fd)

    def end(self, now: int) -> tuple[int, int]:
        """Return the epoch of the stream and the logical offset after its last kept byte. May raise ``OSError``."""
        with self.locked(), self._files():
            self.sink.file.ready(now)
            return self.sink.file.epoch, self.sink.file.position

    def release(self) -> None:
        """Close the log files; the FIFO stays open. They are opened again when the next byte arrives."""
        with self.locked():
            self.sink.file.close()

    def close(self, *, remove: bool) -> None:
        """Close everything, and with ``remove`` delete the FIFO. Idempotent."""
        with self.locked():
            if self.closed:
                return
            self.closed = True
            self.sink.file.close()
            os.close(self.fd)
            if remove:
                with suppress(FileNotFoundError):
                    os.unlink(self.path)  # noqa: PTH108 - kept as text, see CurrentFile

    @contextmanager
    def locked(self, patience: float = LOCK_TIMEOUT) -> Iterator[None]:
        """Have the stream's files to oneself. Raises :class:`Busy` where that does not come about in time."""
        if not self._lock.acquire(timeout=patience):
            raise Busy(f"the {self.stream} log of {self.unit!r} is being written and does not get done")
        try:
            yield
        finally:
            self._lock.release()

    @contextmanager
    def _files(self) -> Iterator[None]:
        """Leave the log files as open or closed as they were found."""
        was_open = self.sink.file.fd >= 0
        try:
            yield
        finally:
            if not was_open:
                self.sink.file.close()

    def _move(self, now: int) -> int:
        if self.sink.file.fd < 0 and not self._mover.pending(self.fd):
            return 0  # a look at a quiet stream opens no files
        if not self.incarnation:
            self.sink.file.ready(now)
            last = self.sink.file.last
            self.incarnation = last.incarnation if last else 0
        moved = 0
        while moved < _MOST_PER_VISIT:
            self._begin_due(now)
            limit = self._upcoming[0][0] - self.total if self._upcoming else CHUNK
            taken = self.sink.take(self._mover, self.fd, limit, now, self.incarnation)
            moved += taken.moved
            self.total += taken.moved
            if taken.moved:
                self.moved_at = time.monotonic()
            if taken.dry:
                break
        return moved

    def _begin_due(self, now: int) -> None:
        while self._upcoming and self._upcoming[0][0] <= self.total:
            self._switch(self._upcoming.pop(0)[1], now)

    def _switch(self, incarnation: int, now: int) -> None:
        self.incarnation = incarnation
        try:
            self.sink.mark(now, incarnation)
        except OSError as error:
            self.error = str(error)


def open_fifo(path: Path) -> int:
    """Open a FIFO for the pump, making it where there is none (or where something else has its name)."""
    flags = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW
    for _ in range(3):
        try:
            if not stat.S_ISFIFO(path.lstat().st_mode):
                path.unlink()
            return os.open(path, flags)
        except FileNotFoundError:
            try:
                os.mkfifo(path, 0o600)
            except FileExistsError:
                continue
    return os.open(path, flags)
