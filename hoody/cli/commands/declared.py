"""``hoody apply`` and ``hoody export``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import asyncclick

from hoody.cli.command import command
from hoody.cli.console import interactive, note, say
from hoody.cli.options import DURATION, output_options, yes_option

if TYPE_CHECKING:
    from hoody.client.types import ApplyAnswer


@command(
    "apply",
    effect="destroys",
    examples="""
    hoody apply
    hoody apply -f hoody.toml --dry-run
    hoody apply -f services/ --prune
    hoody export | hoody apply -f -
    """,
)
@asyncclick.option(
    "-f",
    "--file",
    "place",
    metavar="FILE|DIR|-",
    help="What declares them: a file, a folder of .toml files, or standard input (the daemon's own hoody.toml).",
)
@asyncclick.option("--prune", is_flag=True, help="Stop and forget what this source declared before.")
@asyncclick.option("--dry-run", is_flag=True, help="Only show what would be done.")
@asyncclick.option("--source", metavar="NAME", help="Under what name the agents are declared (the path of the file).")
@asyncclick.option("--timeout", type=DURATION, default=60.0, help="How long to wait until it is done (60s).")
@yes_option
@output_options("table", "json", "name")
def apply(
    *,
    place: str | None,
    prune: bool,
    dry_run: bool,
    source: str | None,
    timeout: float,
    yes: bool,
    output: str,
) -> int:
    """Make agents and groups what a file declares: changes only what differs, restarts only what must.

    All of it is checked before anything is changed, and written down together: after an error nothing has changed.
    What was declared from the same source before and is not in it any more is left alone, or removed with
    --prune. What somebody else made is not touched, unless the file names it.
    """
    from hoody.client import Client, calls
    from hoody.declaration import read_declared
    from hoody.home import find_home

    own = find_home().config_file
    declared = read_declared(own if place is None else place)
    if declared.has_daemon_table and declared.source != own:
        note(f"note: [daemon] is only read from {own}, when the daemon starts; it is left out here")
    client = Client()

    def ask(*, dry: bool) -> ApplyAnswer:
        return client.send(
            calls.apply(declared.document, source=source or declared.source, prune=prune, dry_run=dry, timeout=timeout)
        )

    if dry_run or (prune and not yes and interactive() and not _agreed(ask(dry=True))):
        answer = ask(dry=True) if dry_run else None
    else:
        answer = ask(dry=False)
    if answer is None:
        note("nothing was changed")
        return 1
    _print(answer, output)
    if answer["left"] and output == "table":
        note(f"not declared any more, and left alone: {_cleaned(answer['left'])}; to remove them: --prune")
    return int(any(change["error"] for change in answer["changes"]))


def _agreed(plan: ApplyAnswer) -> bool:
    """Show a plan that removes something, and ask; agree to any other."""
    from hoody.cli.commands.remove import confirmed
    from hoody.cli.plan_drawing import shown_name

    doomed = [shown_name(change) for change in plan["changes"] if change["action"] == "delete"]
    if not doomed:
        return True
    _print(plan, "table")
    return confirmed(f"stop and forget {', '.join(doomed)}?")


def _cleaned(names: list[str]) -> str:
    from hoody.cli.text import clean_cell

    return clean_cell(", ".join(names))


def _print(answer: ApplyAnswer, output: str) -> None:
    from hoody.cli import console
    from hoody.cli.output import print_json
    from hoody.cli.plan_drawing import draw_plan, shown_name
    from hoody.cli.text import clean_cell

    if output == "json":
        print_json(answer)
    elif output == "name":
        for change in answer["changes"]:
            if change["action"] != "unchanged":
                say(clean_cell(shown_name(change)))
    else:
        for line in draw_plan(answer, colours=console.has_colour(sys.stdout)):
            say(line)


@command(
    "export",
    examples="""
    hoody export > hoody.toml
    hoody export -o json
    hoody export --reveal DATABASE_URL
    """,
)
@asyncclick.option("--source", metavar="NAME", help="Only what was declared from there.")
@asyncclick.option("--workspace", metavar="NAME", help="Only the agents of this workspace.")
@asyncclick.option("--reveal", multiple=True, metavar="VARIABLE", help="Show this environment variable's values.")
@asyncclick.option(
    "-o", "--output", type=asyncclick.Choice(("toml", "json")), default="toml", help="Form of the result (toml)."
)
def export(source: str | None, workspace: str | None, reveal: tuple[str, ...], output: str) -> None:
    """Print the definitions of agents and groups as a file that hoody apply takes; applied here, it changes nothing.

    Values of the environment are printed as '***', which keeps the value that is there; --reveal shows them.
    """
    from hoody.cli.output import print_json
    from hoody.client import Client, calls

    document = Client().send(calls.export(source=source, workspace=workspace, reveal=reveal))
    if output == "json":
        print_json(document)
        return
    from hoody.toml_text import toml_text

    say(toml_text(document).rstrip("\n"))
