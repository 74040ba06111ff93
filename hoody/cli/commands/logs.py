"""``hoody logs``."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import cycle
from typing import TYPE_CHECKING, Any

import asyncclick

from hoody.cli import console
from hoody.cli.command import command
from hoody.cli.log_lines import ItemPrinter, LineCleaner
from hoody.cli.options import ALL_LINES, TAIL, TIME, names_argument
from hoody.client.calls import Lines, LogPlace, MergedLogs, UnitCalls
from supervisor.errors import InvalidInput, Unavailable

if TYPE_CHECKING:
    from hoody.client import Client

_PATIENCE = 600.0
"""Seconds for all of a log, which may be long."""
_COLOURS = ("cyan", "green", "yellow", "magenta", "blue")


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
    """Show what agents have printed, running or not; of several, merged by time.

    Control characters are made visible unless --raw is given; colours stay on a terminal.
    """
    from hoody.cli.selecting import select
    from hoody.client import Client

    if raw and (follow or timestamps):
        raise InvalidInput("--raw prints bytes as they are: it goes with neither --follow nor --timestamps")
    lines = _lines(datetime.now(UTC), **which)
    client = Client()
    found = select(client, names)
    colours = console.has_colour(sys.stdout)
    prefixes = dict.fromkeys(found, "") if len(found) == 1 or no_prefix else _prefixes(found, colours=colours)
    printer = ItemPrinter(prefixes, timestamps=timestamps, colours=colours)
    if follow:
        _follow(client, found, lines, printer)
    elif raw:
        for name in found:
            _print_raw(client, name, lines)
    elif timestamps or len(found) > 1:
        _print_items(client, found, lines, printer)
    else:
        _print_text(client, found[0], lines, LineCleaner(colours=colours))


def _prefixes(names: Sequence[str], *, colours: bool) -> dict[str, str]:
    """Return what is put before the lines of each, as wide as the widest, in colours of their own."""
    widest = max(map(len, names))
    return {
        name: console.paint(f"{name:<{widest}} |", colour, on=colours) + " "
        for name, colour in zip(names, cycle(_COLOURS), strict=False)
    }


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


def _print_raw(client: Client, name: str, lines: Lines) -> None:
    sys.stdout.flush()
    client.send(UnitCalls("agents").logs(name, lines, timeout=_PATIENCE, sink=sys.stdout.buffer.write))
    sys.stdout.buffer.flush()


def _print_text(client: Client, name: str, lines: Lines, cleaner: LineCleaner) -> None:
    def write(data: bytes) -> None:
        sys.stdout.write(cleaner.feed(data))

    client.send(UnitCalls("agents").logs(name, lines, timeout=_PATIENCE, sink=write))
    sys.stdout.write(cleaner.end())


def _source(names: Sequence[str]) -> UnitCalls | MergedLogs:
    return UnitCalls("agents") if len(names) == 1 else MergedLogs(names)


def _print_items(client: Client, names: Sequence[str], lines: Lines, printer: ItemPrinter) -> None:
    place, source = LogPlace(lines), _source(names)
    while items := place.items_of(client.send(place.call(source, names[0]))):
        for item in items:
            sys.stdout.write(printer.text(item))


def _follow(client: Client, names: Sequence[str], lines: Lines, printer: ItemPrinter) -> None:
    """Print what comes, for ever; the daemon may be started anew meanwhile."""
    place, source = LogPlace(lines), _source(names)
    while True:
        try:
            page = client.send(place.call(source, names[0]))
        except Unavailable as error:
            time.sleep(place.pause_after(error))
            continue
        for item in place.items_of(page):
            sys.stdout.write(printer.text(item))
        sys.stdout.flush()
