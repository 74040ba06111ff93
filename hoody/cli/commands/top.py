"""``hoody top``: what agents use of the machine, live in place."""

from __future__ import annotations

import asyncclick

from hoody.cli.command import command
from hoody.cli.options import DURATION, names_argument, output_options
from hoody.cli.top_view import ORDERS, Order

_SHORTEST = 0.5


@command(
    "top",
    examples="""
    hoody top
    hoody top 'web*' --sort memory
    hoody top --interval 5s
    hoody top --once -o json
    """,
)
@names_argument(required=False)
@asyncclick.option("--sort", "order", type=asyncclick.Choice(ORDERS), default="cpu", help="What comes first (cpu).")
@asyncclick.option("--interval", type=DURATION, default=2.0, help="Time between two looks (2s; at least 500ms).")
@asyncclick.option("--once", is_flag=True, help="Print one table, measured over the interval, and end.")
@output_options("table", "json", "jsonl")
def top(names: tuple[str, ...], order: Order, interval: float, once: bool, output: str) -> None:  # noqa: FBT001 - asyncclick calls it
    """Show what agents use: processor, memory, processes. Ends with Ctrl-C.

    CPU is in per cent of one processor. Where the output is no terminal, or is asked for as JSON, it is printed once.
    """
    import sys

    from hoody.cli import console
    from hoody.cli.top_loop import Top

    live = not once and output == "table" and console.is_terminal(sys.stdout)
    shown = Top(names, order, max(interval, _SHORTEST))
    if live:
        shown.run()
    else:
        shown.print_once(output)
