"""Patterns that are looked for in output, by an engine whose time grows with the length of the line and no faster.

Python's own ``re`` takes exponential time for some patterns, and holds the interpreter meanwhile: one careless pattern
would stop the daemon. RE2 cannot, and its memory is bounded, so that neither can a pattern that is merely large.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, Protocol

LONGEST_LINE: Final = 4096
"""So many bytes of a line are looked at."""
_LONGEST_PATTERN: Final = 1000
_MEMORY: Final = 1 << 18
"""Bytes for a compiled pattern: far more than any sensible one takes, and few enough for a quick search."""


class Pattern(Protocol):
    """A compiled pattern."""

    def search(self, text: bytes) -> object | None:
        """Find it in a line; None where it is not there."""


def check_pattern(text: str) -> None:
    """Raise ``ValueError`` with a sentence where ``text`` is no pattern."""
    if not text:
        raise ValueError("must not be empty: it would match every line")
    if len(text) > _LONGEST_PATTERN:
        raise ValueError(f"must have at most {_LONGEST_PATTERN} characters")
    compile_pattern(text)


@lru_cache(maxsize=256)
def compile_pattern(text: str) -> Pattern:
    """Compile a pattern, once. Raises ``ValueError``."""
    import re2  # not worth its import where nothing has a pattern

    options = re2.Options()
    options.log_errors = False
    options.max_mem = _MEMORY
    try:
        found: Pattern = re2.compile(text.encode(), options)
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        words = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(f"is not a pattern: {words} (the syntax is that of RE2: no look-around)") from None
    return found


def matches(pattern: Pattern, line: bytes) -> bool:
    """Tell whether a line matches. Of a very long one, only the beginning is looked at."""
    return pattern.search(line[:LONGEST_LINE]) is not None
