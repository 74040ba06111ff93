"""From the names and globs of a command line to names of units."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from supervisor.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from hoody.client import Client


class LabelSelector(str):
    """A word of ``--selector``: it stands among the names for those units whose labels fit."""

    __slots__ = ()


def is_glob(word: str) -> bool:
    """Tell whether ``word`` is a pattern and not a name (no name may contain any of these)."""
    return isinstance(word, LabelSelector) or any(char in word for char in "*?[")


def select(client: Client, words: Sequence[str]) -> list[str]:
    """Return the names that ``words`` stand for, each once, in the order given.

    Asks the daemon only where there is a glob; whether a plain name exists is found out by using it. Raises
    ``NotFound`` for a glob that matches nothing, and then nothing is done to the others either.
    """
    if any(not word for word in words):
        raise InvalidInput("an agent's name cannot be empty", hint="list the names with: hoody ps")
    known: Sequence[str] = ()
    if any(is_glob(word) and not isinstance(word, LabelSelector) for word in words):
        known = [unit["name"] for unit in client.agents.list()]
    return expand(words, known, by_labels=lambda text: [unit["name"] for unit in client.agents.list(selector=text)])


def expand(
    words: Iterable[str], known: Sequence[str], *, by_labels: Callable[[str], Sequence[str]] = lambda _text: ()
) -> list[str]:
    """Replace each glob by the ``known`` names that it matches, and each selector by what ``by_labels`` finds.

    Raises ``NotFound`` where that is nothing.
    """
    found: dict[str, None] = {}
    for word in words:
        if not is_glob(word):
            found[word] = None
            continue
        matching = by_labels(word) if isinstance(word, LabelSelector) else _matching(word, known)
        if not matching:
            raise NotFound(f"no agent matches {word!r}", hint="list the names with: hoody ps")
        found.update(dict.fromkeys(matching))
    return list(found)


def _matching(pattern: str, names: Sequence[str]) -> list[str]:
    from fnmatch import fnmatchcase

    return [name for name in names if fnmatchcase(name, pattern)]
