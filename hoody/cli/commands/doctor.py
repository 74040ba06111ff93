"""``hoody doctor``."""

from __future__ import annotations

import os
import sys

from hoody.cli import console
from hoody.cli.command import command
from hoody.cli.console import say
from hoody.cli.options import output_options
from hoody.cli.output import print_json
from hoody.cli.text import clean_cell

_COLOURS = {"ok": "green", "warning": "yellow", "broken": "red"}


@command(
    "doctor",
    examples="""
    hoody doctor
    hoody doctor --json | jq '.[] | select(.verdict != "ok")'
    """,
)
@output_options("table", "json")
def doctor(output: str) -> int:
    """Look the machine and the installation over and say what to mend. Exit 1 if something is broken."""
    import attrs

    from hoody.doctor import Verdict, examine

    findings = list(examine(os.environ))
    if output == "json":
        print_json([attrs.asdict(found) for found in findings])
    else:
        colours = console.has_colour(sys.stdout)
        for found in findings:
            verdict = console.paint(f"{found.verdict.value:<8}", _COLOURS[found.verdict.value], on=colours)
            say(f"{verdict} {found.subject:<14}{clean_cell(found.detail)}")
            if found.hint:
                say(f"{'':<23}{clean_cell(found.hint)}")
    return 1 if any(found.verdict is Verdict.BROKEN for found in findings) else 0
