"""Makes text from elsewhere safe to print. Pure.

Names, commands and log lines are written by programs that nobody vouches for: an escape sequence in one of them could
rewrite the screen, the title or the clipboard of whoever looks. Colours of log lines (SGR) are dropped, or kept on a
terminal; every other control character is shown as what it is, and so are the marks that turn the direction of text
around.
"""

from __future__ import annotations

import re
from typing import Final

_HOSTILE: Final = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff"
_UNSAFE: Final = re.compile(f"[{_HOSTILE}]")
_UNSAFE_IN_LINE: Final = re.compile(f"[{_HOSTILE}\t\n]")
_PLAIN: Final = "\x1b[0m"
_COLOUR: Final = re.compile(r"\x1b\[[0-9;:]*m")


def clean(text: str) -> str:
    """Return ``text`` with control characters escaped; tabs and line ends stay."""
    return text if text.isascii() and text.isprintable() else _UNSAFE.sub(_escape, text)


def clean_cell(text: str) -> str:
    """Return ``text`` fit for one line of a table: tabs and line ends are escaped too."""
    return text if text.isascii() and text.isprintable() else _UNSAFE_IN_LINE.sub(_escape, text)


def clean_log(text: str, *, colours: bool = False) -> str:
    """Return lines of a log without a carriage return at a line's end, and without anything that is not text.

    Colours (SGR, which changes nothing but how letters look) are dropped, or with ``colours`` kept and ended.
    """
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n")
    if not colours:
        return _UNSAFE.sub(_escape, _COLOUR.sub("", text))
    kept, place = "", 0
    for colour in _COLOUR.finditer(text):
        kept += _UNSAFE.sub(_escape, text[place : colour.start()]) + colour[0]
        place = colour.end()
    return kept + _UNSAFE.sub(_escape, text[place:]) + (_PLAIN if place else "")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return {9: "\\t", 10: "\\n", 13: "\\r"}.get(code) or (f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}")


def width(text: str) -> int:
    """Return how many columns of a terminal ``text`` takes."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(char) else 2 if east_asian_width(char) in "WF" else 1 for char in text)


def cut(text: str, columns: int) -> str:
    """Return as much of ``text`` as fits into ``columns``, ending in an ellipsis where something is missing."""
    if width(text) <= columns:
        return text
    kept, used = "", 0
    for char in text:
        used += width(char)
        if used > columns - 1:
            break
        kept += char
    return kept + "…" if columns > 0 else ""


def pad(text: str, columns: int) -> str:
    """Return ``text`` filled up with spaces to ``columns``."""
    return text + " " * (columns - width(text))
