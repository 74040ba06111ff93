"""Show bytes that a stranger wrote: as text, safely. Pure."""

from __future__ import annotations

import re
from typing import Final

_COLOUR: Final = r"\x1b\[[0-9;:]*m"
_SEQUENCE: Final = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: cursor, colours, modes
    r"|\x1b[\]P^_X][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c|$)"  # OSC, DCS, PM, APC, SOS up to their end
    r"|\x1b[ -/]*[0-~]"  # two characters and more
    r"|\x9b[0-?]*[ -/]*[@-~]"  # CSI as one character
    r"|\x1b"
)
_HARMFUL: Final = re.compile(rf"({_COLOUR})|[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_RESET: Final = "\x1b[0m"


def render(text: bytes) -> str:
    """Return bytes as text; what is no UTF-8 becomes U+FFFD."""
    return text.decode("utf-8", "replace")


def strip_ansi(text: str) -> str:
    """Take out escape sequences and control characters; tabs and newlines stay."""
    return _CONTROL.sub("", _SEQUENCE.sub("", text))


def neutralise(text: str) -> str:
    """Make one line safe for a terminal: colours stay, everything else that a terminal obeys is shown instead.

    A carriage return at the end is dropped. What a line has coloured does not spill over into the next.
    """
    line = text.removesuffix("\r")
    shown = _HARMFUL.sub(_show, line)
    return shown + _RESET if "\x1b[" in shown and not shown.endswith((_RESET, "\x1b[m")) else shown


def _show(match: re.Match[str]) -> str:
    if match[1] is not None:
        return match[1]
    number = ord(match[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
