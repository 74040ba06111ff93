"""JSON text and RFC 3339 times, read strictly. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, NoReturn

from supervisor.errors import MalformedRequest

DEEPEST: Final = 32
"""How far lists and tables may nest; no document of ours comes near, and deeper ones only burn the stack."""

_TIME: Final = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})")


def parse_json(text: bytes, *, what: str = "the body") -> object:
    """Read one JSON document.

    Stricter than ``json.loads``, whose leniencies each let two readers of one document disagree: UTF-8 only, no NaN or
    Infinity, no key twice in one table, no half surrogate pairs. Raises ``MalformedRequest``.
    """
    try:
        found = json.loads(text.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant)
        _check_depth_and_text(found)
    except UnicodeDecodeError as error:
        raise MalformedRequest(f"{what} is not valid UTF-8 (byte {error.start})") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise MalformedRequest(f"{what} is not valid JSON: {error.msg} at {where}") from None
    except RecursionError:
        raise MalformedRequest(f"{what} nests deeper than {DEEPEST} levels") from None
    except ValueError as error:
        raise MalformedRequest(f"{what} is not valid JSON: {error}") from None
    return found


def _unique(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice[:80]!r} is given twice")
    return table


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


def _check_depth_and_text(document: object) -> None:
    """Walk the document level by level, without recursion. Raises ``ValueError``."""
    level = [document]
    for _ in range(DEEPEST + 1):
        below: list[object] = []
        for value in level:
            if isinstance(value, str):
                check_text(value)
            elif isinstance(value, dict):
                below.extend(value)
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        if not below:
            return
        level = below
    raise ValueError(f"it nests deeper than {DEEPEST} levels")


def check_text(text: str) -> str:
    """Return ``text`` if it can be written as UTF-8; otherwise raise ``ValueError``."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            raise ValueError("the text holds half of a surrogate pair, which is not a character") from None
    return text


def parse_time(value: object) -> datetime:
    """Read an RFC 3339 time with its offset, as UTC. Raises ``ValueError``."""
    rule = 'expected a time such as "2026-01-31T12:00:00Z"'
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{rule}, got one without an offset from UTC")
        return value.astimezone(UTC)
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        raise ValueError(rule)
    # Nanoseconds are legal in RFC 3339 and more than datetime holds.
    exact = re.sub(r"(\.\d{6})\d+", r"\1", value.upper())
    try:
        return datetime.fromisoformat(exact).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{rule}: {error}") from None


def format_time(value: datetime) -> str:
    """Write a time as RFC 3339 in UTC: ``2026-01-31T12:00:00.123456Z``."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
