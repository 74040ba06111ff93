"""From what the API says of a log to lines that are safe on a terminal. Pure."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from hoody.cli.text import clean_log

if TYPE_CHECKING:
    from hoody.client.types import LogItem

_RETURN = "\r"


class LineCleaner:
    """Turns pieces of bytes into whole lines, each with its prefix, control characters made visible.

    A line is held back until its end is there, but never more than ``longest`` characters of it.
    """

    def __init__(self, prefix: str = "", longest: int = 65536, *, colours: bool = False) -> None:
        self._prefix = prefix
        self._colours = colours
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
        return f"{self._prefix}{clean_log(text.removesuffix(_RETURN), colours=self._colours)}\n"


class ItemPrinter:
    """Turns items of several logs into one text, in which a line of one is never inside a line of another."""

    def __init__(self, prefixes: dict[str, str], *, timestamps: bool, colours: bool = False) -> None:
        self._prefixes = prefixes
        self._colours = colours
        self._timestamps = timestamps
        self._open: tuple[str, str] | None = None

    def text(self, item: LogItem) -> str:
        """Return what to print for ``item``."""
        source = (item["unit"], item["stream"])
        before = ""
        if self._open is not None and (item["gap"] or self._open != source):
            before, self._open = "\n", None
        start = "" if self._open else self._start(item)
        if item["gap"]:
            lost = "some output" if item["lost"] is None else f"{item['lost']} bytes"
            return f"{before}{start}[hoody: {lost} of {item['stream']} lost]\n"
        self._open = None if item["ended"] else source
        text = clean_log(item["text"].removesuffix(_RETURN), colours=self._colours)
        return before + start + text + ("\n" if item["ended"] else "")

    def _start(self, item: LogItem) -> str:
        prefix = self._prefixes.get(item["unit"], "")
        return f"{prefix}{item['time']} " if self._timestamps else prefix
