"""HTTP/1.1 as far as one client speaks it to one server of ours: a request to bytes, bytes to an answer. No I/O.

Why not h11: it costs 8 ms to import, a sixth of what the whole of ``hoody status`` may take. The tests hold this reader
against h11. It reads what the daemon sends (status line, headers, and a body by length, in chunks or until the end of
the connection) and refuses everything else with :class:`BadAnswer`; it never guesses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from supervisor.errors import Unavailable

_LONGEST_HEAD: Final = 64 * 1024
_LONGEST_LINE: Final = 4096
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: .*)?")
_HEADER: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00\r\n]*?)[ \t]*")
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")
_BODILESS: Final = frozenset({204, 304})
_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


class BadAnswer(Unavailable):
    """What came back is not an answer of a Hoody daemon."""

    code = "bad_answer"
    title = "The answer cannot be read"
    default_hint = "another program may be listening on the daemon's port; compare with: hoody status"


def percent(text: str) -> str:
    """Encode one component of a URL (``urllib.parse`` costs 1.5 ms to import).

    A name of dots alone is encoded too, so that no server takes it for a step up the path.
    """
    if text.strip(".") == "":
        return text.replace(".", "%2E")
    return "".join(
        chr(byte) if byte in _UNRESERVED else f"%{byte:02X}" for byte in text.encode("utf-8", "surrogateescape")
    )


class Request(NamedTuple):
    """What is sent. ``target`` is a path with its query, percent-encoded already."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None

    def encode(self, extra: Iterable[tuple[str, str]]) -> bytes:
        """Return the bytes of the request, with ``extra`` headers first (Host, Authorization).

        Raises ``ValueError`` for a header that would not stay in its line: a token file may hold anything.
        """
        lines = [f"{self.method} {self.target} HTTP/1.1"]
        for name, value in (*extra, *self.headers, ("Connection", "close")):
            if not (value.isascii() and value.isprintable()):
                raise ValueError(f"the value of the {name} header holds characters that a header cannot carry")
            lines.append(f"{name}: {value}")
        if self.body is not None:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode("ascii") + (self.body or b"")


class Response(NamedTuple):
    """What came back. Header names are lower case; a header that came twice is joined with ", "."""

    status: int
    headers: dict[str, str]
    body: bytes


class ResponseReader:
    """Turns the bytes of one connection into one answer.

    ``status`` is 0 until the head is complete; ``done`` turns True with the last byte of the body. What follows that
    byte is ignored: the connection is closed after one answer.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.done = False
        self._buffer = bytearray()
        self._left = 0
        self._step: Callable[[bytearray], bool] = self._read_head

    def feed(self, data: bytes) -> bytes:
        """Take bytes from the connection; return those of the body among them. Raises :class:`BadAnswer`."""
        self._buffer += data
        body = bytearray()
        while not self.done and self._step(body):
            pass
        return bytes(body)

    def end(self) -> None:
        """Take the end of the connection. Raises ``Unavailable`` where the answer is not complete."""
        if self._step == self._read_to_end:
            self.done = True
        if not self.done:
            raise Unavailable("the daemon closed the connection before its answer was complete")

    def _read_head(self, _body: bytearray) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _LONGEST_HEAD:
                raise BadAnswer("the head of the answer is too long")
            return False
        status_line, *lines = bytes(self._buffer[:end]).split(b"\r\n")
        del self._buffer[: end + 4]
        status = _STATUS_LINE.fullmatch(status_line)
        if status is None:
            raise BadAnswer("the answer is not HTTP/1.1")
        if status[1].startswith(b"1"):
            return True  # an interim answer (100, 103): the real one follows
        self.headers = _headers(lines)
        self.status = int(status[1])
        self._choose_body()
        return True

    def _choose_body(self) -> None:
        coding = self.headers.get("transfer-encoding")
        length = self.headers.get("content-length")
        if self.status in _BODILESS:
            self.done = True
        elif coding is not None:
            if coding.lower() != "chunked" or length is not None:
                raise BadAnswer(f"the answer is framed in a way not understood ({coding})")
            self._step = self._read_chunk_size
        elif length is None:
            self._step = self._read_to_end
        else:
            if not re.fullmatch("[0-9]{1,18}", length):
                raise BadAnswer(f"the answer has a length that is not a number ({length!r})")
            self._left = int(length)
            self.done = self._left == 0
            self._step = self._read_fixed

    def _read_fixed(self, body: bytearray) -> bool:
        self._take(body)
        self.done = self._left == 0
        return False

    def _read_to_end(self, body: bytearray) -> bool:
        body += self._buffer
        self._buffer.clear()
        return False

    def _read_chunk_size(self, _body: bytearray) -> bool:
        line = self._line()
        if line is None:
            return False
        size = _CHUNK_SIZE.fullmatch(line)
        if size is None:
            raise BadAnswer("the answer has a chunk without a size")
        self._left = int(size[1], 16)
        self._step = self._read_chunk
        if not self._left:
            self._step = self._read_trailer
        return True

    def _read_chunk(self, body: bytearray) -> bool:
        self._take(body)
        if self._left or len(self._buffer) < 2:
            return False
        if self._buffer[:2] != b"\r\n":
            raise BadAnswer("the answer has a chunk that is longer than its size")
        del self._buffer[:2]
        self._step = self._read_chunk_size
        return True

    def _read_trailer(self, _body: bytearray) -> bool:
        line = self._line()
        if line is None:
            return False
        self.done = not line
        return True

    def _take(self, body: bytearray) -> None:
        part = self._buffer[: self._left]
        del self._buffer[: self._left]
        self._left -= len(part)
        body += part

    def _line(self) -> bytes | None:
        end = self._buffer.find(b"\r\n")
        if end > _LONGEST_LINE or (end < 0 and len(self._buffer) > _LONGEST_LINE):
            raise BadAnswer("the answer has a line that is too long")
        if end < 0:
            return None
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line


def _headers(lines: Iterable[bytes]) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in lines:
        match = _HEADER.fullmatch(line)
        if match is None:
            raise BadAnswer("the answer has a header that cannot be read")
        name, value = match[1].decode("ascii").lower(), match[2].decode("latin-1")
        if name == "content-length" and found.get(name, value) == value:
            found[name] = value  # said twice with the same value is allowed, and stays one number
        else:
            found[name] = f"{found[name]}, {value}" if name in found else value
    return found
