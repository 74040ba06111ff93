"""``hoody daemon logs``: the daemon's own log, read from its file, so that it can be read when the daemon is down."""

from __future__ import annotations

import asyncclick

from hoody.cli.command import command
from hoody.cli.console import say
from hoody.cli.options import TAIL
from hoody.cli.text import clean_cell
from supervisor.errors import NotFound

_SAID_IN_FRONT = ("time", "level", "logger", "message")


@command(
    "logs",
    examples="""
    hoody daemon logs
    hoody daemon logs --tail 20 -f
    hoody daemon logs --tail all --json | jq 'select(.level == "ERROR")'
    """,
)
@asyncclick.option("-n", "--tail", type=TAIL, default="100", show_default=True, help="How many of the last lines.")
@asyncclick.option("-f", "--follow", is_flag=True, help="Go on with what is added, until interrupted.")
@asyncclick.option("--json", "as_json", is_flag=True, help="The lines as they are in the file: one JSON object each.")
def logs(tail: int, follow: bool, as_json: bool) -> None:  # noqa: FBT001 - asyncclick calls it
    """Show the daemon's own log, also of a daemon that has ended."""
    import sys

    from hoody.cli.file_tail import added_lines, last_lines
    from hoody.home import find_home

    path = find_home().daemon_log
    try:
        file = open(path, "rb")  # noqa: PTH123, SIM115 - pathlib is not worth its import; added_lines changes files
    except FileNotFoundError:
        raise NotFound(f"there is no log at {path}", hint="a daemon writes it when it starts: hoody up") from None
    with file:
        for line in last_lines(file, tail):
            say(_form(line, as_json=as_json))
        if follow:
            sys.stdout.flush()
            for line in added_lines(file, path):
                say(_form(line, as_json=as_json))
                sys.stdout.flush()


def _form(line: bytes, *, as_json: bool) -> str:
    """Return one line for people: time, level, message and what else was said; or as it is, made safe."""
    import json

    text = line.decode(errors="replace").rstrip("\n")
    try:
        entry = json.loads(text)
    except ValueError:
        entry = None
    if as_json or not isinstance(entry, dict):
        return clean_cell(text)
    level = str(entry.get("level", ""))
    more = " ".join(f"{key}={value}" for key, value in entry.items() if key not in _SAID_IN_FRONT)
    words = [str(entry.get("time", "")), f"{level.upper():<7}", str(entry.get("message", "")), more]
    return clean_cell("  ".join(word for word in words if word))
