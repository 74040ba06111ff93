"""``hoody groups``: agents that are supervised together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncclick

from hoody.cli.command import command
from hoody.cli.completers import agent_names
from hoody.cli.console import note, say
from hoody.cli.options import DURATION, output_options, wait_options
from hoody.cli.output import print_json
from hoody.cli.text import clean_cell

if TYPE_CHECKING:
    from hoody.client.types import Group

_NAME = asyncclick.argument("name", metavar="GROUP")
_FORMATS = ("table", "json")


@command(
    "list",
    examples="""
    hoody groups list
    hoody groups list -o json
    """,
)
@output_options(*_FORMATS)
def list_groups(output: str) -> None:
    """List the groups: strategy, state, and the members with theirs."""
    from hoody.cli.table import render_table
    from hoody.client import Client, calls

    found = Client().send(calls.groups())
    if output == "json":
        print_json(found)
    elif found:
        rows = [[g["name"], g["state"], g["spec"]["strategy"], str(g["restarts"]), _members(g)] for g in found]
        say(render_table(("NAME", "STATE", "STRATEGY", "RESTARTS", "MEMBERS"), rows))
    else:
        note("no groups yet; make one: hoody groups create NAME MEMBER...")


@command(
    "show",
    examples="""
    hoody groups show pipeline
    """,
)
@_NAME
@output_options(*_FORMATS)
def show(name: str, output: str) -> None:
    """Show a group with its members."""
    from hoody.client import Client, calls

    _print(Client().send(calls.group(name)), output)


@command(
    "create",
    effect="changes",
    examples="""
    hoody groups create pipeline source transform sink --strategy rest_for_one
    hoody groups create site groups/pipeline web --on-give-up escalate
    """,
)
@_NAME
@asyncclick.argument("members", nargs=-1, required=True, metavar="MEMBER...", shell_complete=agent_names)
@asyncclick.option(
    "--strategy",
    type=asyncclick.Choice(("one_for_one", "one_for_all", "rest_for_one")),
    metavar="STRATEGY",
    help="Who is restarted with a member that fails: one_for_one, one_for_all or rest_for_one (one_for_one).",
)
@asyncclick.option(
    "--max-restarts", type=int, metavar="N", help="More failures of one member within the period are too many (10)."
)
@asyncclick.option("--period", type=DURATION, help="The period of --max-restarts (60s).")
@asyncclick.option(
    "--on-give-up",
    type=asyncclick.Choice(("retry", "fail", "escalate")),
    metavar="WHAT",
    help="Then: retry, fail (go on without it) or escalate (end the whole group) (retry).",
)
@asyncclick.option("--replace", is_flag=True, help="Give the group that is there this definition.")
@output_options(*_FORMATS)
def create(name: str, members: tuple[str, ...], replace: bool, output: str, **given: Any) -> None:  # noqa: ANN401, FBT001 - asyncclick calls it
    """Define a group of MEMBERs, in the order in which they are started: agents, and groups as groups/NAME."""
    from hoody.client import Client, calls

    document = {"members": list(members), **{key: value for key, value in given.items() if value is not None}}
    _print(Client().send(calls.define_group(name, document, replace=replace)), output)


@command(
    "start",
    effect="changes",
    examples="""
    hoody groups start pipeline
    """,
)
@_NAME
@wait_options(60)
@output_options(*_FORMATS)
def start(name: str, wait: bool, timeout: float, output: str) -> int:  # noqa: FBT001 - asyncclick calls it
    """Start the members of a group in their order, and remember that they should run."""
    return _verb(name, "start", wait=wait, timeout=timeout, output=output)


@command(
    "stop",
    effect="changes",
    examples="""
    hoody groups stop pipeline --timeout 30s
    """,
)
@_NAME
@asyncclick.option("--timeout", type=DURATION, default=60, help="How long to wait (60s).")
@output_options(*_FORMATS)
def stop(name: str, timeout: float, output: str) -> int:
    """Stop the members of a group in the reverse of their order, and remember that they should stay stopped."""
    return _verb(name, "stop", wait=None, timeout=timeout, output=output)


@command(
    "restart",
    effect="changes",
    examples="""
    hoody groups restart pipeline
    """,
)
@_NAME
@wait_options(60)
@output_options(*_FORMATS)
def restart(name: str, wait: bool, timeout: float, output: str) -> int:  # noqa: FBT001 - asyncclick calls it
    """Stop the members of a group in the reverse of their order, then start them in it."""
    return _verb(name, "restart", wait=wait, timeout=timeout, output=output)


@command(
    "rm",
    effect="changes",
    examples="""
    hoody groups rm pipeline
    """,
)
@_NAME
def remove(name: str) -> None:
    """Forget a group. Its members go on by themselves."""
    from hoody.client import Client, calls

    Client().send(calls.forget_group(name))
    say(clean_cell(f"{name}: removed"))


def _verb(name: str, verb: str, *, wait: bool | None, timeout: float, output: str) -> int:
    from hoody.client import Client, calls

    group = Client().send(calls.group_verb(name, verb, wait=wait, timeout=timeout))
    _print(group, output)
    return 1 if group["state"] == "failed" else 0


def _members(group: Group) -> str:
    return ", ".join(
        f"{each['address'].removeprefix('agents/')} ({each['state'] or 'gone'})" for each in group["members"]
    )


def _print(group: Group, output: str) -> None:
    if output == "json":
        print_json(group)
        return
    why = f": {group['reason']}" if group["reason"] else ""
    say(clean_cell(f"{group['name']}  [{group['spec']['strategy']}]  {group['state']}{why}"))
    for member in group["members"]:
        restarts = f"  restarts: {member['restarts']}" if member["restarts"] else ""
        say(clean_cell(f"  {member['address']}  {member['state'] or 'does not exist'}{restarts}"))
