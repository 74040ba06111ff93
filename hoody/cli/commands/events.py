"""``hoody events``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncclick

from hoody.cli.command import command
from hoody.cli.completers import agent_names
from hoody.cli.console import say
from hoody.cli.event_words import event_line
from hoody.cli.options import TAIL, TIME


@command(
    "events",
    examples="""
    hoody events
    hoody events web -f
    hoody events --type unit.exited --since 1h
    hoody events -f -o jsonl
    """,
)
@asyncclick.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=agent_names)
@asyncclick.option("-f", "--follow", is_flag=True, help="Go on with what happens, until interrupted.")
@asyncclick.option(
    "-n", "--tail", type=TAIL, default="100", show_default=True, help="How many of the last ones, up to 1000."
)
@asyncclick.option("--since", type=TIME, help="Only from this time on (RFC 3339), or so long ago (10m).")
@asyncclick.option(
    "--type", "types", multiple=True, metavar="TYPE", help="Only of this type (unit.exited), or family (daemon)."
)
@asyncclick.option(
    "-o", "--output", type=asyncclick.Choice(("lines", "jsonl")), default="lines", help="For people, or for programs."
)
@asyncclick.option("--json", "output", flag_value="jsonl", help="The same as -o jsonl.")
def events(
    names: tuple[str, ...],
    *,
    follow: bool,
    tail: int,
    since: datetime | float | None,
    types: tuple[str, ...],
    output: str,
) -> None:
    """Show what has happened: starts, ends and their reasons, probes, definitions, the daemon itself."""
    from hoody.client import Client
    from hoody.client.event_calls import Feed

    feed = Feed(tail=tail if 0 <= tail <= _MOST else _MOST, since=_moment(since), names=names, types=types)
    client = Client()
    found: Iterable[Mapping[str, Any]] = client.follow_events(feed) if follow else client.events(feed)
    for event in found:
        say(json.dumps(event, separators=(",", ":")) if output == "jsonl" else event_line(event))
        if follow:
            _flush()


_MOST = 1000


def _flush() -> None:
    import sys

    sys.stdout.flush()


def _moment(value: datetime | float | None) -> str | None:
    if value is None:
        return None
    moment = value if isinstance(value, datetime) else datetime.now(UTC) - timedelta(seconds=value)
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
