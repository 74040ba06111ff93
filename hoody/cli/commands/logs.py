"""``hoody logs``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import asyncclick

from hoody.cli.command import command
from hoody.cli.log_lines import ItemPrinter, LineCleaner
from hoody.cli.options import ALL_LINES, TAIL, TIME, names_argument
from hoody.client.calls import Lines, LogPlace, UnitCalls
from supervisor.errors import InvalidInput

if TYPE_CHECKING:
    from hoody.client import Client

_PATIENCE = 600.0
"""Seconds for all of a log, which may be long."""


@command(
    "logs",
    examples="""
    hoody logs web
    hoody logs -f web 'worker*'
    hoody logs web --tail all --stream stderr --since 10m
    hoody logs web --previous --grep 'out of memory'
    """,
)
@names_argument()
@asyncclick.option("-f", "--follow", is_flag=True, help="Go on with what is added, until interrupted.")
@asyncclick.option(
    "-n", "--tail", type=TAIL, default="100", show_default=True, help="How many of the last lines, or 'all'."
)
@asyncclick.option("--stream", type=asyncclick.Choice(("stdout", "stderr")), help="Only this one.")
@asyncclick.option("--since", type=TIME, help="Only from this time on (RFC 3339), or so long ago (10m).")
@asyncclick.option("--until", type=TIME, help="Only before this time.")
@asyncclick.option("--grep", metavar="TEXT", help="Only lines with this text in them.")
@asyncclick.option("-p", "--previous", is_flag=True, help="What the process before the present one printed.")
@asyncclick.option("-t", "--timestamps", is_flag=True, help="Put the time before each line.")
@asyncclick.option("--raw", is_flag=True, help="The bytes as they were written, control characters and all.")
@asyncclick.option("--no-prefix", is_flag=True, help="Do not put the name before each line of several agents.")
def logs(names: tuple[str, ...], follow: bool, timestamps: bool, raw: bool, no_prefix: bool, **which: Any) -> None:  # noqa: ANN401, FBT001 - asyncclick calls it
    """Show what agents have printed, running or not. Control characters are made visible unless --raw is given."""
    from hoody.cli.selecting import select
    from hoody.client import Client

    if raw and (follow or timestamps):
        raise InvalidInput("--raw prints bytes as they are: it goes with neither --follow nor --timestamps")
    lines = _lines(datetime.now(UTC), **which)
    client = Client()
    found = select(client, names)
    widest = max(map(len, found))
    prefixes = {name: "" if len(found) == 1 or no_prefix else f"{name:<{widest}} | " for name in found}
    if follow:
        _follow(found, lines, ItemPrinter(prefixes, timestamps=timestamps))
    elif timestamps:
        _print_items(client, found, lines, ItemPrinter(prefixes, timestamps=True))
    else:
        for name in found:
            _print_text(client, name, lines, prefix=prefixes[name], raw=raw)


def _lines(
    now: datetime,
    *,
    tail: int,
    stream: str | None,
    since: datetime | float | None,
    until: datetime | float | None,
    grep: str | None,
    previous: bool,
) -> Lines:
    """Build the selection; lengths of time count back from ``now``."""
    return Lines(
        tail=None if tail == ALL_LINES else tail,
        stream=stream,
        since=_moment(since, now),
        until=_moment(until, now),
        grep=grep,
        previous=previous,
    )


def _moment(value: datetime | float | None, now: datetime) -> str | None:
    if value is None:
        return None
    moment = value if isinstance(value, datetime) else now - timedelta(seconds=value)
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _print_text(client: Client, name: str, lines: Lines, *, prefix: str, raw: bool) -> None:
    call = UnitCalls("agents").logs
    if raw:
        sys.stdout.flush()
        client.send(call(name, lines, timeout=_PATIENCE, sink=sys.stdout.buffer.write))
        sys.stdout.buffer.flush()
        return
    cleaner = LineCleaner(prefix)
    client.send(call(name, lines, timeout=_PATIENCE, sink=lambda data: sys.stdout.write(cleaner.feed(data))))
    sys.stdout.write(cleaner.end())


def _print_items(client: Client, names: Sequence[str], lines: Lines, printer: ItemPrinter) -> None:
    units = UnitCalls("agents")
    for name in names:
        place = LogPlace(lines)
        while items := place.items_of(client.send(place.call(units, name))):
            for item in items:
                sys.stdout.write(printer.text(item))


def _follow(names: Sequence[str], lines: Lines, printer: ItemPrinter) -> None:
    import trio

    from hoody.cli.heavy import run_with_trio
    from hoody.client import AsyncClient

    client = AsyncClient()

    async def one(name: str) -> None:
        async for item in client.agents.follow(name, lines):
            sys.stdout.write(printer.text(item))
            sys.stdout.flush()

    async def every() -> None:
        async with trio.open_nursery() as nursery:
            for name in names:
                nursery.start_soon(one, name)

    run_with_trio(every)
