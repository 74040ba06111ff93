"""``hoody status``: the first thing to ask."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hoody.cli import console
from hoody.cli.command import command
from hoody.cli.console import say
from hoody.cli.health import counts, health_word
from hoody.cli.options import output_options
from hoody.cli.output import print_json, uptime
from hoody.cli.text import clean_cell
from hoody.version import __version__

if TYPE_CHECKING:
    from hoody.client.call import Call


@command(
    "status",
    examples="""
    hoody status
    hoody status --json
    """,
)
@output_options("table", "json")
def status(output: str) -> None:
    """Show whether the daemon runs, its address, its health, and where its files are. Exit 4 if it does not run."""
    from hoody.client import Client, calls
    from supervisor.errors import HoodyError

    wanted: list[Call[Any]] = [calls.status(), calls.health()]
    said, health = Client().send_all(wanted)
    if isinstance(said, HoodyError):
        raise said
    if isinstance(health, HoodyError):
        raise health
    document = {**said, "health": health, "files": files(said["folders"])}
    if output == "json":
        print_json(document)
    else:
        say(_sentences(document))


def _sentences(document: dict[str, Any]) -> str:
    health = document["health"]
    colours = console.has_colour(sys.stdout)
    other = "" if document.get("version") == __version__ else f" (this command line is {__version__})"
    lines = {
        "daemon": f"{document.get('version', '?')}, pid {document.get('pid', '?')}{other}",
        "address": str(document.get("url", "?")),
        "up for": uptime(document.get("started_at"), datetime.now(UTC)),
        "health": health_word(health, colours=colours),
        **dict(counts(health)),
        **{name.replace("_", " "): path for name, path in document["files"].items()},
    }
    return "\n".join(f"{key:<15}{value if key == 'health' else clean_cell(value)}" for key, value in lines.items())


def files(folders: Mapping[str, str]) -> dict[str, str]:
    """Return where the files of that daemon are that people ask for."""
    from hoody.home import Home

    home = Home(config=folders["config"], state=folders["state"], runtime=folders["runtime"])
    return {
        "configuration": home.config_file,
        "state": home.state,
        "logs": home.logs,
        "daemon_log": home.daemon_log,
        "token": home.token_file,
    }
