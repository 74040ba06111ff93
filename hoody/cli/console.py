"""The terminal as a command sees it: how wide it is, whether it has colours, whether somebody sits at it."""

from __future__ import annotations

import os
import sys
from typing import Final, TextIO

_CODES: Final = {
    "red": "31",
    "green": "32",
    "yellow": "33",
    "blue": "34",
    "magenta": "35",
    "cyan": "36",
    "dim": "2",
    "bold": "1",
}
_SCRIPT_WIDTH: Final = 0


def say(text: str) -> None:
    """Print a result. The one way to stdout, for whole lines; ``text`` is safe already."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """Print what is not the result: on stderr."""
    sys.stderr.write(text + "\n")


def is_terminal(stream: TextIO | None) -> bool:
    """Tell whether ``stream`` is a terminal."""
    return stream is not None and not stream.closed and stream.isatty()


def interactive() -> bool:
    """Tell whether a question can be asked and will be seen."""
    return is_terminal(sys.stdin) and is_terminal(sys.stderr)


def has_colour(stream: TextIO) -> bool:
    """Tell whether ``stream`` takes colours: a terminal, unless NO_COLOR or TERM=dumb says otherwise."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def columns(stream: TextIO) -> int:
    """Return how wide a line may be; 0 stands for any width, where no terminal sets one."""
    given = os.environ.get("COLUMNS", "")
    if given.isdecimal() and 0 < len(given) < 6:
        return int(given)
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        return _SCRIPT_WIDTH


def paint(text: str, colour: str | None, *, on: bool) -> str:
    """Return ``text`` in a colour where colours are on."""
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if on and colour else text


def encodable(text: str, stream: TextIO) -> bool:
    """Tell whether ``stream`` can show ``text`` as it is."""
    try:
        text.encode(stream.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
