"""Write frozen data as JSON-ready values: what answers are made of."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias, get_args, get_origin

from cattrs import Converter

from supervisor.convert.text import format_time
from supervisor.units.quantities import Duration, format_duration

Hook: TypeAlias = Callable[[Any], Any]


def unstructure(value: object) -> Any:  # noqa: ANN401 - JSON has no closed type in Python
    """Turn a value into what ``json.dumps`` takes.

    A ``Duration`` becomes text (``"500ms"``), any other number stays one; times become RFC 3339 in UTC; members of an
    enumeration become their values; tuples become lists.
    """
    return _PLAIN.unstructure(value)


def _mapping_hook(_of: object) -> Hook:
    return lambda value: {key: _PLAIN.unstructure(element) for key, element in value.items()}


def _sequence_hook(of: object) -> Hook:
    item = next(iter(get_args(of)), None)
    if item is None:
        return lambda value: [_PLAIN.unstructure(element) for element in value]
    hook = _PLAIN.get_unstructure_hook(item)
    return lambda value: [hook(element) for element in value]


def _is_sequence(of: object) -> bool:
    return of in {tuple, list} or get_origin(of) in {tuple, list}


def _is_mapping(of: object) -> bool:
    return of is dict or get_origin(of) in {Mapping, dict}


def _make_converter() -> Converter:
    converter = Converter()
    converter.register_unstructure_hook_factory(_is_sequence, _sequence_hook)
    converter.register_unstructure_hook_factory(_is_mapping, _mapping_hook)
    converter.register_unstructure_hook(StrEnum, operator.attrgetter("value"))
    converter.register_unstructure_hook(datetime, format_time)
    converter.register_unstructure_hook(Duration, format_duration)
    return converter


_PLAIN: Final = _make_converter()
