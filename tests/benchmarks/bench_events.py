"""How fast events reach many followers from a store on disk, what they cost a restart, and how much memory it takes.

Run: ``python tests/benchmarks/bench_events.py [--followers N] [--events N] [--json FILE]``. The exit code is 1 where an
event was lost, doubled or out of order.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import trio
import trio.lowlevel

from api.routes.events import pieces_of
from api.streams import Form, write_piece
from supervisor.events import EventLog
from supervisor.runtime import ChildSpec, Shutdown, System, run, supervisor
from supervisor.store.actor import store_child
from supervisor.store.database import Database
from supervisor.store.health import StoreReport
from supervisor.units.roster import Roster
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Kind, State, UnitStatus, UnitView

BURST = 250


def now() -> datetime:
    return datetime.now(UTC)


def view(number: int) -> UnitView:
    status = UnitStatus(state=State.RUNNING if number % 2 else State.BACKOFF, incarnation=number, restarts=number)
    spec = AgentSpec(command=("agent",))
    return UnitView(
        kind=Kind.AGENT, name="web", workspace=None, labels={}, revision=1, created_at=now(), spec=spec, status=status
    )


async def follow(log: EventLog, last: int, faults: list[str]) -> None:
    """Read every event, written as it goes over the wire, and see to it that none is missing or out of order."""
    place = 0
    while place < last:
        await log.wait_beyond(place)
        batch = await log.read(place)
        sent = b"".join(write_piece(Form.SSE, piece) for piece in pieces_of(batch))
        numbers = [entry.number for entry in batch.entries]
        if batch.gap or numbers != list(range(place + 1, place + 1 + len(numbers))) or not sent:
            faults.append(f"behind {place}: {numbers[:3]}... gap {batch.gap}")
            return
        place = batch.place


async def fan_out(folder: Path, followers: int, events: int) -> dict[str, Any]:
    """Have so many events happen while so many followers read; return the figures."""
    system, roster, faults = System(), Roster(Kind.AGENT), list[str]()
    log = EventLog(wall=now)
    log.watch(roster)
    children = [
        store_child(lambda: Database(folder / "hoody.db", now=now), StoreReport()),
        ChildSpec("events", log.serve, shutdown=Shutdown.within(10)),
    ]
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(run, system=system), supervisor("root", children=children))
        views, taking = [view(number) for number in range(events)], 0.0
        resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        async with trio.open_nursery() as readers:
            for _ in range(followers):
                readers.start_soon(follow, log, events, faults)
            for start in range(0, events, BURST):
                before = time.perf_counter()
                for each in views[start : start + BURST]:
                    roster.show(each)
                taking += time.perf_counter() - before
                await trio.lowlevel.checkpoint()
        seconds = time.perf_counter() - began
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident
        system.shutdown("done")
    return {
        "followers": followers,
        "events": events,
        "seconds": round(seconds, 2),
        "deliveries_per_second": round(followers * events / seconds),
        "taking_in_us": round(taking / events * 1e6, 2),
        "grown_mib": round(grown / 1024, 1),
        "faults": faults,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--followers", type=int, default=100)
    parser.add_argument("--events", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = []
    for followers in (1, options.followers):
        with tempfile.TemporaryDirectory() as folder:
            found.append(trio.run(fan_out, Path(folder), followers, options.events))
        print(json.dumps(found[-1]))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2))
    return 1 if any(each["faults"] for each in found) else 0


if __name__ == "__main__":
    sys.exit(main())
