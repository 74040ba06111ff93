"""A file of lines that rotates by size and survives a full disk. Used by one thread at a time."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

_FLAGS: Final = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class RotatingFile:
    """Appends whole lines, or nothing of a line. ``NAME`` is the present file, ``NAME.1`` the one before it, and so on.

    No method raises: a log that cannot be written must not harm what it tells about. ``lost`` counts the lines that did
    not get into the file.
    """

    def __init__(self, path: Path, *, max_bytes: int, backups: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._backups = backups
        self._descriptor = -1
        self.lost = 0

    def write(self, line: bytes) -> bool:
        """Append ``line``, which ends with its newline. Returns whether it is in the file."""
        try:
            self._append(line)
        except OSError:
            self.lost += 1
            self.close()
            return False
        return True

    def reopen(self) -> None:
        """Let go of the present file, so that the next line goes to whatever has its name by then."""
        self.close()

    def close(self) -> None:
        """Close the file; the next write opens it again."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            # Some file systems report the failure of earlier writes here; there is nobody to tell.
            with contextlib.suppress(OSError):
                os.close(descriptor)

    def _append(self, line: bytes) -> None:
        descriptor = self._opened()
        size = os.fstat(descriptor).st_size
        if size and size + len(line) > self._max_bytes:
            self._rotate()
            descriptor, size = self._opened(), 0
        written = os.write(descriptor, line)
        if written < len(line):
            # A disk that is full in the middle of a line: half an object would spoil the next line too.
            os.ftruncate(descriptor, size)
            raise OSError("the line did not fit")

    def _opened(self) -> int:
        if self._descriptor < 0:
            self._descriptor = os.open(self._path, _FLAGS, 0o600)
        return self._descriptor

    def _rotate(self) -> None:
        self.close()
        for number in range(self._backups - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                self._backup(number).rename(self._backup(number + 1))
        if self._backups:
            self._path.rename(self._backup(1))
        else:
            self._path.unlink()

    def _backup(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
