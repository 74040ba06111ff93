"""``hoody version``."""

from __future__ import annotations

import platform

from hoody.cli.command import command
from hoody.cli.console import say
from hoody.cli.options import output_options
from hoody.version import __version__


@command(
    "version",
    examples="""
    hoody version
    hoody version --json
    """,
)
@output_options("table", "json")
def version(output: str) -> None:
    """Print the version of this program; hoody status tells that of the daemon."""
    if output == "json":
        from hoody.cli.output import print_json

        print_json({"version": __version__, "python": platform.python_version()})
    else:
        say(f"hoody {__version__} (Python {platform.python_version()})")
