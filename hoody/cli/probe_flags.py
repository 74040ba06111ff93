"""The words of ``--readiness`` and ``--liveness``: pairs such as ``http=URL`` and ``interval=2s``, made a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from supervisor.errors import InvalidInput

_WHOLE: Final = ("successes", "failures")
_SWITCHES: Final = ("notify", "allow_remote")
_BOOLEANS: Final = {"true": True, "false": False}


def probe_table(flag: str, words: Iterable[str]) -> dict[str, object]:
    """Return the table that the words of a flag describe. Which keys there are, the daemon knows.

    Raises ``InvalidInput``.
    """
    table: dict[str, object] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if key in _SWITCHES:
            table[key] = _boolean(flag, key, value if equals else "true")
        elif not key or not equals:
            raise InvalidInput(f"{flag} expects KEY=VALUE, got {word!r}", hint=f"for example {flag} tcp=5432")
        elif key in _WHOLE:
            table[key] = _number(flag, key, value)
        else:
            table[key] = value
    return table


def _boolean(flag: str, key: str, value: str) -> bool:
    if value not in _BOOLEANS:
        raise InvalidInput(f"{flag} {key} expects true or false, got {value!r}")
    return _BOOLEANS[value]


def _number(flag: str, key: str, value: str) -> int:
    if not (value.isascii() and value.isdecimal() and len(value) < 10):
        raise InvalidInput(f"{flag} {key} expects a whole number, got {value!r}")
    return int(value)
