"""``hoody logs``."""

from __future__ import annotations

import sys
from collections.abc import Callable

import asyncclick

from hoody.cli.command import command
from hoody.cli.options import ALL_LINES, TAIL, names_argument


@command(
    "logs",
    examples="""
    hoody logs web
    hoody logs web --tail all --stream stderr
    hoody logs 'worker*' --tail 20
    """,
)
@names_argument()
@asyncclick.option(
    "-n", "--tail", type=TAIL, default="100", show_default=True, help="How many of the last lines, or 'all'."
)
@asyncclick.option("--stream", type=asyncclick.Choice(("stdout", "stderr")), help="Only this one.")
@asyncclick.option("--raw", is_flag=True, help="The bytes as they were written, control characters and all.")
@asyncclick.option("--no-prefix", is_flag=True, help="Do not put the name before each line of several agents.")
def logs(names: tuple[str, ...], tail: int, stream: str | None, raw: bool, no_prefix: bool) -> None:  # noqa: FBT001 - asyncclick calls it
    """Show what agents have printed, running or not. Control characters are made visible unless --raw is given."""
    from hoody.cli.selecting import select
    from hoody.client import Client

    client = Client()
    found = select(client, names)
    widest = max(map(len, found))
    for name in found:
        prefix = "" if len(found) == 1 or no_prefix else f"{name:<{widest}} | "
        write, finish = _raw_writer() if raw else _clean_writer(prefix)
        client.agents.logs(name, tail=None if tail == ALL_LINES else tail, stream=stream, sink=write)
        finish()


def _raw_writer() -> tuple[Callable[[bytes], object], Callable[[], object]]:
    sys.stdout.flush()
    return sys.stdout.buffer.write, sys.stdout.buffer.flush


def _clean_writer(prefix: str) -> tuple[Callable[[bytes], object], Callable[[], object]]:
    from hoody.cli.log_lines import LineCleaner

    cleaner = LineCleaner(prefix)
    return lambda data: sys.stdout.write(cleaner.feed(data)), lambda: sys.stdout.write(cleaner.end())
