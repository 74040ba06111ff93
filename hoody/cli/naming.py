"""A name for an agent that was given none. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Final

from supervisor.units.names import LONGEST_NAME

_INTERPRETER: Final = re.compile(
    r"python[\d.]*|pypy\d*|node|nodejs|deno|bun|ruby|perl|php|bash|dash|zsh|sh|env|npx|uvx"
)
_UNFIT: Final = re.compile(r"[^A-Za-z0-9._-]+")
_ROOM_FOR_NUMBER: Final = 6


def derive_name(command: str | Sequence[str], taken: Collection[str]) -> str:
    """Return a name that says what ``command`` runs and is not in ``taken``: ``server``, then ``server-2``.

    An interpreter says nothing, so the script or module that it runs gives the name.
    """
    words = command.split() if isinstance(command, str) else list(command)
    base = _fit(_telling_word(words)) or "agent"
    if base not in taken:
        return base
    number = 2
    while f"{base}-{number}" in taken:
        number += 1
    return f"{base}-{number}"


def _telling_word(words: Sequence[str]) -> str:
    program = _stem(words[0]) if words else ""
    if not _INTERPRETER.fullmatch(program):
        return program
    for index, word in enumerate(words[1:], start=1):
        if word == "-m" and index + 1 < len(words):
            return words[index + 1]
        if word in {"-c", "-e"}:
            break
        if not word.startswith("-") and "=" not in word:
            return _telling_word(words[index:])
    return program


def _stem(path: str) -> str:
    name = path.rstrip("/").rpartition("/")[2]
    stem, dot, _ = name.rpartition(".")
    return stem if dot and stem and not _INTERPRETER.fullmatch(name) else name


def _fit(text: str) -> str:
    return _UNFIT.sub("-", text).strip("._-")[: LONGEST_NAME - _ROOM_FOR_NUMBER].rstrip("._-")
