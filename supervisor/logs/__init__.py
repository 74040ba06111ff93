"""What agents write, kept: captured byte for byte, rotated, indexed by time and incarnation, read back.

``LogStore`` captures (its ``serve`` is the child ``logs`` of the tree, its ``open`` is the ``Output`` of processes).
"""

from supervisor.logs.position import START, Position, parse_position
from supervisor.logs.settings import STREAMS, LogSettings, StoreSettings, StreamName
from supervisor.logs.store import FailingStream, LogHealth, LogStore

__all__ = [
    "START",
    "STREAMS",
    "FailingStream",
    "LogHealth",
    "LogSettings",
    "LogStore",
    "Position",
    "StoreSettings",
    "StreamName",
    "parse_position",
]
