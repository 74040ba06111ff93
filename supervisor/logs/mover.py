"""Move bytes from a FIFO to a file without looking at them.

The kernel's ``splice`` takes a byte out of the FIFO in the same step in which it puts it into the file, so that a
process killed between any two instructions has neither lost nor doubled one. Where there is no ``splice`` (another
system than Linux, a file system without it) bytes are read and written, and what was read and could not be written is
kept in memory.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import termios
from typing import Final, Protocol

F_SETPIPE_SZ: Final = 1031
F_GETPIPE_SZ: Final = 1032
DEFAULT_PIPE_SIZE: Final = 64 * 1024
_COPY_BLOCK: Final = 256 * 1024
_EMPTY: Final = (errno.EAGAIN, errno.EWOULDBLOCK)

_libc: Final = ctypes.CDLL(None, use_errno=True)
CAN_SPLICE: Final = hasattr(os, "splice") and hasattr(_libc, "tee")


class Mover(Protocol):
    """How the bytes of one FIFO get into a file."""

    def move(self, fifo: int, file: int, offset: int, limit: int) -> int:
        """Move up to ``limit`` bytes to ``offset`` of the file; return how many, 0 where the FIFO is empty.

        Raises ``OSError`` where the file cannot be written; then no byte is lost, and a later call goes on.
        """

    def peek(self, fifo: int, limit: int) -> bytes:
        """Return the next bytes, at most ``limit``, and leave them where they are. Empty where there are none."""

    def pending(self, fifo: int) -> int:
        """Return how many bytes are waiting."""


class SpliceMover:
    """Moves pages inside the kernel."""

    __slots__ = ()

    def move(self, fifo: int, file: int, offset: int, limit: int) -> int:
        """See :class:`Mover`."""
        try:
            return os.splice(fifo, file, limit, offset_dst=offset, flags=os.SPLICE_F_NONBLOCK)
        except BlockingIOError:
            return 0

    def peek(self, fifo: int, limit: int) -> bytes:
        """See :class:`Mover`."""
        out, into = os.pipe()
        try:
            copied = _libc.tee(fifo, into, ctypes.c_size_t(limit), ctypes.c_uint(os.SPLICE_F_NONBLOCK))
            if copied < 0:
                number = ctypes.get_errno()
                if number in _EMPTY:
                    return b""
                raise OSError(number, os.strerror(number))
            return os.read(out, copied) if copied else b""
        finally:
            os.close(out)
            os.close(into)

    def pending(self, fifo: int) -> int:
        """See :class:`Mover`."""
        return waiting_bytes(fifo)


class CopyMover:
    """Reads and writes; keeps in memory what could not be written, at most one block."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def move(self, fifo: int, file: int, offset: int, limit: int) -> int:
        """See :class:`Mover`."""
        if not self._held:
            self._held = self._read(fifo, min(limit, _COPY_BLOCK))
        if not self._held:
            return 0
        written = os.pwrite(file, memoryview(self._held)[:limit], offset)
        self._held = self._held[written:]
        return written

    def peek(self, fifo: int, limit: int) -> bytes:
        """See :class:`Mover`."""
        missing = min(limit, _COPY_BLOCK) - len(self._held)
        if missing > 0:
            self._held += self._read(fifo, missing)
        return self._held[:limit]

    def pending(self, fifo: int) -> int:
        """See :class:`Mover`."""
        return len(self._held) + waiting_bytes(fifo)

    @staticmethod
    def _read(fifo: int, limit: int) -> bytes:
        try:
            return os.read(fifo, limit)
        except BlockingIOError:
            return b""


_SPLICE: Final = SpliceMover()
"""One for all: it remembers nothing."""


def make_mover() -> Mover:
    """Return the best mover of this system."""
    return _SPLICE if CAN_SPLICE else CopyMover()


def waiting_bytes(fifo: int) -> int:
    """Return how many bytes the FIFO holds."""
    answer = fcntl.ioctl(fifo, termios.FIONREAD, b"\0\0\0\0")
    return int.from_bytes(answer, "little")


def pipe_size(fifo: int) -> int:
    """Return how many bytes the FIFO can hold."""
    try:
        return fcntl.fcntl(fifo, F_GETPIPE_SZ)
    except OSError:
        return DEFAULT_PIPE_SIZE


def enlarge(fifo: int, wanted: int) -> int:
    """Enlarge the FIFO's buffer as far as the kernel lets this user; return what it holds now."""
    size = wanted
    while size > DEFAULT_PIPE_SIZE:
        try:
            return fcntl.fcntl(fifo, F_SETPIPE_SZ, size)
        except PermissionError:
            size //= 2
        except OSError:
            break
    return pipe_size(fifo)
