"""How a plan is shown: a line per unit that changes, a line per key that differs. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from hoody.cli import console
from hoody.cli.text import clean_cell

if TYPE_CHECKING:
    from hoody.client.types import AppliedChange, ApplyAnswer, KeyChange

_SIGNS: Final = {"create": ("+", "green"), "replace": ("~", "yellow"), "delete": ("-", "red")}


def draw_plan(answer: ApplyAnswer, *, colours: bool) -> Iterator[str]:
    """Yield the lines of an answer of ``POST apply``."""
    changes = [change for change in answer["changes"] if change["action"] in _SIGNS]
    width = max((len(shown_name(change)) for change in changes), default=0)
    for change in changes:
        sign, colour = _SIGNS[change["action"]]
        words = _words(change, applied=answer["applied"])
        line = f"{sign} {clean_cell(shown_name(change)):<{width}}  {words}"
        yield console.paint(clean_cell(line), "red" if change["error"] else colour, on=colours)
        for key in change["keys"]:
            yield "    " + clean_cell(_key(key))
    yield _sum(answer)


def shown_name(change: AppliedChange) -> str:
    """Return what is changed, a group as its address."""
    return f"groups/{change['name']}" if change["kind"] == "group" else change["name"]


def _words(change: AppliedChange, *, applied: bool) -> str:
    if change["error"]:
        return f"not removed: {change['error']}"
    done = {"create": "created", "replace": "changed", "delete": "removed"}
    words = {"create": "create", "replace": "change", "delete": "stop and forget"}
    if change["kind"] == "group":
        words["delete"] = "forget"
    verb = (done if applied else words)[change["action"]]
    restart = ("restarted" if applied else "restart") if change["restart"] else ""
    return f"{verb}, {restart}" if restart else str(verb)


def _key(key: KeyChange) -> str:
    before, after = key["before"], key["after"]
    if before == after:
        return f"{key['key']}: another value"
    if before is None:
        return f"{key['key']}: {_text(after)} (new)"
    if after is None:
        return f"{key['key']}: {_text(before)} (gone)"
    return f"{key['key']}: {_text(before)} -> {_text(after)}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _sum(answer: ApplyAnswer) -> str:
    changes = answer["changes"]
    number = sum(change["action"] != "unchanged" for change in changes)
    rest = len(changes) - number
    if not number:
        return f"nothing to do: {rest} as declared"
    done = "changed" if answer["applied"] else "to change"
    return f"{number} {done}, {rest} as declared already"
