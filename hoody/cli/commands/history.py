"""``hoody history`` and ``hoody why``."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import asyncclick

from hoody.cli import console
from hoody.cli.command import command
from hoody.cli.completers import agent_names
from hoody.cli.console import say
from hoody.cli.event_words import run_row
from hoody.cli.options import output_options
from hoody.cli.output import print_json
from hoody.cli.table import render_table

if TYPE_CHECKING:
    from hoody.client import Client
    from hoody.client.types import Unit

_HEAD = ("RUN", "PID", "STARTED", "LASTED", "END")
_RUNS = 5
_LINES = 10


@command(
    "history",
    examples="""
    hoody history web
    hoody history web -n 100
    hoody history web -o json
    """,
)
@asyncclick.argument("name", metavar="NAME", shell_complete=agent_names)
@asyncclick.option("-n", "--limit", type=asyncclick.IntRange(1, 100), default=20, help="How many incarnations (20).")
@output_options("table", "json")
def history(name: str, limit: int, output: str) -> None:
    """Show the incarnations of an agent, newest first: when each began, how long it lasted, and how it ended."""
    from hoody.client import Client

    found = Client().agents.history(name, limit=limit)
    if output == "json":
        print_json(found)
        return
    now = datetime.now(UTC)
    rows = [run_row(run, now) for run in found["runs"]]
    say(render_table(_HEAD, rows, columns=console.columns(sys.stdout)))


@command(
    "why",
    examples="""
    hoody why web
    hoody why web --lines 50
    hoody why web -o json
    """,
)
@asyncclick.argument("name", metavar="NAME", shell_complete=agent_names)
@asyncclick.option(
    "-n", "--lines", type=asyncclick.IntRange(0, 1000), default=_LINES, help="How many of the last log lines (10)."
)
@output_options("table", "json")
def why(name: str, lines: int, output: str) -> None:
    """Say why an agent is as it is: what it waits for, when it is tried again, who stopped it, how it last ended."""
    from hoody.cli.reasons import explanation, findings
    from hoody.client import Client

    client = Client()
    unit = client.agents.get(name)
    past = client.agents.history(name, limit=_RUNS)
    last = _last_lines(client, unit, lines)
    if output == "json":
        print_json({"findings": findings(unit, past), "status": unit["status"], "runs": past["runs"], "lines": last})
    else:
        say(explanation(unit, past, last, datetime.now(UTC)))


def _last_lines(client: Client, unit: Unit, count: int) -> list[str]:
    """Return the last lines of the incarnation that ended last, or of the present one where none has."""
    from hoody.client.calls import Lines, UnitCalls

    if not count:
        return []
    status, ended = unit["status"], unit["status"]["exit"]
    # What runs now is told of by the log itself; here it is about the one before, if it is not the same.
    previous = ended is not None and status["incarnation"] != ended["incarnation"] and status["pid"] is not None
    page = client.send(UnitCalls("agents").log_page(unit["name"], Lines(tail=count, previous=previous)))
    return [item["text"] for item in page["items"] if not item["gap"]]
