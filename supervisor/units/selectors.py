"""Label selectors, as kubectl has them: which units are meant, by their labels. Pure.

    team=docs           the label has this value (== is the same)
    tier!=web           it has another value, or is not there
    team                it is there, whatever its value
    !team               it is not there
    tier in (web, api)  it has one of these values
    tier notin (web)    it has none of them, or is not there

Several, with commas between them, must all hold. Keys and values are plain words here; a label with commas, spaces,
quotes, brackets or one of ``=!`` in its name or value is put in double quotes: ``"my team"="a, b"``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final

from attrs import field, frozen

LONGEST: Final = 4096
_TOKEN: Final = re.compile(r'\s*(?:(==|!=|=|!|,|\(|\))|"((?:[^"\\]|\\.)*)"|([^\s=!,()"]+))')
_RULE: Final = 'examples: team=docs, tier!=web, team, !team, "tier in (web, api)", "tier notin (web)"'


class Asked(Enum):
    """What is asked of a label."""

    IN = "in"
    NOT_IN = "notin"
    THERE = "there"
    NOT_THERE = "not there"


@frozen
class Requirement:
    """One condition."""

    key: str
    test: Asked
    values: frozenset[str] = frozenset()

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Tell whether ``labels`` meet it."""
        there = self.key in labels
        match self.test:
            case Asked.THERE:
                return there
            case Asked.NOT_THERE:
                return not there
            case Asked.IN:
                return there and labels[self.key] in self.values
            case Asked.NOT_IN:
                return not there or labels[self.key] not in self.values


@frozen
class Selector:
    """Conditions that must all hold; none hold for everything."""

    requirements: tuple[Requirement, ...] = ()

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Tell whether ``labels`` meet all of it."""
        return all(each.fits(labels) for each in self.requirements)


def parse_selector(text: str) -> Selector:
    """Read a selector. Raises ``ValueError`` with what was found and what is allowed."""
    if len(text) > LONGEST:
        raise ValueError(f"the selector is longer than {LONGEST} characters")
    reader = _Reader(_tokens(text), text)
    found = []
    while reader.left:
        found.append(reader.requirement())
        if reader.left:
            reader.expect(",")
            if not reader.left:
                raise reader.fault("a condition is missing after the last comma")
    return Selector(tuple(found))


_Token = tuple[str, bool]
"""A word or sign, and whether it is a word that was quoted."""


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    at = 0
    stripped = text.rstrip()
    while at < len(stripped):
        match = _TOKEN.match(stripped, at)
        if match is None:
            raise ValueError(f"{text!r} is not a selector: a quote is not closed; {_RULE}")
        sign, quoted, word = match.groups()
        found.append((re.sub(r"\\(.)", r"\1", quoted), True) if quoted is not None else (sign or word, False))
        at = match.end()
    return found


@frozen
class _Reader:
    tokens: list[_Token]
    text: str
    _signs: frozenset[str] = field(default=frozenset({"=", "==", "!=", "!", ",", "(", ")"}))

    @property
    def left(self) -> bool:
        return bool(self.tokens)

    def requirement(self) -> Requirement:
        if self._next_is("!"):
            self.tokens.pop(0)
            return Requirement(self.word("a label"), Asked.NOT_THERE)
        key = self.word("a label")
        if not self.left or self._next_is(","):
            return Requirement(key, Asked.THERE)
        sign, quoted = self.tokens.pop(0)
        if not quoted and sign in {"=", "=="}:
            return Requirement(key, Asked.IN, frozenset({self._value()}))
        if not quoted and sign == "!=":
            return Requirement(key, Asked.NOT_IN, frozenset({self._value()}))
        if not quoted and sign in {"in", "notin"}:
            return Requirement(key, Asked(sign), self._values())
        raise self.fault(f"expected =, !=, in or notin after {key!r}, found {sign!r}")

    def word(self, what: str) -> str:
        if not self.left:
            raise self.fault(f"expected {what} at its end")
        text, quoted = self.tokens.pop(0)
        if not quoted and text in self._signs:
            raise self.fault(f"expected {what}, found {text!r}")
        return text

    def expect(self, sign: str) -> None:
        if not self._next_is(sign):
            raise self.fault(f"expected {sign!r}" + (f", found {self.tokens[0][0]!r}" if self.left else " at its end"))
        self.tokens.pop(0)

    def fault(self, why: str) -> ValueError:
        return ValueError(f"{self.text!r} is not a selector: {why}; {_RULE}")

    def _value(self) -> str:
        """A value may be empty: ``team=``."""
        return "" if not self.left or self._next_is(",") else self.word("a value")

    def _values(self) -> frozenset[str]:
        self.expect("(")
        found = {self.word("a value")}
        while self._next_is(","):
            self.tokens.pop(0)
            found.add(self.word("a value"))
        self.expect(")")
        return frozenset(found)

    def _next_is(self, sign: str) -> bool:
        return self.left and self.tokens[0] == (sign, False)
