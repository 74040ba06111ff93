"""Turn what is stored into JSON text and back: plain, and tolerant of what a newer version wrote.

The strict converter of the API is the wrong tool here: these documents are our own. A key that this version does not
know is ignored, so that going back by one minor version keeps the state; a key that is missing takes the default of its
class. What cannot be read at all raises :class:`Undecodable`, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from cattrs import Converter
from cattrs.gen import make_dict_unstructure_fn

from supervisor.store.messages import LiveRecord, Progress
from supervisor.units.driver import Identity
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Counters, Kind, LastExit

T = TypeVar("T")
_SPECS: Final[Mapping[Kind, type[AgentSpec]]] = {Kind.AGENT: AgentSpec}


class Undecodable(ValueError):
    """A stored text is not what this program writes: cut off, forged, or from a version too far away."""


def encode_spec(spec: AgentSpec) -> str:
    """Write a definition in full: a default that changes later must not change what somebody asked for."""
    return _dump(_converter.unstructure(spec))


def decode_spec(kind: Kind, text: object) -> AgentSpec:
    """Read what :func:`encode_spec` wrote of a unit of this kind. Raises ``Undecodable``."""
    return _load(text, _SPECS[kind])


def encode_progress(progress: Progress) -> str:
    """Write progress without the fields at their defaults: it is written at every change of state."""
    return _dump(_converter.unstructure(progress))


def decode_progress(text: object) -> Progress:
    """Read what :func:`encode_progress` wrote. Raises ``Undecodable``."""
    return _load(text, Progress)


def encode_labels(labels: Mapping[str, str]) -> str:
    """Write labels."""
    return _dump(dict(labels))


def decode_labels(text: object) -> dict[str, str]:
    """Read what :func:`encode_labels` wrote. Raises ``Undecodable``."""
    return _load(text, dict[str, str])


def encode_time(moment: datetime) -> str:
    """Write an instant in UTC, with all of its microseconds. ``moment`` must know its zone."""
    if moment.tzinfo is None:
        raise ValueError(f"an instant without a time zone cannot be stored: {moment!r}")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def decode_time(text: object) -> datetime:
    """Read what :func:`encode_time` wrote. Raises ``Undecodable``."""
    try:
        moment = datetime.fromisoformat(text)  # type: ignore[arg-type] # whatever is no text is refused by it
    except (TypeError, ValueError) as error:
        raise Undecodable(f"{text!r} is not a time: {error}") from None
    if moment.tzinfo is None:
        raise Undecodable(f"{text!r} has no time zone")
    return moment.astimezone(UTC)


def _dump(document: object) -> str:
    return json.dumps(document, separators=(",", ":"), allow_nan=False)


def _load(text: object, cls: type[T]) -> T:
    try:
        return _converter.structure(json.loads(text), cls)  # type: ignore[arg-type] # no text, no document
    except Undecodable:
        raise
    # cattrs reports through exception groups, the validators of attrs through ValueError and TypeError, and hostile
    # text can reach any of the built-in conversions; every one of them means the same here.
    except Exception as error:
        raise Undecodable(f"not readable as {getattr(cls, '__name__', cls)}: {_first_leaf(error)}") from error


def _first_leaf(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) or type(error).__name__


def _command(value: Any, _type: object) -> str | tuple[str, ...]:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return tuple(value)
    raise Undecodable(f"a command is text or a list of texts, got {value!r}")


def _address(value: Any, _type: object) -> str | int | None:  # noqa: ANN401 - whatever JSON holds
    if value is None or isinstance(value, str | int):
        return value
    raise Undecodable(f"an address is text or a number, got {value!r}")


def _account(value: Any, _type: object) -> str | int:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, str | int):
        return value
    raise Undecodable(f"an account is text or a number, got {value!r}")


def _make_converter() -> Converter:
    converter = Converter(detailed_validation=False)
    converter.register_unstructure_hook(datetime, encode_time)
    converter.register_structure_hook(datetime, lambda value, _: decode_time(value))
    converter.register_unstructure_hook(str | tuple[str, ...], lambda value: value)
    converter.register_structure_hook(str | tuple[str, ...], _command)
    converter.register_unstructure_hook(str | tuple[str, ...] | None, lambda value: value)
    converter.register_structure_hook(
        str | tuple[str, ...] | None, lambda value, of: None if value is None else _command(value, of)
    )
    converter.register_unstructure_hook(str | int | None, lambda value: value)
    converter.register_structure_hook(str | int | None, _address)
    converter.register_unstructure_hook(str | int, lambda value: value)
    converter.register_structure_hook(str | int, _account)
    for cls in (Identity, LiveRecord, LastExit, Counters, Progress):
        omitting = make_dict_unstructure_fn(cls, converter, _cattrs_omit_if_default=cls is not Identity)
        converter.register_unstructure_hook(cls, omitting)
    return converter


_converter = _make_converter()
