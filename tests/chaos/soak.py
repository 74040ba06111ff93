"""``python -m tests.chaos.soak``: 200 agents that end all the time, and a daemon that must not grow by it.

Memory, descriptors, tasks and threads of the daemon are read again and again; the least of each in the second third of
the run is held against the least in the last third, so that what goes up and down with the agents counts for nothing.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final

from hoody.client.blocking import Client
from hoody.client.discover import HomeFinder
from hoody.daemon.background import start_in_background, stop_in_background
from hoody.home import find_home

PAUSE: Final = 1.1
ALLOWED: Final[Mapping[str, tuple[float, int]]] = {
    "memory": (0.03, 1024 * 1024),
    "descriptors": (0.02, 8),
    "tasks": (0.02, 8),
    "threads": (0.0, 2),
}
"""By which part of itself and by how much each figure may grow: the noise of a run."""

Reading = Mapping[str, int]


def grown(readings: Sequence[Reading]) -> dict[str, tuple[int, int]]:
    """Return the figures that have grown, with their least value in the second and in the last third."""
    third = len(readings) // 3
    found = {}
    for name, (part, noise) in ALLOWED.items():
        before = _least(readings[third : 2 * third], name)
        after = _least(readings[2 * third :], name)
        if after > before * (1 + part) + noise:
            found[name] = (before, after)
    return found


def _least(readings: Iterable[Reading], name: str) -> int:
    return min(reading[name] for reading in readings)


def soak(folder: Path, *, agents: int, seconds: float) -> tuple[list[Reading], int]:
    """Let agents flap for so long; return the readings, and how often agents were started again."""
    environ = {**os.environ, "HOODY_HOME": str(folder)}
    client = Client(finder=HomeFinder(find_home(environ)))
    start_in_background(environ=environ)
    try:
        for number in range(agents):
            client.agents.create(
                f"flapping{number}",
                ["sh", "-c", f"echo on; exec sleep {1 + number % 10 / 10}"],
                backoff={"initial": "200ms", "max": "1s"},
                max_restarts=1_000_000,
            )
        readings = []
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            readings.append(client.health().get("daemon") or {})
            time.sleep(PAUSE)
        starts = sum(view["status"]["incarnation"] for view in client.agents.list())
    finally:
        stop_in_background(environ=environ, timeout=120)
    return readings, starts


def main() -> int:
    """Soak, print the figures, and return 1 where one has grown."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.soak", description="Look for leaks.")
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=300.0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hoody-soak-") as folder:
        readings, starts = soak(Path(folder), agents=given.agents, seconds=given.seconds)
    print(f"{given.agents} agents, {starts} starts in {given.seconds:.0f} s, {len(readings)} readings\n")
    third = len(readings) // 3
    print("| the least in | second third | last third |\n| --- | --- | --- |")
    for name in ALLOWED:
        before, after = _least(readings[third : 2 * third], name), _least(readings[2 * third :], name)
        print(f"| {name} | {before:,} | {after:,} |")
    found = grown(readings)
    if found:
        print(f"\nGROWN: {found}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
