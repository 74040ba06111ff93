"""What a handler gives back, and how values become JSON text."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final

from attrs import evolve, field, frozen

from supervisor.convert import definition_document, unstructure
from supervisor.units.status import UnitView

JSON_TYPE: Final = "application/json"
TEXT_TYPE: Final = "text/plain; charset=utf-8"


@frozen(kw_only=True)
class Answer:
    """An answer, ready to be sent."""

    status: int = 200
    body: bytes = b""
    parts: AsyncGenerator[bytes, None] | None = None
    """In place of ``body`` where the answer may be long: sent as it is made."""
    media_type: str = JSON_TYPE
    headers: Mapping[str, str] = field(factory=dict)

    def also(self, *, status: int | None = None, **headers: str) -> Answer:
        """Return the same answer with another status or more headers (``_`` stands for ``-``)."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return evolve(self, status=self.status if status is None else status, headers={**self.headers, **named})


NOTHING: Final = Answer(status=204)


def json_text(value: object) -> bytes:
    """Write a JSON-ready value. ASCII only, so that text from outside that is not valid Unicode cannot break it."""
    return json.dumps(value, separators=(",", ":")).encode()


def json_answer(value: object) -> Answer:
    """Answer with frozen data or a JSON-ready value."""
    return Answer(body=json_text(unstructure(value)) + b"\n")


def etag(view: UnitView) -> str:
    """Return the entity tag of a unit: its revision, which changes with its definition and not with its status."""
    return f'"{view.revision}"'


def unit_answer(view: UnitView, *, reveal: Sequence[str] = ()) -> Answer:
    """Answer with one unit object."""
    return Answer(body=json_text(definition_document(view, reveal=reveal)) + b"\n", headers={"etag": etag(view)})


class LatestText:
    """The JSON text of a value that is asked for much more often than it changes."""

    def __init__(self) -> None:
        self._value: object = None
        self._text = b""

    def of(self, value: object) -> bytes:
        """Return the text of ``value``; it is made again only where it differs from the one before."""
        if not self._text or value != self._value:
            self._value, self._text = value, json_text(unstructure(value)) + b"\n"
        return self._text


class UnitTexts:
    """The JSON text of every unit, made once per view: a view is replaced whole, so the same object is the same text.

    Asking for a list of a thousand units of which three have changed writes three.
    """

    def __init__(self) -> None:
        self._texts: dict[str, tuple[UnitView, bytes]] = {}
        self._everything: tuple[Sequence[UnitView], bytes] = ((), b"[]")

    def list_of_all(self, views: Sequence[UnitView]) -> bytes:
        """Return the JSON list of all units of a kind, and forget the texts of those that are gone."""
        known, text = self._everything
        if known is not views:
            texts = self._texts
            self._texts = {view.name: (view, self._text(view, texts)) for view in views}
            text = b"[" + b",".join(text for _, text in self._texts.values()) + b"]"
            self._everything = (views, text)
        return text

    def list_of(self, views: Sequence[UnitView]) -> bytes:
        """Return the JSON list of some units."""
        return b"[" + b",".join(self._text(view, self._texts) for view in views) + b"]"

    @staticmethod
    def _text(view: UnitView, texts: Mapping[str, tuple[UnitView, bytes]]) -> bytes:
        known = texts.get(view.name)
        if known is not None and known[0] is view:
            return known[1]
        return json_text(definition_document(view, reveal=()))
