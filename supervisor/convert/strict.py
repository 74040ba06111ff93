"""Build frozen attrs objects from documents, exactly or not at all.

cattrs alone is lenient: text for a list becomes a list of letters, ``"no"`` for a boolean becomes true, 5 becomes "5".
The hooks here demand the exact type, run the validators of each field by itself, and gather every fault.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, Final, TypeAlias, TypeVar, Union, get_args, get_origin

import attrs
from cattrs import Converter

from supervisor.convert.faults import Collector, Faults, index_step, key_step, kind_of, unknown_key
from supervisor.convert.text import check_text, parse_time
from supervisor.errors import InvalidInput
from supervisor.runtime.policy import RestartType
from supervisor.units.dependency import DependsOn, Until
from supervisor.units.names import nearest
from supervisor.units.quantities import Duration, SignalName, Size, parse_duration, parse_signal, parse_size
from supervisor.units.schedule import Schedule

T = TypeVar("T")
Hook: TypeAlias = Callable[[object, object], Any]

_LARGEST_WHOLE: Final = 2**63 - 1
_SEQUENCES: Final[frozenset[object]] = frozenset({tuple, list})
_TABLES: Final[frozenset[object]] = frozenset({Mapping, dict})

ALIASES: Final[Mapping[type[StrEnum], Mapping[str, StrEnum]]] = {
    RestartType: {
        "always": RestartType.PERMANENT,
        "on-failure": RestartType.TRANSIENT,
        "never": RestartType.TEMPORARY,
    },
}
"""Other words that are understood for the members of an enumeration."""


def structure(cls: type[T], document: object, *, what: str = "the document") -> T:
    """Build a ``cls`` from a JSON or TOML value.

    Raises ``InvalidInput`` with every fault of the document; never anything else because of what the document holds.
    """
    try:
        return build(cls, document)
    except Faults as faults:
        raise InvalidInput.of(what, faults.problems) from None


def build(cls: type[T], document: object) -> T:
    """Do the same as :func:`structure`, but raise ``Faults``, for callers that put documents together from parts."""
    try:
        return _STRICT.structure(document, cls)
    except ValueError as error:
        raise Faults.here(str(error)) from None


def _expect(what: str, value: object, note: str = "") -> Faults:
    return Faults.here(f"expected {what}, got {kind_of(value)}{note}")


def _text(value: object, _type: object) -> str:
    if type(value) is str:
        if "\0" in value:
            raise Faults.here("must not contain a NUL character")
        return check_text(value)
    raise _expect("text", value, "; write it in quotes" if isinstance(value, int | float) else "")


def _whole(value: object, _type: object) -> int:
    if type(value) is not int:
        raise _expect("a whole number", value)
    if abs(value) > _LARGEST_WHOLE:
        raise Faults.here("the number does not fit into 64 bits")
    return value


def _fraction(value: object, _type: object) -> float:
    if type(value) not in {int, float}:
        raise _expect("a number", value)
    try:
        number = float(value)  # type: ignore[arg-type]
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise Faults.here("the number is not finite")
    return number


def _boolean(value: object, _type: object) -> bool:
    if type(value) is not bool:
        raise _expect("true or false", value)
    return value


def _quantity(parse: Callable[[object], T], example: str) -> Callable[[object, object], T]:
    def hook(value: object, _type: object) -> T:
        # The parsers show what they refuse; a list or table could be of any size and depth.
        if not isinstance(value, int | float | str) or (isinstance(value, str) and len(value) > 100):
            raise _expect(example, value)
        return parse(value)

    return hook


@cache
def _enumeration(cls: type[StrEnum]) -> Hook:
    aliases = ALIASES.get(cls, {})
    words = {**{member.value: member for member in cls}, **aliases}
    choices = ", ".join(f'"{word}"' for word in words)

    def hook(value: object, _type: object) -> StrEnum:
        if not isinstance(value, str):
            raise _expect(f"one of {choices}", value)
        found = words.get(value)
        if found is None:
            close = nearest(value[:80], words)
            meant = f"; did you mean {close!r}?" if close else ""
            raise Faults.here(f"{value[:80]!r} is not one of {choices}{meant}")
        return found

    return hook


def _sequence(of: object) -> Hook:
    item = next(iter(get_args(of)), object)
    item_hook = _STRICT.get_structure_hook(item)

    def hook(value: object, _type: object) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            raise _expect("a list", value)
        collector = Collector()
        made = []
        for index, element in enumerate(value):
            with collector.at(index_step(index)):
                made.append(item_hook(element, item))
            if collector.full:
                break
        collector.close()
        return tuple(made)

    return hook


def _table(of: object) -> Hook:
    value_type = get_args(of)[1]
    value_hook = _STRICT.get_structure_hook(value_type)

    def hook(value: object, _type: object) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise _expect("a table", value)
        collector = Collector()
        made = {}
        for key, element in value.items():
            with collector.at(key_step(key)):
                made[_text(key, str)] = value_hook(element, value_type)
            if collector.full:
                break
        collector.close()
        return made

    return hook


def _dependencies(value: object, _type: object) -> dict[str, Any]:
    """Read a table of conditions by name; a list of names means that all of these have to be ready."""
    if isinstance(value, list | tuple):
        names = _sequence(tuple[str, ...])(value, tuple)
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise Faults.here(f"names {twice[:80]!r} twice")
        return dict.fromkeys(names, Until.READY)
    if not isinstance(value, Mapping):
        raise _expect('a table such as { db = "ready" }, or a list of names', value)
    found: dict[str, Any] = _table(Mapping[str, Until])(value, Mapping)
    return found


def _schedule(value: object, of: object) -> Schedule:
    """Read a table; text is a line of cron."""
    if isinstance(value, str):
        return Schedule(cron=_text(value, str))
    if not isinstance(value, Mapping):
        raise _expect('a line of cron such as "*/5 * * * *", or a table', value)
    found: Schedule = _record(Schedule)(value, of)
    return found


def _union(of: object) -> Hook:
    """Choose the member by the shape of the value, so that the faults told are those of the member meant."""
    members = [member for member in get_args(of) if member is not type(None)]
    optional = len(members) < len(get_args(of))
    hooks = {_shape(member): (_STRICT.get_structure_hook(member), member) for member in members}

    def hook(value: object, _type: object) -> Any:  # noqa: ANN401 - cattrs' own signature
        if value is None and optional:
            return None
        shape = "a list" if isinstance(value, list | tuple) else kind_of(value)
        if len(hooks) == 1:
            ((only, member),) = hooks.values()
            return only(value, member)
        if shape not in hooks:
            raise _expect(" or ".join(hooks), value)
        chosen, member = hooks[shape]
        return chosen(value, member)

    return hook


def _shape(member: object) -> str:
    if _is_sequence(member):
        return "a list"
    plain: object = getattr(member, "__supertype__", member)
    names: Mapping[object, str] = {str: "text", int: "a whole number", bool: "a boolean", float: "a fraction"}
    return names.get(plain, "a table")


def _record(cls: type[attrs.AttrsInstance]) -> Hook:
    fields = attrs.fields(attrs.resolve_types(cls))
    hooks = {field.name: (field, _STRICT.get_structure_hook(field.type)) for field in fields}

    def hook(value: object, _type: object) -> Any:  # noqa: ANN401 - cattrs' own signature
        if not isinstance(value, Mapping):
            raise _expect("a table", value)
        collector = Collector()
        refuse_unknown(value.keys(), hooks, collector)
        values: dict[str, Any] = {}
        for name, (field, field_hook) in hooks.items():
            if name in value:
                with collector.at(name):
                    values[name] = field_hook(value[name], field.type)
            elif field.default is attrs.NOTHING:
                collector.add(name, "is required")
        _run_validators(cls, values, collector)
        collector.close()
        return cls(**values)

    return hook


def refuse_unknown(keys: Collection[Any], known: Collection[str], collector: Collector) -> None:
    """Tell every key of a table that is not one of ``known``."""
    for key in (key for key in keys if key not in known):
        collector.add(key_step(key), unknown_key(key, known))
        if collector.full:
            return


def _run_validators(cls: type[attrs.AttrsInstance], values: Mapping[str, Any], collector: Collector) -> None:
    """Run the validator of every field by itself.

    The constructor would stop at the first one and could not say which field it was. The stand-in object holds the
    fields that were read and the defaults of those that were left out; a validator that looks at a sibling which is
    itself at fault finds it missing, and its rule cannot be judged until that sibling is right.
    """
    faulty = {problem.path.partition(".")[0].partition("[")[0] for problem in collector.problems}
    known = {**_defaults(cls, without=faulty), **values}
    stand_in = types.SimpleNamespace(**known)
    for field in attrs.fields(cls):
        if field.validator is None or field.name not in known:
            continue
        try:
            field.validator(stand_in, field, known[field.name])
        except AttributeError:
            if not faulty:
                raise
        except ValueError as error:
            # The rule of a field that was left out is broken by one that was given; the sentence says which.
            sentence = str(error.args[0]) if error.args else str(error)
            collector.add(field.name if field.name in values else "", sentence.removeprefix(f"'{field.name}' "))


def _defaults(cls: type[attrs.AttrsInstance], *, without: Collection[str]) -> dict[str, Any]:
    return {
        field.name: field.default.factory() if isinstance(field.default, attrs.Factory) else field.default  # type: ignore[arg-type]
        for field in attrs.fields(cls)
        if field.default is not attrs.NOTHING and field.name not in without
    }


def _is_sequence(of: object) -> bool:
    return get_origin(of) in _SEQUENCES


def _is_table(of: object) -> bool:
    return get_origin(of) in _TABLES


def _is_union(of: object) -> bool:
    return get_origin(of) in {Union, types.UnionType}


def _make_converter() -> Converter:
    converter = Converter(detailed_validation=False, forbid_extra_keys=True)
    converter.register_structure_hook_factory(_is_sequence, _sequence)
    converter.register_structure_hook_factory(_is_table, _table)
    converter.register_structure_hook_factory(_is_union, _union)
    converter.register_structure_hook_factory(attrs.has, _record)
    for plain, hook in ((str, _text), (int, _whole), (float, _fraction), (bool, _boolean)):
        converter.register_structure_hook(plain, hook)
    # An enumeration of texts is a subclass of str, and cattrs takes the nearest class that has a hook.
    converter.register_structure_hook(StrEnum, lambda value, cls: _enumeration(cls)(value, cls))
    converter.register_structure_hook(datetime, lambda value, _type: parse_time(value))
    converter.register_structure_hook(DependsOn, _dependencies)
    converter.register_structure_hook(Schedule, _schedule)
    for quantity, parse, example in (
        (Duration, parse_duration, 'a number of seconds, or text such as "500ms" or "10s"'),
        (Size, parse_size, 'a number of bytes, or text such as "512MiB"'),
        (SignalName, parse_signal, 'a signal such as "TERM" or 15'),
    ):
        converter.register_structure_hook(quantity, _quantity(parse, example))
    return converter


_STRICT: Final = _make_converter()
