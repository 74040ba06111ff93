"""The names that people give to units. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Final

LONGEST_NAME: Final = 64
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_DAEMONS_OWN: Final = ("daemon.log", "daemon.stderr.log")
"""Files of the daemon in the folder that holds a folder for each unit; what follows them is the number of a backup."""
_RULE: Final = (
    f"a name is 1 to {LONGEST_NAME} ASCII letters, digits, '.', '_' and '-', and starts with a letter or digit"
)


def check_name(name: object) -> str:
    """Return ``name`` if a unit may have it; otherwise raise ``ValueError`` with the rule that it breaks.

    A name becomes a folder of logs, a path segment of a URL and an argument of a shell, so it is kept to characters
    that mean nothing special to any of the three.
    """
    if not isinstance(name, str):
        raise ValueError(f"expected a name, got {name!r}: {_RULE}")
    if len(name) > LONGEST_NAME:
        raise ValueError(f"{name[:20]!r}... has {len(name)} characters: {_RULE}")
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise ValueError(f"{name!r} is not a valid name: {_RULE}, and does not end with '.'")
    if name.casefold().startswith(_DAEMONS_OWN):
        raise ValueError(f"{name!r} is the name of a file in which the daemon keeps its own log")
    return name


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that ``name`` was probably meant to be, or None."""
    candidates = list(known)
    by_fold = {candidate.casefold(): candidate for candidate in candidates}
    if name.casefold() in by_fold:
        return by_fold[name.casefold()]
    found = get_close_matches(name, candidates, n=1, cutoff=0.6)
    return found[0] if found else None
