"""From the bytes of a log to lines that are safe on a terminal, in whatever pieces the bytes come. Pure."""

from __future__ import annotations

import codecs

from hoody.cli.text import clean_log


class LineCleaner:
    """Turns pieces of bytes into whole lines, each with its prefix, control characters made visible.

    A line is held back until its end is there, but never more than ``longest`` characters of it.
    """

    def __init__(self, prefix: str = "", longest: int = 65536) -> None:
        self._prefix = prefix
        self._longest = longest
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode
        self._rest = ""

    def feed(self, data: bytes) -> str:
        """Take the next bytes; return the lines that are complete now."""
        *lines, self._rest = (self._rest + self._decode(data)).split("\n")
        while len(self._rest) > self._longest:
            lines.append(self._rest[: self._longest])
            self._rest = self._rest[self._longest :]
        return "".join(self._line(line) for line in lines)

    def end(self) -> str:
        """Return the last line, if it had no end."""
        rest, self._rest = self._rest + self._decode(b"", final=True), ""
        return self._line(rest) if rest else ""

    def _line(self, text: str) -> str:
        return f"{self._prefix}{clean_log(text.removesuffix(chr(13)))}\n"
