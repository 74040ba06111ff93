"""``start``, ``stop``, ``restart``, ``signal``, ``pause``, ``resume``: one request per unit, all at the same time."""

from __future__ import annotations

import asyncclick

from hoody.cli.command import command
from hoody.cli.options import SIGNAL, names_argument, output_options, wait_options


@command(
    "start",
    effect="changes",
    examples="""
    hoody start web
    hoody start 'web*' db --timeout 10s
    hoody start web --no-wait
    """,
)
@names_argument()
@wait_options(60)
@output_options()
def start(names: tuple[str, ...], wait: bool, timeout: float, output: str) -> int:  # noqa: FBT001 - asyncclick calls it
    """Start agents and remember that they should run. Ends a wait for the next try early."""
    return _verb("start", names, wait=wait, timeout=timeout, output=output)


@command(
    "stop",
    effect="changes",
    examples="""
    hoody stop web
    hoody stop 'web*' db --timeout 30s
    hoody stop web --now
    """,
)
@names_argument()
@asyncclick.option("--now", is_flag=True, help="Kill at once instead of asking and waiting for the stop timeout.")
@wait_options(60)
@output_options()
def stop(names: tuple[str, ...], now: bool, wait: bool, timeout: float, output: str) -> int:  # noqa: FBT001 - asyncclick calls it
    """Stop agents, with every process that they have started, and remember that they should stay stopped.

    Of several, those that depend on others are stopped first; with --now or --no-wait all at the same time.
    """
    return _verb("stop", names, wait=wait, timeout=timeout, output=output, now=now)


@command(
    "restart",
    effect="changes",
    examples="""
    hoody restart web
    hoody restart 'web*' --no-wait
    """,
)
@names_argument()
@wait_options(60)
@output_options()
def restart(names: tuple[str, ...], wait: bool, timeout: float, output: str) -> int:  # noqa: FBT001 - asyncclick calls it
    """Stop agents and start them again; one at rest is just started."""
    return _verb("restart", names, wait=wait, timeout=timeout, output=output)


@command(
    "signal",
    effect="changes",
    examples="""
    hoody signal HUP web
    hoody signal USR1 'worker*' --group
    """,
)
@asyncclick.argument("signal", type=SIGNAL, metavar="SIGNAL")
@names_argument()
@asyncclick.option("--group", is_flag=True, help="Send it to the whole process group, not to the main process alone.")
@output_options()
def signal(signal: str, names: tuple[str, ...], group: bool, output: str) -> int:  # noqa: FBT001 - asyncclick calls it
    """Send SIGNAL (a name such as HUP, or a number) to agents.

    What the signal causes counts as the program's own doing: one that is killed this way is restarted.
    """
    from hoody.cli.acting import act
    from hoody.client import calls

    units = calls.UnitCalls("agents")
    return act(names, lambda name: units.signal(name, signal, group=group), done=f"sent {signal}", output=output)


@command(
    "pause",
    effect="changes",
    examples="""
    hoody pause web
    hoody pause 'worker*'
    """,
)
@names_argument()
@output_options()
def pause(names: tuple[str, ...], output: str) -> int:
    """Let nothing of agents run, without ending them, until they are resumed.

    They stay RUNNING; probes and the limit on silence hold still. A stop or a restart ends the pause.
    """
    from hoody.cli.acting import act
    from hoody.client import calls

    units = calls.UnitCalls("agents")
    return act(names, lambda name: units.pause(name, paused=True), done="paused", output=output)


@command(
    "resume",
    effect="changes",
    examples="""
    hoody resume web
    hoody resume 'worker*'
    """,
)
@names_argument()
@output_options()
def resume(names: tuple[str, ...], output: str) -> int:
    """Let paused agents run on."""
    from hoody.cli.acting import act
    from hoody.client import calls

    units = calls.UnitCalls("agents")
    return act(names, lambda name: units.pause(name, paused=False), done="resumed", output=output)


def _verb(verb: str, names: tuple[str, ...], *, wait: bool, timeout: float, output: str, now: bool = False) -> int:
    from hoody.cli.acting import act
    from hoody.cli.ordering import stop_waves
    from hoody.client import calls

    units = calls.UnitCalls("agents")
    return act(
        names,
        lambda name: units.verb(name, verb, wait=wait, timeout=timeout, now=now),
        done=None if wait else f"{verb} asked for",
        output=output,
        waiting=f"waiting for {verb} of" if wait else None,
        in_waves=stop_waves if verb == "stop" and wait and not now else None,
    )
