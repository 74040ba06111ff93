"""``hoody demo``."""

from __future__ import annotations

import asyncclick

from hoody.cli.command import command


@command(
    "demo",
    effect="changes",
    examples="""
    hoody demo
    hoody demo --keep
    hoody demo --home ~/hoody-demo --keep
    """,
)
@asyncclick.option("--home", metavar="FOLDER", help="Use this home; a throw-away one if not given.")
@asyncclick.option("--keep", is_flag=True, help="Leave it all running, and say how to clean up.")
def demo(home: str | None, keep: bool) -> None:  # noqa: FBT001 - asyncclick calls it
    """Start a daemon with three small agents, kill one with SIGKILL, and show it back, with the time that it took.

    In the end everything is stopped and removed again, unless --keep is given.
    """
    from hoody.cli.console import say
    from hoody.demo import demo as tell

    tell(home, keep=keep, say=say)
