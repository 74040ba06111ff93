"""A program that writes units through the store's actor until it is killed: a forking one, so that trio loads once.

For each line on its standard input, a seed, it forks a writer, prints the writer's pid, and the writer prints
``NAME REVISION`` for each request that was answered, with 0 for a forgetting. The folder of the database is its
argument.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import trio

from supervisor.runtime import System, run, supervisor
from supervisor.store.actor import store_child
from supervisor.store.database import Database
from supervisor.store.health import StoreReport
from supervisor.store.messages import ForgetUnit, NoteProgress, Progress, SaveUnit, UnitRecord
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Kind

NAMES = ("unit-0", "unit-1", "unit-2", "unit-3")
NOW = datetime(2030, 1, 2, tzinfo=UTC)


def record(name: str, revision: int) -> UnitRecord:
    spec = AgentSpec(command=("sleep", "1"), environment={"PADDING": "x" * (revision * 37 % 3000)})
    return UnitRecord(
        kind=Kind.AGENT, name=name, workspace=None, labels={}, revision=revision, created_at=NOW, spec=spec
    )


def operations(seed: int, name: str) -> Iterator[int]:
    """Yield what the writer of ``name`` asks for, in order: revisions to save, and 0 where it is to be forgotten."""
    chance = random.Random(f"{seed} {name}")
    for revision in itertools.count(seed * 1_000_000 + 1):
        if chance.random() < 0.1:
            yield 0
        yield revision


async def write(system: System, seed: int, name: str) -> None:
    store = system.registry.ref("store")
    for revision in operations(seed, name):
        if revision:
            await store.ask(partial(_save, name, revision), timeout=30)
            store.tell(NoteProgress(kind=Kind.AGENT, name=name, progress=Progress(incarnation=revision)))
        else:
            await store.ask(lambda reply: ForgetUnit(kind=Kind.AGENT, name=name, reply_to=reply), timeout=30)
        tell(f"{name} {revision}")


def _save(name: str, revision: int, reply: object) -> SaveUnit:
    return SaveUnit(record=record(name, revision), reply_to=reply)  # type: ignore[arg-type]


def tell(line: str) -> None:
    os.write(1, line.encode() + b"\n")


async def main(folder: Path, seed: int) -> None:
    root = supervisor(
        "root", children=[store_child(lambda: Database(folder / "hoody.db", now=lambda: NOW), StoreReport())]
    )
    async with trio.open_nursery() as nursery:
        system = await nursery.start(lambda task_status: run(root, task_status=task_status))
        for name in NAMES:
            nursery.start_soon(write, system, seed, name)


if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if not child:
            trio.run(main, Path(sys.argv[1]), int(line))
        tell(f"pid {child}")
        os.waitpid(child, 0)
        tell("dead")
