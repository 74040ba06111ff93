"""JSON Schema (2020-12) of frozen attrs classes: what is taken of a document, and what is shown.

The two differ: a duration is shown as text and taken as a number too, an enumeration is taken in other words as well.
What a schema cannot say (that a string can be split into words) is said by :mod:`supervisor.convert.strict` alone.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias, Union, get_args, get_origin

import attrs
from attrs import define, field

from supervisor.convert.field_docs import field_docs
from supervisor.convert.output import unstructure
from supervisor.convert.strict import ALIASES
from supervisor.units.dependency import DependsOn
from supervisor.units.quantities import Duration, SignalName, Size, format_duration
from supervisor.units.schedule import Schedule

Schema: TypeAlias = dict[str, Any]
Side: TypeAlias = Literal["taken", "shown", "query"]
"""Of a document that is sent, of an answer, or of the parameters of a query, where everything is text."""

_DURATION: Final = r"^\s*(\d+(\.\d+)?|(\d+(\.\d+)?(ms|[smhdw])\s*)+)\s*$"
_SIZE: Final = r"^\s*\d+(\.\d+)?\s*([kKmMgGtT]?[iI]?[bB]?)?\s*$"
_PLAIN: Final[Mapping[object, Schema]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
    datetime: {"type": "string", "format": "date-time"},
    Any: {},
    object: {},
}
_QUANTITIES: Final[Mapping[object, Mapping[Side, Schema]]] = {
    Duration: {
        "taken": {"anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": _DURATION}]},
        "query": {"type": "string", "pattern": _DURATION},
        "shown": {"type": "string"},
    },
    Size: {
        "taken": {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": _SIZE}]},
        "query": {"type": "string", "pattern": _SIZE},
        "shown": {"type": "integer", "minimum": 0},
    },
    SignalName: {
        "taken": {"anyOf": [{"type": "string", "minLength": 1}, {"type": "integer", "minimum": 1}]},
        "query": {"type": "string", "minLength": 1},
        "shown": {"type": "string"},
    },
}
_SHORT_FORMS: Final[Mapping[object, Schema]] = {
    DependsOn: {"type": "array", "items": {"type": "string"}},
    Schedule: {"type": "string", "description": "A line of cron, such as `*/5 * * * *`."},
}
"""What is taken for a type beside what it is shown as."""
_BOUNDS: Final = {">=": "minimum", "<=": "maximum", ">": "exclusiveMinimum", "<": "exclusiveMaximum"}


@define
class Schemas:
    """Makes schemas that refer to each other below ``prefix``; ``named`` collects those that are referred to."""

    prefix: str = "#/$defs/"
    named: dict[str, Schema] = field(factory=dict)

    def of(self, of: Any, side: Side) -> Schema:  # noqa: ANN401 - a type, which has no better type
        """Return the schema of a type. Raises ``TypeError`` for one that documents cannot hold."""
        if side == "taken" and of in _SHORT_FORMS:
            long = self.of(of.__supertype__, side) if hasattr(of, "__supertype__") else self.reference(of, side)
            return {"anyOf": [long, dict(_SHORT_FORMS[of])]}
        found = _plain(of, side)
        if found is None and hasattr(of, "__supertype__"):
            found = self.of(of.__supertype__, side)
        if found is None:
            found = self._composed(of, side)
        if found is None:
            raise TypeError(f"a document cannot hold {of!r}")
        return found

    def _composed(self, of: Any, side: Side) -> Schema | None:  # noqa: ANN401 - likewise
        origin, members = get_origin(of), get_args(of)
        if origin in {Union, types.UnionType}:
            return {"anyOf": [self.of(member, side) for member in members]}
        if origin in {tuple, list}:
            return {"type": "array", "items": self.of(members[0], side)}
        if origin in {Mapping, dict}:
            return {"type": "object", "additionalProperties": self.of(members[1], side)}
        return self.reference(of, side) if isinstance(of, type) and attrs.has(of) else None

    def reference(self, cls: type, side: Side) -> Schema:
        """Return a reference to the schema of a class, making that where it is not there yet."""
        name = cls.__name__ + ("Input" if side == "taken" and not cls.__name__.endswith("Body") else "")
        if name not in self.named:
            self.named[name] = {}  # a class may hold itself
            self.named[name] = self.table(cls, side)
        return {"$ref": self.prefix + name}

    def table(self, cls: type, side: Side) -> Schema:
        """Return the schema of a class: a table of its fields, and of nothing else where it is taken."""
        properties = dict(self.properties(cls, side))
        required = [each.name for each in attrs.fields(cls) if side == "shown" or each.default is attrs.NOTHING]
        made: Schema = {"type": "object", "description": _first_paragraph(cls), "properties": properties}
        if required:
            made["required"] = required
        if side == "taken":
            made["additionalProperties"] = False
        return made

    def properties(self, cls: type, side: Side) -> Iterator[tuple[str, Schema]]:
        """Yield the schema of each field, with its description, its default and its bounds."""
        docs = field_docs(cls)
        for each in attrs.fields(attrs.resolve_types(cls)):
            made = self.of(each.type, side)
            notes: Schema = {}
            if docs.get(each.name):
                notes["description"] = docs[each.name].replace("``", "`")
            if side != "shown":
                notes.update(_default(each))
                if each.type not in _QUANTITIES:
                    made = {**made, **_bounds(each.validator)}
            yield each.name, {**made, **notes}


def _plain(of: Any, side: Side) -> Schema | None:  # noqa: ANN401 - likewise
    if of in _QUANTITIES:
        return dict(_QUANTITIES[of][side])
    if of in _PLAIN:
        return dict(_PLAIN[of])
    if get_origin(of) is Literal:
        return {"enum": list(get_args(of))}
    return _enumeration(of, side) if isinstance(of, type) and issubclass(of, StrEnum) else None


def _enumeration(cls: type[StrEnum], side: Side) -> Schema:
    words = [member.value for member in cls]
    if side != "shown":
        words += ALIASES.get(cls, {})
    return {"type": "string", "enum": words}


def _default(of: attrs.Attribute[Any]) -> Schema:
    if of.default is attrs.NOTHING:
        return {}
    default: Any = of.default
    value = unstructure(default.factory() if isinstance(default, attrs.Factory) else default)  # type: ignore[arg-type]
    shown = _duration_text(of.default) if of.type is Duration else value
    return {} if shown is None else {"default": shown}


def _duration_text(seconds: object) -> object:
    """Write a default duration as people do."""
    return format_duration(seconds) if isinstance(seconds, int | float) else seconds


def _bounds(validator: object) -> Schema:
    """Return what the validators of attrs say of a value, as far as a schema can say it."""
    found: Schema = {}
    for each in getattr(validator, "_validators", None) or getattr(validator, "validators", None) or (validator,):
        inner = getattr(each, "validator", None)
        if inner is not None:
            found.update(_bounds(inner))  # of an optional value: in a schema, bounds say nothing of null anyway
            continue
        found.update(_bound(each))
    return found


def _bound(validator: object) -> Schema:
    operator = getattr(validator, "compare_op", None)
    if operator in _BOUNDS:
        return {_BOUNDS[operator]: getattr(validator, "bound", None)}
    if hasattr(validator, "max_length"):
        return {"maxLength": validator.max_length}
    if hasattr(validator, "min_length"):
        return {"minLength": validator.min_length}
    return {}


def _first_paragraph(cls: type) -> str:
    text = re.split(r"\n\s*\n", (cls.__doc__ or "").strip())[0]
    return re.sub(r":\w+:`~?([\w.]+)`", r"`\1`", " ".join(text.split()).replace("``", "`"))
