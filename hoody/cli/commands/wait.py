"""``hoody wait``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import asyncclick

from hoody.cli.command import command
from hoody.cli.console import say
from hoody.cli.options import DURATION, names_argument
from hoody.cli.text import clean_cell
from hoody.cli.waiting import GOALS, Goal, Verdict, verdict
from supervisor.errors import HoodyError, TimedOut

if TYPE_CHECKING:
    from hoody.client import Client
    from hoody.client.types import Unit

_FEW = 8
"""Up to here the units are asked for one by one, and not with the whole list."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5
"""Seconds between two looks: short for what is nearly there, long for what takes its time."""


@command(
    "wait",
    examples="""
    hoody wait web --for ready --timeout 30s
    hoody wait api --for healthy
    hoody wait 'worker*' --for running
    hoody wait backup
    """,
)
@names_argument()
@asyncclick.option(
    "--for", "goal", type=asyncclick.Choice(GOALS), default="stopped", show_default=True, help="What for."
)
@asyncclick.option("--timeout", type=DURATION, help="How long to wait (no limit if not given); then exit 6.")
@asyncclick.option("-q", "--quiet", is_flag=True, help="Print nothing.")
def wait(names: tuple[str, ...], goal: Goal, timeout: float | None, quiet: bool) -> int:  # noqa: FBT001 - asyncclick calls it
    """Wait until all of these agents are ready, healthy, running, stopped, or their present process has exited.

    For stopped and exited, the exit code is that of the agent's program (128 and the signal's number if a signal ended
    it); of several, the first that is not 0.
    """
    from hoody.cli.selecting import select
    from hoody.client import Client

    client = Client()
    found = select(client, names)
    ended = wait_for_all(client, found, goal, timeout)
    if not quiet:
        for name, (_, words) in ended.items():
            say(clean_cell(f"{name}: {words}"))
    return next((end.code for end in ended.values() if end.code), 0)


def wait_for_all(client: Client, names: list[str], goal: Goal, timeout: float | None) -> dict[str, Verdict]:
    """Return how the wait for each of these has ended. Raises ``TimedOut``."""
    deadline = None if timeout is None else time.monotonic() + timeout
    first: dict[str, int] = {}
    ended: dict[str, Verdict] = {}
    pause = _FIRST_PAUSE
    while True:
        missing = [name for name in names if name not in ended]
        for name, unit in _look(client, missing).items():
            end = verdict(goal, unit, first.setdefault(name, unit["status"]["incarnation"]))
            if end is not None:
                ended[name] = end
        missing = [name for name in missing if name not in ended]
        if not missing:
            return {name: ended[name] for name in names}
        left = _LONGEST_PAUSE if deadline is None else deadline - time.monotonic()
        if left <= 0:
            raise TimedOut(f"after {timeout:g} s these are not {goal}: {', '.join(missing)}")
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def _look(client: Client, names: list[str]) -> dict[str, Unit]:
    """Return the units of these names: one by one if they are few, out of the whole list if they are many."""
    from hoody.client.calls import UnitCalls

    known = {unit["name"]: unit for unit in client.agents.list()} if len(names) > _FEW else {}
    calls = UnitCalls("agents")
    unknown = [name for name in names if name not in known]
    looks = [calls.get(name) for name in unknown]
    found = client.send_all(looks)
    for name, unit in zip(unknown, found, strict=True):
        if isinstance(unit, HoodyError):
            raise unit
        known[name] = unit
    return {name: known[name] for name in names}
