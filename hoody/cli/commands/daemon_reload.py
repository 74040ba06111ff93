"""``hoody daemon reload``: take up changed files, or the program itself, without stopping an agent."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import asyncclick

from hoody.cli.command import command
from hoody.cli.console import say
from hoody.cli.options import DURATION

if TYPE_CHECKING:
    from hoody.client.blocking import Client

_PAUSE: Final = 0.05


@command(
    "reload",
    effect="changes",
    examples="""
    hoody daemon reload
    pip install --upgrade hoody-daemon && hoody daemon reload --binary
    """,
)
@asyncclick.option("--binary", is_flag=True, help="Replace the running program by the one on disk.")
@asyncclick.option("--timeout", type=DURATION, default=60.0, help="How long the new program may take (60s).")
def reload(binary: bool, timeout: float) -> None:  # noqa: FBT001 - asyncclick calls it
    """Take up a changed token, log file and hoody.toml; with --binary, a new version of the program.

    With --binary the daemon keeps its process and its address, agents go on, and clients wait for a moment.
    A program that does not start is told before anything is changed.
    """
    from hoody.client.blocking import Client
    from hoody.client.discover import find_daemon

    client = Client(finder=find_daemon())
    before = client.status()
    if not binary:
        import os
        import signal

        os.kill(before["pid"], signal.SIGHUP)
        say(f"the daemon takes its files up again (pid {before['pid']})")
        return
    version = client.replace_program()
    _wait(client, before["started_at"], time.monotonic() + timeout)
    say(f"the daemon is version {version} now (pid {before['pid']}), its agents went on")


def _wait(client: Client, started_before: str, deadline: float) -> None:
    """Wait until another program than the one before answers."""
    from supervisor.errors import DaemonNotRunning, HoodyError, TimedOut

    while True:
        try:
            if client.status()["started_at"] != started_before:
                return
        except DaemonNotRunning as error:
            raise DaemonNotRunning(
                f"the new program did not come up ({error}); agents that ran go on", hint="start it: hoody up"
            ) from None
        except HoodyError:
            pass  # connections of the program that goes are cut
        if time.monotonic() > deadline:
            raise TimedOut("the new program does not answer yet", hint="see: hoody daemon logs")
        time.sleep(_PAUSE)
