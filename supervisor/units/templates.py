"""Words in braces that stand for something that is only known when a unit is started. Pure.

``{port}`` is replaced, ``{{port}}`` is the text ``{port}``. Only a lower-case word with nothing else in the braces is a
template, so that JSON and shell variables stay as they are; a template that is not known is refused and never left.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from supervisor.units.names import nearest

_TEMPLATE: Final = re.compile(r"\{(\{?)([a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)?)\}(\}?)")


def has_templates(text: str) -> bool:
    """Tell whether rendering would change anything."""
    return _TEMPLATE.search(text) is not None


def check_templates(text: str, known: Collection[str]) -> None:
    """Raise ``ValueError`` for a template that is not one of ``known``."""
    for opening, key, closing in _TEMPLATE.findall(text):
        if not (opening and closing) and key not in known:
            meant = nearest(key, known)
            raise ValueError(
                f"{{{key}}} is not known here"
                + (f"; did you mean {{{meant}}}?" if meant else "")
                + f" (known: {', '.join(f'{{{each}}}' for each in known)}; write {{{{{key}}}}} for the text itself)"
            )


def render(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` with every template replaced. Every template in it must be in ``values``."""

    def replaced(match: re.Match[str]) -> str:
        opening, key, closing = match.groups()
        return f"{{{key}}}" if opening and closing else opening + values[key] + closing

    return _TEMPLATE.sub(replaced, text)
