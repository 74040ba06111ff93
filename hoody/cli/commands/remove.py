"""``hoody rm``."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import asyncclick

from hoody.cli import console
from hoody.cli.command import command
from hoody.cli.console import say
from hoody.cli.options import DURATION, names_argument, output_options, yes_option
from hoody.cli.text import clean_cell
from supervisor.errors import HoodyError, InvalidInput, InvalidTransition


@command(
    "rm",
    effect="destroys",
    examples="""
    hoody rm web
    hoody rm web --force
    hoody rm 'test-*' --force --yes
    """,
)
@names_argument()
@asyncclick.option("-f", "--force", is_flag=True, help="Stop those that run, too.")
@yes_option
@asyncclick.option("--timeout", type=DURATION, default=60.0, help="How long a stop may take (60s).")
@output_options("table", "json", "jsonl", "name")
def rm(names: tuple[str, ...], force: bool, yes: bool, timeout: float, output: str) -> int:  # noqa: FBT001 - asyncclick calls it
    """Forget agents: their definitions and what is known of them. Their logs stay on disk.

    An agent that runs is refused unless --force is given, which stops it first.
    """
    from hoody.cli.acting import tell_errors
    from hoody.cli.output import print_json
    from hoody.cli.selecting import select
    from hoody.client import Client, calls

    client = Client()
    found = select(client, names)
    if not (yes or confirmed(f"forget {', '.join(found)}?")):
        raise InvalidInput("nothing was removed")
    units = calls.UnitCalls("agents")
    results = client.send_all([units.delete(name, force=force, revision=None, timeout=timeout) for name in found])
    for name, result in zip(found, results, strict=True):
        if isinstance(result, InvalidTransition):
            result.hint = f"to stop it as well: hoody rm {name} --force"
    gone = [name for name, result in zip(found, results, strict=True) if not isinstance(result, HoodyError)]
    if output == "json":
        print_json(gone)
    else:
        _print_names(gone, output)
    return tell_errors(found, results)


def confirmed(question: str) -> bool:
    """Ask on a terminal; where there is none, the command line itself is the answer."""
    if not console.interactive():
        return True
    sys.stderr.write(f"{clean_cell(question)} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _print_names(names: Sequence[str], output: str) -> None:
    for name in names:
        if output == "jsonl":
            say(f'"{name}"')
        else:
            say(clean_cell(name) if output == "name" else clean_cell(f"{name}: removed"))
