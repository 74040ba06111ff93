"""``hoody health``."""

from __future__ import annotations

import sys

from hoody.cli import console
from hoody.cli.command import command
from hoody.cli.console import say
from hoody.cli.health import counts, health_word, is_healthy, unwell
from hoody.cli.options import output_options
from hoody.cli.output import print_json
from hoody.cli.text import clean_cell


@command(
    "health",
    examples="""
    hoody health
    hoody health --json
    hoody health > /dev/null || hoody ps --state BACKOFF
    """,
)
@output_options("table", "json")
def health(output: str) -> int:
    """Show the health of everything. Exit 0 if all is well, 1 if not, 4 if there is no daemon."""
    from hoody.client import Client

    report = Client().health()
    if output == "json":
        print_json(report)
    else:
        say(health_word(report, colours=console.has_colour(sys.stdout)))
        for subject, words in (*counts(report), *unwell(report)):
            say(f"{subject:<12}{clean_cell(words)}")
    return 0 if is_healthy(report) else 1
