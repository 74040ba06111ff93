"""The engine's two outputs on one connection: frames of eight bytes of head and a body. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, Literal, TypeAlias

from attrs import define, field, frozen

from supervisor.containers.facts import nanoseconds

Stream: TypeAlias = Literal["stdout", "stderr"]
_STREAMS: Final[dict[int, Stream]] = {0: "stdout", 1: "stdout", 2: "stderr"}
_HEAD: Final = 8
_STAMP: Final = re.compile(rb"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)) ")


@define
class Demultiplexer:
    """Takes bytes as they arrive and gives whole frames. ``plain`` is for a terminal's output, which has no frames."""

    plain: bool = False
    _rest: bytes = field(default=b"", init=False)

    def feed(self, data: bytes) -> Iterator[tuple[Stream, bytes]]:
        """Take more bytes, and yield the frames that are whole now."""
        if self.plain:
            yield from self._lines(data)
            return
        buffer = self._rest + data if self._rest else data
        at = 0
        while len(buffer) - at >= _HEAD:
            end = at + _HEAD + int.from_bytes(buffer[at + 4 : at + _HEAD], "big")
            if end > len(buffer):
                break
            yield _STREAMS.get(buffer[at], "stdout"), buffer[at + _HEAD : end]
            at = end
        self._rest = buffer[at:]

    def finish(self) -> Iterator[tuple[Stream, bytes]]:
        """Yield what came last without its end, as a terminal leaves it."""
        if self.plain and self._rest:
            yield "stdout", self._rest
        self._rest = b""

    def _lines(self, data: bytes) -> Iterator[tuple[Stream, bytes]]:
        lines = (self._rest + data).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            yield "stdout", line + b"\n"


@frozen
class LogMessage:
    """One message of a container's log: ``at`` is the engine's stamp in ns, 0 where the frame carried none."""

    stream: Stream
    at: int
    data: bytes

    @property
    def is_part(self) -> bool:
        """Whether more of the same line follows, in a message with the same stamp."""
        return not self.data.endswith(b"\n")


def log_message(stream: Stream, frame: bytes) -> LogMessage:
    """Take the stamp off a frame."""
    match = _STAMP.match(frame)
    if match is None:
        return LogMessage(stream, 0, frame)
    return LogMessage(stream, nanoseconds(match[1].decode()), frame[match.end() :])


@define
class LineMender:
    """Puts back the ends of lines that an engine leaves out.

    Docker's log driver ``local`` drops the newline of a line that was too long for one message (seen in 20.10). The
    parts of a line share one stamp, so a part that is followed by another stamp was the last of its line. What is put
    back goes before the next message of that stream; at the very end nobody can tell, and nothing is put.
    """

    _open: dict[Stream, int] = field(factory=dict, init=False)

    def mend(self, message: LogMessage) -> bytes:
        """Return the bytes that this message stands for. To be called with every message, the repeated ones too."""
        stamp = self._open.pop(message.stream, None)
        if message.is_part and message.at:
            self._open[message.stream] = message.at
        lost = stamp is not None and message.at not in {0, stamp}
        return b"\n" + message.data if lost else message.data
