"""Faults of a document: where each one is, and words for what was found there. Pure.

Values themselves are not shown: a document may carry secrets, and an error is the last place to print one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from supervisor.errors import Problem
from supervisor.units.names import nearest

LONGEST_MESSAGE: Final = 300
MOST_FAULTS: Final = 50
"""Faults told of one value; a hostile document must not cost a search for near names per key."""
_LONGEST_KEY: Final = 80
_PLAIN_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_KINDS: Final = {
    type(None): "null",
    bool: "a boolean",
    int: "a whole number",
    float: "a fraction",
    str: "text",
    list: "a list",
    tuple: "a list",
    dict: "a table",
}


class Faults(Exception):
    """Every problem of a part of a document, with paths that are relative to that part.

    A carrier inside this package; whoever calls it gets ``InvalidInput``.
    """

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(map(str, self.problems)))

    @classmethod
    def here(cls, message: str) -> Faults:
        """Build the fault of the value itself."""
        return cls([Problem("", _shortened(message, LONGEST_MESSAGE))])


class Collector:
    """Gathers the faults of the parts of one value, so that the first does not hide the rest."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []

    @contextmanager
    def at(self, step: str) -> Iterator[None]:
        """Do the body; where it finds faults, keep them under ``step`` and go on behind it."""
        try:
            yield
        except Faults as faults:
            self.problems.extend(Problem(join(step, path), message) for path, message in faults.problems)
        except ValueError as error:
            self.add(step, str(error))

    @property
    def full(self) -> bool:
        """Whether enough faults were found; what follows need not be looked at."""
        return len(self.problems) >= MOST_FAULTS

    def add(self, step: str, message: str) -> None:
        """Keep one fault of the part at ``step``."""
        self.problems.append(Problem(step, _shortened(message, LONGEST_MESSAGE)))

    def close(self) -> None:
        """Raise all that was gathered; do nothing where there is nothing."""
        if self.full:
            raise Faults([*self.problems[:MOST_FAULTS], Problem("", "there may be more faults; these are the first")])
        if self.problems:
            raise Faults(self.problems)


def kind_of(value: object) -> str:
    """Say in words what a document's value is, without showing it."""
    return _KINDS.get(type(value), type(value).__name__)


def key_step(key: object) -> str:
    """Write a key of a table as a step of a path: ``initial``, or ``["odd key"]`` where it could be misread."""
    text = _shortened(key if isinstance(key, str) else repr(key), _LONGEST_KEY)
    return text if _PLAIN_KEY.fullmatch(text) else f"[{json.dumps(text)}]"


def index_step(index: int) -> str:
    """Write a place in a list as a step of a path: ``[2]``."""
    return f"[{index}]"


def join(step: str, path: str) -> str:
    """Put a step in front of a path."""
    if not step or not path or path.startswith("["):
        return step + path
    return f"{step}.{path}"


def unknown_key(key: object, known: Iterable[str]) -> str:
    """Say that there is no such key, and which one was probably meant."""
    names = sorted(known)
    close = nearest(key[:_LONGEST_KEY], names) if isinstance(key, str) else None
    if close is not None:
        return f"there is no such key; did you mean {close!r}?"
    return "there is no such key" + (f"; known are: {', '.join(names)}" if names else "; none is taken here")


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 3] + "..."
