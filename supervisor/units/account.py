"""Validators for whom a program runs as: what can be told from the words alone. Pure."""

from __future__ import annotations

import re
from typing import Final

_UMASK: Final = re.compile(r"0?[0-7]{3}")
_LARGEST_ID: Final = 2**32 - 2
"""The number after it means "leave it as it is" to the kernel."""
LOWEST_NICE: Final = -20
HIGHEST_NICE: Final = 19


def check_account(_instance: object, _attribute: object, value: str | int | None) -> None:
    """Check, as a validator of attrs, that ``value`` can be the name or the number of a user or group."""
    if value is not None:
        _check_one(value)


def check_accounts(_instance: object, _attribute: object, value: tuple[str | int, ...] | None) -> None:
    """Check each of several."""
    for each in value or ():
        _check_one(each)


def _check_one(value: str | int) -> None:
    if isinstance(value, int):
        if not 0 <= value <= _LARGEST_ID:
            raise ValueError(f"the number must be between 0 and {_LARGEST_ID}, got {value}")
    elif not value or value != value.strip() or any(char in value for char in "\0:\n/"):
        raise ValueError(f"{value[:40]!r} cannot be the name of an account")


def check_umask(_instance: object, _attribute: object, value: str | None) -> None:
    """Check that ``value`` are three octal digits."""
    if value is not None and not _UMASK.fullmatch(value):
        raise ValueError(f'expected three octal digits such as "027", got {value[:40]!r}')


def check_nice(_instance: object, _attribute: object, value: int | None) -> None:
    """Check that ``value`` is a niceness."""
    if value is not None and not LOWEST_NICE <= value <= HIGHEST_NICE:
        raise ValueError(f"must be between {LOWEST_NICE} (first) and {HIGHEST_NICE} (last), got {value}")
