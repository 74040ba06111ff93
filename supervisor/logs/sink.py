"""Where the bytes of one stream go: appended to the current file, rotated at the end of a line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, NamedTuple

from supervisor.logs import rotation
from supervisor.logs.current import CurrentFile
from supervisor.logs.index_file import INTERVAL, TURN_INTERVAL
from supervisor.logs.mover import Mover
from supervisor.logs.settings import StreamName
from supervisor.units.log_settings import LogSettings

CHUNK: Final = 1024 * 1024
"""The most that is moved in one step."""
PEEK: Final = 64 * 1024
LONGEST_OVERRUN: Final = 1024 * 1024
"""A file is rotated in the middle of a line only when the line goes on for this much longer after it was due."""
_NANO: Final = 1_000_000_000


class Turn:
    """Which stream of a unit was written last; shared by the sinks of the unit."""

    __slots__ = ("stream",)

    def __init__(self) -> None:
        self.stream: StreamName | None = None


class Taken(NamedTuple):
    """How many bytes were moved, and whether the FIFO had no more."""

    moved: int
    dry: bool


class Sink:
    """The file end of one stream. Not thread-safe: the lock of its source guards it.

    Every method that touches the disk may raise ``OSError``; then no byte is lost, and a later call goes on.
    """

    __slots__ = ("_began", "_stream", "file", "rotations", "settings", "turn")

    def __init__(self, folder: Path, stream: StreamName, settings: LogSettings, turn: Turn) -> None:
        self.turn = turn
        self._stream = stream
        self._began = 0
        self.file = CurrentFile(folder, stream)
        self.settings = settings
        self.rotations = 0

    def take(self, mover: Mover, fifo: int, limit: int, now: int, incarnation: int) -> Taken:
        """Move up to ``limit`` bytes from the FIFO to the end of the file. ``now`` is the wall time in ns."""
        file = self.file
        file.ready(now)
        wanted = min(limit, CHUNK, self._room(mover, fifo, now))
        if not wanted:
            return Taken(0, dry=True)
        self._note(now, incarnation)
        moved = mover.move(fifo, file.fd, file.size, wanted)
        if moved and not file.size:
            self._began = now
        file.size += moved
        return Taken(moved, dry=moved < wanted or not moved)

    def mark(self, now: int, incarnation: int) -> None:
        """Put down that what comes from here on is from ``incarnation``."""
        self.file.ready(now)
        self._note(now, incarnation)

    def _note(self, now: int, incarnation: int) -> None:
        mine = self.turn.stream == self._stream
        self.turn.stream = self._stream
        self.file.note(now, incarnation, INTERVAL if mine else TURN_INTERVAL)

    def _is_due(self, now: int) -> bool:
        file = self.file
        if file.size >= self.settings.max_size or file.index_size >= self.settings.max_size // 2:
            return file.size > 0
        age = self.settings.max_age
        if age is None or file.size == 0:
            return False
        if not self._began:
            self._began = file.began or now
        return now - self._began > age * _NANO

    def _room(self, mover: Mover, fifo: int, now: int) -> int:
        """Return how many bytes may go to the current file, after rotating it where that is due.

        A file that is due gets the rest of the line that it ends with, and is rotated once it ends with a whole line.
        """
        file = self.file
        if not self._is_due(now):
            return self.settings.max_size - file.size
        if file.size - self.settings.max_size >= LONGEST_OVERRUN or os.pread(file.fd, 1, file.size - 1) == b"\n":
            rotation.rotate(file.folder, self._stream, self.settings.backups)
            self.rotations += 1
            file.begin_next()
            return self.settings.max_size
        ahead = mover.peek(fifo, PEEK)
        return ahead.find(b"\n") + 1 or len(ahead)
