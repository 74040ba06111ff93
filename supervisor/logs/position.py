"""Where somebody is in a stream, in a form that can be handed out and taken back. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from supervisor.logs.settings import STREAMS, Key, StreamName
from supervisor.units.names import check_name

_TOKEN: Final = re.compile(r"([0-9a-f]{8})\.([0-9]{1,20})")
_STREAMS: Final[Mapping[str, StreamName]] = {name: name for name in STREAMS}


@frozen(order=True)
class Position:
    """The address of a byte of a stream: it survives rotations and restarts of the daemon.

    ``offset`` counts the bytes of the stream since it began, and ``epoch`` tells it from an earlier stream of the same
    name whose files were erased.
    """

    epoch: int
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch:08x}.{self.offset}"


START: Final = Position(0, 0)
"""The first byte that is still there, whatever the stream."""


def parse_position(text: str) -> Position:
    """Read what ``str(position)`` wrote. Raises ``ValueError``."""
    match = _TOKEN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:60]!r} is not a position in a log")
    return Position(int(match[1], 16), int(match[2]))


def format_cursor(positions: Mapping[Key, Position]) -> str:
    """Write down where somebody is in several streams; :func:`parse_cursor` reads it."""
    return ",".join(f"{unit}/{stream}@{position}" for (unit, stream), position in sorted(positions.items()))


def parse_cursor(text: str) -> dict[Key, Position]:
    """Read what :func:`format_cursor` wrote. Raises ``ValueError``."""
    found: dict[Key, Position] = {}
    for part in text.split(",") if text else ():
        name, at, token = part.partition("@")
        unit, _, stream = name.partition("/")
        known = _STREAMS.get(stream)
        if not at or known is None:
            raise ValueError(f"{part[:100]!r} does not say where somebody is in a log")
        found[check_name(unit), known] = parse_position(token)
    return found
