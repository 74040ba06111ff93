"""Write a document as TOML: a table per unit, what is deeper inline, so that it reads as one would write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import tomlkit
from tomlkit.items import Item, Table

_WIDEST: Final = 100


def toml_text(document: Mapping[str, Any], *, notes: Mapping[str, tuple[str, ...]] | None = None) -> str:
    """Return the text of ``document``, tables of tables of units; ``notes`` are comments above units, by name."""
    made = tomlkit.document()
    for kind, units in document.items():
        if not units:
            continue
        of_kind = tomlkit.table(is_super_table=True)
        for name, unit in units.items():
            of_kind.append(name, _unit(unit, (notes or {}).get(name, ())))
        made.append(kind, of_kind)
    return tomlkit.dumps(made)


def _unit(unit: Mapping[str, Any], notes: tuple[str, ...]) -> Table:
    table = tomlkit.table()
    for line in notes:
        table.add(tomlkit.comment(line))
    for key, value in unit.items():
        table.append(key, _value(value))
    return table


def _value(value: Any) -> Item:  # noqa: ANN401 - whatever JSON holds
    if isinstance(value, Mapping):
        inline = tomlkit.inline_table()
        for key, each in value.items():
            inline.append(key, _value(each))
        return inline
    if isinstance(value, list | tuple):
        array = tomlkit.array()
        for each in value:
            array.append(_value(each))
        if len(array.as_string()) > _WIDEST:
            array.multiline(multiline=True)
        return array
    if isinstance(value, str) and "\n" in value and "\r" not in value:
        return tomlkit.string(value, multiline=True, escape=True)
    made: Item = tomlkit.item(value)
    return made
