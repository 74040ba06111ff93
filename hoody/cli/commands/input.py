"""``hoody input``."""

from __future__ import annotations

import os
import sys

import asyncclick

from hoody.cli.command import command
from hoody.cli.completers import agent_names
from hoody.cli.options import DURATION

_PIECE = 256 * 1024
"""Bytes in one request: well below what the daemon takes, and enough to be quick."""


@command(
    "input",
    effect="changes",
    examples="""
    hoody input repl 'print(1 + 1)'
    hoody input repl <commands.txt
    hoody input repl --no-newline yes
    """,
)
@asyncclick.argument("name", metavar="NAME", shell_complete=agent_names)
@asyncclick.argument("text", nargs=-1, metavar="TEXT...")
@asyncclick.option("--no-newline", is_flag=True, help="Send TEXT without an end of line.")
@asyncclick.option("--timeout", type=DURATION, default=10.0, help="How long it may take to be taken (10s).")
def input(name: str, text: tuple[str, ...], no_newline: bool, timeout: float) -> None:  # noqa: A001, FBT001 - the name of the command; asyncclick calls it
    """Write TEXT and an end of line to the standard input of an agent; without TEXT, what comes from here.

    The agent must have been defined with --stdin pipe. Its input has no end: it waits for more.
    """
    from hoody.client import Client

    client = Client()
    if text:
        line = " ".join(text) + ("" if no_newline else "\n")
        client.agents.input(name, line.encode(errors="surrogateescape"), timeout=timeout)
        return
    while piece := os.read(sys.stdin.fileno(), _PIECE):
        client.agents.input(name, piece, timeout=timeout)
