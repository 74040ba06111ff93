"""Tables for people: columns as wide as they need to be, the last one cut where the terminal ends. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hoody.cli.text import clean_cell, cut, pad, width

_GAP = "  "


def render_table(
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    columns: int = 0,
    paint: Callable[[int, str], str | None] | None = None,
    colour: Callable[[str, str | None], str] | None = None,
) -> str:
    """Return the lines of a table.

    ``columns`` is the width to keep to (0: any). ``paint`` names a colour for a cell by its column and text, and
    ``colour`` applies it; the widths are those of the bare text.
    """
    cells = [list(head), *([clean_cell(cell) for cell in row] for row in rows)]
    widths = [max(width(row[index]) for row in cells) for index in range(len(head))]
    if columns:
        before = sum(widths[:-1]) + len(_GAP) * (len(head) - 1)
        widths[-1] = max(columns - before, len(head[-1]))
    lines = []
    for number, row in enumerate(cells):
        parts = []
        for index, cell in enumerate(row):
            text = cut(cell, widths[index])
            filled = text if index == len(row) - 1 else pad(text, widths[index])
            wanted = paint(index, cell) if paint and number else None
            parts.append(colour(filled, wanted) if colour else filled)
        lines.append(_GAP.join(parts).rstrip())
    return "\n".join(lines)
