"""Does one thing to several units at the same time, shows who is still missing, and sums up how it went."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from hoody.cli.console import interactive, say
from hoody.cli.entry import tell_error
from hoody.cli.output import print_json
from hoody.cli.progress import Progress
from hoody.cli.selecting import select
from hoody.cli.text import clean_cell
from hoody.client import Client
from supervisor.errors import HoodyError

if TYPE_CHECKING:
    from hoody.client.call import Call
    from hoody.client.types import Unit


def act(
    words: Sequence[str],
    make_call: Callable[[str], Call[Unit]],
    *,
    output: str,
    done: str | None = None,
    waiting: str | None = None,
    in_waves: Callable[[Client, Sequence[str]], list[list[str]]] | None = None,
) -> int:
    """Send a call for each unit that ``words`` name, together; print the units; return the exit code.

    With ``in_waves``, each wave is sent when the one before it is answered.

    ``done`` is what to say of each unit instead of its state. ``waiting`` heads the progress that a terminal shows.
    One that fails does not hinder the others: each error is told, with the unit's name where there are several.
    """
    client = Client()
    names = select(client, words)
    found: dict[str, Unit | HoodyError] = {}
    for wave in [names] if in_waves is None else in_waves(client, names):
        found |= zip(wave, _send(client, wave, [make_call(name) for name in wave], waiting), strict=True)
    results = [found[name] for name in names]
    _print_results([unit for unit in results if not isinstance(unit, HoodyError)], output, done)
    return tell_errors(names, results)


def _send(
    client: Client, names: Sequence[str], wanted: Sequence[Call[Unit]], waiting: str | None
) -> Sequence[Unit | HoodyError]:
    if not (waiting and interactive()):
        return client.send_all(wanted)
    progress = Progress(client, names, waiting)
    try:
        return client.send_all(wanted, on_tick=progress.show)
    finally:
        progress.clear()


def tell_errors(names: Sequence[str], results: Sequence[object]) -> int:
    """Tell each error among ``results``; return their common exit code, 1 where they differ, 0 for none."""
    failed = [(name, error) for name, error in zip(names, results, strict=True) if isinstance(error, HoodyError)]
    for name, error in failed:
        tell_error(error, prefix=f"{name}: " if len(names) > 1 else "")
    codes = {error.exit_code for _, error in failed}
    return codes.pop() if len(codes) == 1 else int(bool(codes))


def summary(unit: Unit, done: str | None = None) -> str:
    """Return the line that says how a unit is after something was done to it."""
    status = unit["status"]
    pid = f" (pid {status['pid']})" if status["pid"] else ""
    return clean_cell(f"{unit['name']}: {done or status['state']}{pid}")


def _print_results(units: Sequence[Unit], output: str, done: str | None) -> None:
    if output == "json":
        print_json(units)
        return
    for unit in units:
        if output == "jsonl":
            say(json.dumps(unit, separators=(",", ":")))
        else:
            say(clean_cell(unit["name"]) if output == "name" else summary(unit, done))
