"""The supervision tree as lines. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from hoody.cli.text import clean_cell

if TYPE_CHECKING:
    from hoody.client.types import TreeNode

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
    """Describe one node: its id, what it is, its state, and its restarts where there were any."""
    kind = node["kind"].replace("_", " ") + (f" ({node['strategy']})" if node["strategy"] else "")
    words = [clean_cell(node["id"]), f"[{kind}]", paint(node["state"])]
    if node["restarts"]:
        words.append(f"restarts: {node['restarts']}")
    if node["intensity_used"]:
        words.append(f"(of its brake {node['intensity_used']}/{node['intensity_allowed']})")
    if node["crash_loop"]:
        words.append("crash loop")
    return "  ".join(words)
