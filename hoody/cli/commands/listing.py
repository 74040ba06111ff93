"""``hoody ps`` and ``hoody inspect``."""

from __future__ import annotations

import asyncclick

from hoody.cli.command import command
from hoody.cli.console import note, say
from hoody.cli.options import names_argument, output_options
from hoody.cli.output import print_json, print_units
from hoody.cli.selecting import is_glob, select

_STATES = ("STOPPED", "STARTING", "RUNNING", "BACKOFF", "STOPPING", "EXITED", "FATAL", "UNKNOWN")
_HEALTHS = ("starting", "healthy", "unhealthy", "none")


@command(
    "ps",
    examples="""
    hoody ps
    hoody ps 'web*' -o wide
    hoody ps --state BACKOFF --json
    hoody ps -l team=docs -q
    hoody ps --selector 'tier in (web, api), !old'
    """,
)
@names_argument(required=False)
@asyncclick.option(
    "--state",
    "states",
    multiple=True,
    type=asyncclick.Choice(_STATES, case_sensitive=False),
    metavar="STATE",
    help="Only those in this state; of several, in any.",
)
@asyncclick.option(
    "--health",
    "healths",
    multiple=True,
    type=asyncclick.Choice(_HEALTHS, case_sensitive=False),
    metavar="HEALTH",
    help="Only those of this health; of several, of any.",
)
@asyncclick.option(
    "-l", "--label", "labels", multiple=True, metavar="KEY[=VALUE]", help="Only those with this label; of several, all."
)
@asyncclick.option("--workspace", metavar="NAME", help="Only those of this workspace.")
@output_options()
def ps(
    *,
    names: tuple[str, ...],
    states: tuple[str, ...],
    healths: tuple[str, ...],
    labels: tuple[str, ...],
    workspace: str | None,
    output: str,
) -> None:
    """List agents with their state and what they use, or those whose names or globs are given.

    CPU is in per cent of one processor, since somebody looked last; MEM is what their processes have in memory.
    """
    from hoody.client import Client

    client = Client()
    measured = output in {"table", "wide"}
    units = client.agents.list(states=states, healths=healths, labels=labels, workspace=workspace, stats=measured)
    filtered = bool(states or healths or labels or workspace)
    if names:
        wanted = select(client, names)
        listed = {unit["name"]: unit for unit in units}
        if not filtered:
            # A name that is not in the whole list is unknown: the daemon's own refusal names the nearest one.
            listed.update({name: client.agents.get(name) for name in wanted if name not in listed})
        units = [listed[name] for name in wanted if name in listed]
    print_units(units, output)
    if not (units or names or filtered) and output in {"table", "wide"}:
        note("no agents yet; start one: hoody run --name NAME -- COMMAND...")


@command(
    "inspect",
    examples="""
    hoody inspect web
    hoody inspect web -o json
    hoody inspect 'web*' -o jsonl
    hoody inspect web --reveal DATABASE_URL
    """,
)
@names_argument()
@asyncclick.option("--reveal", multiple=True, metavar="VARIABLE", help="Show this environment variable's value.")
@output_options("table", "json", "jsonl")
def inspect(names: tuple[str, ...], reveal: tuple[str, ...], output: str) -> None:
    """Show everything about an agent: its definition, its state, and how it last ended.

    As JSON, one name prints one object; several names or a glob print an array.
    """
    from hoody.cli.details import details
    from hoody.client import Client

    client = Client()
    units = [client.agents.get(name, reveal=reveal) for name in select(client, names)]
    if output == "json" and len(names) == 1 and not is_glob(names[0]):
        print_json(units[0])
    elif output == "table":
        say("\n\n".join(details(unit) for unit in units))
    else:
        print_units(units, output)
