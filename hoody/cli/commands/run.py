"""``hoody run`` and ``hoody agents create``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import asyncclick

from hoody.cli.command import command
from hoody.cli.console import say
from hoody.cli.definition import definition, definition_options
from hoody.cli.options import output_options, wait_options
from supervisor.errors import AlreadyExists, HoodyError, InvalidTransition

if TYPE_CHECKING:
    from hoody.client import Client
    from hoody.client.types import Unit

_TRIES = 5
"""How often another name is tried when somebody takes the derived one first."""


@command(
    "run",
    effect="changes",
    rest_is_command=True,
    examples="""
    hoody run --name web -- python3 -m http.server 8000
    hoody run --name tick --shell -- 'while true; do date; sleep 1; done'
    hoody run --restart on-failure --env-file .env -- ./worker --queue mail
    hoody run --name db --stop-signal INT --stop-timeout 30s --label team=data -- postgres -D data
    hoody run --name backup --restart never --start-seconds 0s -- ./backup.sh
    hoody run --name api --readiness http=http://127.0.0.1:8000/ --liveness tcp=8000 -- ./api --port 8000
    """,
)
@asyncclick.option("--name", metavar="NAME", help="Its name; made from the command if not given.")
@definition_options
@wait_options(60)
@output_options("table", "json", "name")
def run(name: str | None, wait: bool, timeout: float, output: str, **parameters: Any) -> int:  # noqa: ANN401, FBT001 - asyncclick calls it
    """Define an agent that runs COMMAND, and start it.

    From now on it is kept running, over its own ends and over restarts of the daemon, until it is stopped or removed.
    One with --restart never and --start-seconds 0s is run once: its end is waited for, and its exit code is returned.
    """
    from hoody.client import Client

    client = Client()
    document = definition(parameters, os.environ, os.getcwd())  # noqa: PTH109 - pathlib is not worth its import here
    unit = _create(client, name, document, start=not wait)
    if wait:
        try:
            unit = client.agents.start(unit["name"], wait=True, timeout=timeout)
        except HoodyError as error:
            unit = _after_failure(client, unit["name"], error)
    code = 0
    if wait and _runs_once(unit):
        from hoody.cli.commands.wait import wait_for_all

        code = wait_for_all(client, [unit["name"]], "stopped", timeout)[unit["name"]].code
        unit = client.agents.get(unit["name"])
    _print(unit, output)
    return code


def _runs_once(unit: Unit) -> bool:
    """Tell whether the unit is one whose end is what somebody waits for."""
    spec = unit["spec"]
    once = spec.get("restart") == "temporary" and spec.get("start_seconds") == "0s"
    return once and spec.get("schedule") is None and spec.get("readiness") is None


@command(
    "create",
    effect="changes",
    rest_is_command=True,
    examples="""
    hoody agents create --name web -- python3 -m http.server 8000
    hoody agents create --name web --start -- python3 -m http.server 8000
    """,
)
@asyncclick.option("--name", metavar="NAME", help="Its name; made from the command if not given.")
@asyncclick.option("--start/--no-start", default=False, help="Start it as well, without waiting.")
@definition_options
@output_options("table", "json", "name")
def create(name: str | None, start: bool, output: str, **parameters: Any) -> None:  # noqa: ANN401, FBT001 - asyncclick calls it
    """Define an agent that runs COMMAND, without starting it."""
    from hoody.client import Client

    document = definition(parameters, os.environ, os.getcwd())  # noqa: PTH109 - pathlib is not worth its import here
    _print(_create(Client(), name, document, start=start), output)


def _create(client: Client, name: str | None, document: dict[str, Any], *, start: bool) -> Unit:
    """Define the agent, under a name of its own if none is given: somebody else may take that name first."""
    from hoody.client.calls import UnitCalls

    units = UnitCalls("agents")
    if name is not None:
        try:
            return client.send(units.create({"name": name, **document}, start=start, key=None))
        except AlreadyExists as error:
            error.hint = f"start it as it is: hoody start {name}; to define it anew: hoody rm {name} --force"
            raise
    from hoody.cli.naming import derive_name

    taken: set[str] = set()
    for _ in range(_TRIES):
        taken.update(unit["name"] for unit in client.agents.list())
        derived = derive_name(document["command"], taken)
        try:
            return client.send(units.create({"name": derived, **document}, start=start, key=None))
        except AlreadyExists:
            taken.add(derived)
    raise AlreadyExists("no free name was found", hint="choose one: --name NAME")


def _after_failure(client: Client, name: str, error: HoodyError) -> Unit:
    """Return the unit if it has done its work and ended as wanted; otherwise raise ``error`` saying what to do."""
    if isinstance(error, InvalidTransition):
        unit = client.agents.get(name)
        last = unit["status"]["exit"]
        if unit["status"]["state"] == "EXITED" and last and last["code"] in unit["spec"].get("success_exit_codes", [0]):
            return unit
    error.hint = error.hint or f"see what it printed: hoody logs {name}; to forget it: hoody rm {name} --force"
    raise error


def _print(unit: Unit, output: str) -> None:
    from hoody.cli.acting import summary
    from hoody.cli.output import print_json, print_units

    if output == "json":
        print_json(unit)
    elif output == "name":
        print_units([unit], "name")
    else:
        say(summary(unit))
