"""The daemon's log: one JSON object per line, written by a thread of its own, so that a slow disk slows nobody.

Everything goes through the standard library's ``logging``, so what libraries say is in it too.
"""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TextIO

from attrs import frozen

from hoody.daemon.logfile import RotatingFile

MAX_BYTES: Final = 10 * 1024 * 1024
BACKUPS: Final = 5
MOST_WAITING: Final = 10_000
"""Lines that wait for the disk; more are counted and dropped, which the log says once it can."""
CLOSE_WITHIN: Final = 2.0
_ORDINARY: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_LEVELS: Final = {logging.DEBUG: "debug", logging.INFO: "info", logging.WARNING: "warning", logging.ERROR: "error"}


def log_line(record: logging.LogRecord) -> dict[str, object]:
    """Return the object that stands for ``record``: time, level, logger, message, what was given as ``extra``."""
    line: dict[str, object] = {
        "time": _time(record),
        "level": _LEVELS.get(record.levelno, record.levelname.lower()),
        "logger": record.name,
        "message": record.getMessage(),
    }
    line.update((key, value) for key, value in vars(record).items() if key not in _ORDINARY and value is not None)
    if record.exc_info:
        line["traceback"] = logging.Formatter().formatException(record.exc_info)
    return line


def to_json(record: logging.LogRecord) -> str:
    """Write ``record`` as one line of JSON, whatever it carries."""
    return json.dumps(log_line(record), default=repr, ensure_ascii=False)


def to_text(record: logging.LogRecord) -> str:
    """Write ``record`` for a person at a terminal. Control characters in it are escaped."""
    line = log_line(record)
    trace = str(line.pop("traceback", ""))
    *_, message = (line.pop(key) for key in ("time", "level", "logger", "message"))
    extra = "".join(f" {key}={value}" for key, value in line.items())
    moment = datetime.fromtimestamp(record.created).astimezone().strftime("%H:%M:%S")
    text = f"{moment} {record.levelname.lower():<7} {message}{extra}"
    return "\n".join([_printable(text), *map(_printable, trace.splitlines())])


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in text)


@frozen
class _Line:
    """One entry, in the form of the file and in that of the terminal."""

    json: str
    shown: str


@frozen
class _Reopen:
    """Let go of the file: somebody has moved it."""


@frozen
class _Stop:
    """The end of the queue."""


class _Handler(logging.Handler):
    """Formats on the calling thread, where the arguments are still what they were, and never waits."""

    def __init__(self, put: Callable[[_Line], None], show: Callable[[logging.LogRecord], str] | None) -> None:
        super().__init__()
        self._put = put
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._put(_Line(to_json(record), self._show(record) if self._show else ""))
        except Exception:  # noqa: BLE001 - the contract of a handler: what cannot be formatted is reported, not raised
            self.handleError(record)


class DaemonLog:
    """The log of one daemon: ``open`` routes all of ``logging`` to it, ``close`` writes what waits and lets go.

    With ``stderr`` everything is shown there too: to a terminal as text for people, otherwise as the same JSON lines.
    """

    def __init__(self, path: Path, *, level: int, stderr: TextIO | None = None) -> None:
        self._file = RotatingFile(path, max_bytes=MAX_BYTES, backups=BACKUPS)
        self._stderr = stderr
        self._level = level
        self._queue: queue.Queue[_Line | _Reopen | _Stop] = queue.Queue(MOST_WAITING)
        self._dropped = 0
        show = None if stderr is None else to_text if stderr.isatty() else to_json
        self._handler = _Handler(self._put, show)
        self._thread = threading.Thread(target=self._write_all, name="hoody-log", daemon=True)

    @property
    def lost(self) -> int:
        """How many lines could not be kept: the disk was full, or too slow for too long."""
        return self._dropped + self._file.lost

    def open(self) -> None:
        """Begin to write."""
        root = logging.getLogger()
        root.addHandler(self._handler)
        root.setLevel(self._level)
        logging.captureWarnings(capture=True)
        self._thread.start()

    def reopen(self) -> None:
        """Write to whatever has the file's name from now on: for those who rotate logs themselves."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(_Reopen())

    def close(self) -> None:
        """Write what still waits, within a deadline, and stop."""
        logging.captureWarnings(capture=False)
        logging.getLogger().removeHandler(self._handler)
        with contextlib.suppress(queue.Full):
            self._queue.put(_Stop(), timeout=CLOSE_WITHIN)
            self._thread.join(CLOSE_WITHIN)

    def _put(self, line: _Line) -> None:
        try:
            self._queue.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def _write_all(self) -> None:
        told = 0
        while not isinstance(item := self._queue.get(), _Stop):
            if isinstance(item, _Reopen):
                self._file.reopen()
                continue
            kept = self._write(item.json)
            self._show(item.shown)
            if kept and self.lost > told:
                told = self._tell_lost(self.lost - told, told)
        self._file.close()

    def _tell_lost(self, number: int, told: int) -> int:
        record = logging.makeLogRecord(
            {"name": "hoody.log", "levelno": logging.ERROR, "msg": "%d lines of this log are lost", "args": (number,)}
        )
        return told + number if self._write(to_json(record)) else told

    def _write(self, line: str) -> bool:
        return self._file.write(line.encode("utf-8", "backslashreplace") + b"\n")

    def _show(self, text: str) -> None:
        if self._stderr is None or not text:
            return
        try:
            self._stderr.write(text + "\n")
            self._stderr.flush()
        except (OSError, ValueError):
            # The terminal has gone away; the file is the log.
            self._stderr = None
