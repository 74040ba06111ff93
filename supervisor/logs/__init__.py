"""What agents write, kept: captured byte for byte, rotated, indexed by time and incarnation, read back.

``LogStore`` captures: its ``serve`` is the child ``logs`` of the tree, its ``open`` is the ``Output`` of processes.
``LogReader`` reads: ``async with reader.open(Selection(units=("web",), tail=100), follow=True) as entries: ...``.
"""

from supervisor.logs.entries import Entry, Gap, Selection
from supervisor.logs.holder import Holder
from supervisor.logs.position import START, Position, format_cursor, parse_cursor, parse_position
from supervisor.logs.reader import LogReader, LogStream
from supervisor.logs.settings import STREAMS, Key, StoreSettings, StreamName
from supervisor.logs.store import FailingStream, LogHealth, LogStore
from supervisor.logs.text import neutralise, render, strip_ansi
from supervisor.units.log_settings import LogSettings

__all__ = [
    "START",
    "STREAMS",
    "Entry",
    "FailingStream",
    "Gap",
    "Holder",
    "Key",
    "LogHealth",
    "LogReader",
    "LogSettings",
    "LogStore",
    "LogStream",
    "Position",
    "Selection",
    "StoreSettings",
    "StreamName",
    "format_cursor",
    "neutralise",
    "parse_cursor",
    "parse_position",
    "render",
    "strip_ansi",
]
