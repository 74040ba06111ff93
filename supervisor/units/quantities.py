"""Durations, sizes and signal names as people write them.

Pure: text in, numbers out, and back. A value that cannot be read raises ``ValueError`` with a sentence that says what
was found and what is allowed.
"""

from __future__ import annotations

import re
import signal as _signal
from typing import Final, NewType

Duration = NewType("Duration", float)
"""A length of time in seconds; finite and not negative."""

Size = NewType("Size", int)
"""An amount of memory or disk in bytes; not negative."""

SignalName = NewType("SignalName", str)
"""A signal of this system by its name without the prefix, upper case: ``TERM``, ``KILL``, ``HUP``, ``RTMIN``."""

_DURATION_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_DURATION_RULE: Final = 'a number of seconds, or text such as "500ms", "10s", "1h30m" (units: ms s m h d w)'
_LONGEST: Final = 100 * 365 * 86400.0

_SIZE_UNITS: Final = {
    "": 1,
    "b": 1,
    "kib": 1024,
    "mib": 1024**2,
    "gib": 1024**3,
    "tib": 1024**4,
    "kb": 1000,
    "mb": 1000**2,
    "gb": 1000**3,
    "tb": 1000**4,
    "k": 1024,
    "m": 1024**2,
    "g": 1024**3,
    "t": 1024**4,
}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
_SIZE_RULE: Final = 'a number of bytes, or text such as "512MiB", "10MB", "2G" (K, M, G, T are powers of 1024)'
_LARGEST: Final = 2**62


def parse_duration(value: object) -> Duration:
    """Read seconds from a number or from text with units. Raises ``ValueError``."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"expected {_DURATION_RULE}, got {_kind(value)}")
    if isinstance(value, str):
        seconds = _duration_text(value)
    else:
        try:
            seconds = float(value)
        except OverflowError:
            seconds = float("inf")
    if not 0 <= seconds <= _LONGEST:
        raise ValueError(f"must be between 0 and 100 years, got {value!r}")
    return Duration(seconds)


def _duration_text(text: str) -> float:
    stripped = text.strip().lower()
    try:
        if re.fullmatch(r"\d+(\.\d+)?", stripped):
            return float(stripped)
    except OverflowError:
        return float("inf")
    if not stripped or not re.fullmatch(rf"(?:{_DURATION_PART.pattern}\s*)+", stripped):
        raise ValueError(f"expected {_DURATION_RULE}, got {text!r}")
    return sum(_part(float(number), unit) for number, unit in _DURATION_PART.findall(stripped))


def _part(number: float, unit: str) -> float:
    # 13 * 0.001 is 0.013000000000000001 and would make "13ms" differ from the 0.013 that was written as "13ms".
    return number / 1000 if unit == "ms" else number * _DURATION_UNITS[unit]


def format_duration(seconds: float) -> str:
    """Write seconds in the largest unit that is exact: 0.5 is ``500ms``, 90 is ``90s``, 7200 is ``2h``."""
    millis = round(seconds * 1000)
    if abs(millis / 1000 - seconds) > 1e-9:
        return f"{seconds!r}s" if "e" not in repr(seconds) else f"{seconds:.12f}".rstrip("0") + "s"
    if millis % 1000:
        return f"{millis}ms"
    whole = millis // 1000
    for unit in ("w", "d", "h"):
        length = int(_DURATION_UNITS[unit])
        if whole and whole % length == 0:
            return f"{whole // length}{unit}"
    return f"{whole}s"


def parse_size(value: object) -> Size:
    """Read bytes from a whole number or from text with units. Raises ``ValueError``."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"expected {_SIZE_RULE}, got {_kind(value)}")
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        factor = _SIZE_UNITS.get(match[2].lower()) if match else None
        if match is None or factor is None:
            raise ValueError(f"expected {_SIZE_RULE}, got {value!r}")
        amount = float(match[1]) * factor if "." in match[1] else int(match[1]) * factor
    else:
        amount = value
    if not 0 <= amount <= _LARGEST:
        raise ValueError(f"must be between 0 and 4 EiB, got {value!r}")
    return Size(int(amount))


def format_size(amount: int) -> str:
    """Write bytes in the largest binary unit that is exact: 536870912 is ``512MiB``, 1000 is ``1000``."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        factor = _SIZE_UNITS[unit.lower()]
        if amount and amount % factor == 0:
            return f"{amount // factor}{unit}"
    return str(amount)


def parse_signal(value: object) -> SignalName:
    """Read a signal from its name (``TERM``, ``SIGTERM``, ``term``) or number. Raises ``ValueError``."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f'expected a signal such as "TERM" or 15, got {_kind(value)}')
    try:
        if isinstance(value, str) and not value.strip().isdecimal():
            name = value.strip().upper()
            found = _signal.Signals["SIG" + name.removeprefix("SIG")]
        else:
            found = _signal.Signals(int(value))
    except (KeyError, ValueError, OverflowError):
        raise ValueError(f'no such signal: {value!r} (examples: "TERM", "INT", "HUP", "USR1")') from None
    return SignalName(found.name.removeprefix("SIG"))


def signal_number(name: SignalName) -> int:
    """Return the number of a signal that :func:`parse_signal` has read."""
    return int(_signal.Signals["SIG" + name])


def _kind(value: object) -> str:
    names = {type(None): "null", bool: "a boolean", dict: "a table", list: "a list", float: "a fraction"}
    return f"{names.get(type(value), type(value).__name__)} ({value!r})"
