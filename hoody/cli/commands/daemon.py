"""``hoody up``, ``hoody down`` and ``hoody daemon run``."""

from __future__ import annotations

import asyncclick

from hoody.cli.command import command
from hoody.cli.console import note, say
from hoody.cli.options import DURATION


@command(
    "up",
    effect="changes",
    examples="""
    hoody up
    HOODY_HOME=/srv/agents hoody up
    """,
)
@asyncclick.option("--timeout", type=DURATION, default=20.0, help="How long it may take to come up (20s).")
def up(timeout: float) -> None:
    """Start the daemon in the background and return once it serves its API. One that runs already is left alone.

    Agents that should run are started again, or found again if they still run.
    """
    from hoody.daemon.background import start_in_background

    daemon, already = start_in_background(timeout=timeout)
    say(f"the daemon {'runs already' if already else 'is up'}: {daemon.url} (pid {daemon.pid})")


@command(
    "down",
    effect="changes",
    examples="""
    hoody down
    hoody down --leave-agents
    hoody down --timeout 20s
    """,
)
@asyncclick.option("--leave-agents", is_flag=True, help="Leave running what runs; the next daemon takes it over.")
@asyncclick.option("--timeout", type=DURATION, default=120.0, help="How long to wait for the end (120s).")
def down(leave_agents: bool, timeout: float) -> None:  # noqa: FBT001 - asyncclick calls it
    """Stop the daemon and every agent, and return once all of it is gone. Asking again hurries it.

    What agents should do is remembered: those that ran are started again by the next hoody up.
    """
    from hoody.cli.console import interactive
    from hoody.cli.progress import Line
    from hoody.daemon.background import stop_in_background

    line = Line() if interactive() else None
    try:
        found = stop_in_background(
            leave_agents=leave_agents, timeout=timeout, on_wait=line.waits_for if line is not None else None
        )
    finally:
        if line is not None:
            line.clear()
    if found.pid is None:
        note("no daemon is running")
    else:
        say(f"the daemon has ended (pid {found.pid})" + (", its agents go on" if leave_agents else ""))


@command(
    "run",
    effect="changes",
    examples="""
    hoody daemon run
    """,
)
def run() -> int:
    """Run the daemon in the foreground until it is told to end: for systemd, containers and those who watch it.

    TERM and INT end it in order, with every agent; a second one hurries it.
    """
    from hoody.daemon.main import run_daemon

    return run_daemon()
