"""The supervision tree as lines. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from hoody.cli.text import clean_cell

if TYPE_CHECKING:
    from hoody.client.types import TreeNode, UnitSummary

UNICODE = ("├─ ", "└─ ", "│  ", "   ")
ASCII = ("|- ", "`- ", "|  ", "   ")


def draw(node: TreeNode, describe: Callable[[TreeNode], str], branches: tuple[str, str, str, str]) -> Iterator[str]:
    """Yield a line per node, the root first; ``describe`` says what stands behind the branches."""
    # A list of what is still to be drawn, and not a recursion: a tree may be deeper than Python's stack.
    tee, corner, pipe, gap = branches
    waiting: list[tuple[TreeNode, str, str]] = [(node, "", "")]
    while waiting:
        found, first, rest = waiting.pop()
        yield first + describe(found)
        children = found.get("children") or []
        for index, child in reversed(list(enumerate(children))):
            last = index == len(children) - 1
            waiting.append((child, rest + (corner if last else tee), rest + (gap if last else pipe)))


def plain(node: TreeNode, *, paint: Callable[[str], str] = str) -> str:
    """Describe one node: its id, what it is, its state, and its restarts where there were any.

    Where it is the keeper of a unit that is what one wants to see, the unit; the keeper itself is told of only where
    it is not well.
    """
    unit = node.get("unit")
    if unit is None:
        return "  ".join(_node_words(node, paint))
    words = [clean_cell(node["id"]), f"[{unit['kind']}]", *_unit_words(unit, paint)]
    if node["restarts"] or node["state"] != "up":
        words.append(f"(its keeper: {', '.join(_node_words(node, paint)[2:])})")
    return "  ".join(words)


def _node_words(node: TreeNode, paint: Callable[[str], str]) -> list[str]:
    kind = node["kind"].replace("_", " ") + (f" ({node['strategy']})" if node["strategy"] else "")
    words = [clean_cell(node["id"]), f"[{kind}]", paint(node["state"])]
    if node["restarts"]:
        words.append(f"restarts: {node['restarts']}")
    if node["intensity_used"]:
        words.append(f"(of its brake {node['intensity_used']}/{node['intensity_allowed']})")
    if node["crash_loop"]:
        words.append("crash loop")
    if node.get("reason"):
        words.append(clean_cell(node["reason"]))
    return words


def _unit_words(unit: UnitSummary, paint: Callable[[str], str]) -> list[str]:
    words = [paint(unit["state"])]
    if unit["state"] == "RUNNING" and not unit["ready"]:
        words.append("not ready")
    if unit["health"] != "none":
        words.append(paint(unit["health"]))
    if unit["restarts"]:
        words.append(f"restarts: {unit['restarts']}")
    if unit["crash_loop"]:
        words.append("crash loop")
    if unit["reason"]:
        words.append(clean_cell(unit["reason"]))
    return words
