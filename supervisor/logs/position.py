"""Where somebody is in a stream, in a form that can be handed out and taken back. Pure."""

from __future__ import annotations

import re
from typing import Final

from attrs import frozen

_TOKEN: Final = re.compile(r"([0-9a-f]{8})\.([0-9]{1,20})")


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
