"""``hoody tree``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from hoody.cli import console
from hoody.cli.command import command
from hoody.cli.console import say
from hoody.cli.options import output_options
from hoody.cli.output import STATE_COLOURS, print_json
from hoody.cli.tree_drawing import ASCII, UNICODE, draw, plain

if TYPE_CHECKING:
    from hoody.client.types import TreeNode

_COLOURS = {
    "up": "green",
    "starting": "yellow",
    "stopping": "yellow",
    "waiting": "yellow",
    "failed": "red",
    "stuck": "red",
    **STATE_COLOURS,
}


@command(
    "tree",
    examples="""
    hoody tree
    hoody tree --json
    """,
)
@output_options("table", "json")
def tree(output: str) -> None:
    """Draw the supervision tree: who watches whom, by which strategy, and what was restarted how often."""
    from hoody.client import Client

    root = Client().tree()
    if output == "json":
        print_json(root)
        return
    colours = console.has_colour(sys.stdout)

    def describe(node: TreeNode) -> str:
        return plain(node, paint=lambda state: console.paint(state, _COLOURS.get(state), on=colours))

    branches = UNICODE if console.encodable("".join(UNICODE), sys.stdout) else ASCII
    for line in draw(root, describe, branches):
        say(line)
