"""``hoody daemon install`` and ``uninstall``: run from login on, kept alive by systemd or launchd."""

from __future__ import annotations

import os

import asyncclick

from hoody.cli.command import command
from hoody.cli.console import note, say


@command(
    "install",
    effect="changes",
    examples="""
    hoody daemon install
    hoody daemon install --print
    """,
)
@asyncclick.option(
    "--print", "only_print", is_flag=True, help="Print the file for the service manager; change nothing."
)
def install(only_print: bool) -> None:  # noqa: FBT001 - asyncclick calls it
    """Have the service manager of this user start the daemon at login and keep it alive: systemd, or launchd.

    Its variables PATH and HOODY_HOME are those of the shell that this is typed in.
    """
    import sys

    from hoody.daemon.installing import describe_service
    from hoody.daemon.installing import install as install_service

    service = describe_service(os.environ)
    if only_print:
        sys.stdout.write(service.text)
        return
    install_service(service)
    say(f"the daemon is installed ({service.path}) and runs; see: hoody status")


@command(
    "uninstall",
    effect="changes",
    examples="""
    hoody daemon uninstall
    """,
)
def uninstall() -> None:
    """Stop the daemon with its agents, and have nobody start it any more. Definitions and logs stay."""
    from hoody.daemon.installing import describe_service
    from hoody.daemon.installing import uninstall as uninstall_service

    service = describe_service(os.environ)
    if uninstall_service(service):
        say(f"the daemon is not a service any more ({service.path} is removed)")
    else:
        note("it is not installed")
