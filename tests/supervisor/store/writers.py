"""A program that writes units through the store's actor until it is killed: a forking one, so that trio loads once.

For each line on its standard input, a seed, it forks a writer, prints the writer's pid, and the writer prints
``NAME REVISION`` for each save that was answered. The folder of the database is its argument.
"""

from __future__ import annotations

import os
import random
import sys
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

NOW = datetime(2030, 1, 2, tzinfo=UTC)


def record(name: str, revision: int) -> UnitRecord:
    spec = AgentSpec(command=("sleep", "1"), environment={"PADDING": "x" * (revision * 37 % 3000)})
    return UnitRecord(
        kind=Kind.AGENT, name=name, workspace=None, labels={}, revision=revision, created_at=NOW, spec=spec
    )


async def write(system: System, seed: int, name: str) -> None:
    chance = random.Random(f"{seed} {name}")
    store = system.registry.ref("store")
    revision = seed * 1_000_000
    while True:
        revision += 1
        if chance.random() < 0.1:
            await store.ask(lambda reply: ForgetUnit(kind=Kind.AGENT, name=name, reply_to=reply), timeout=30)
            tell(f"{name} 0")
        await store.ask(partial(_save, name, revision), timeout=30)
        store.tell(NoteProgress(kind=Kind.AGENT, name=name, progress=Progress(incarnation=revision)))
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
        for number in range(4):
            nursery.start_soon(write, system, seed, f"unit-{number}")


if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if not child:
            trio.run(main, Path(sys.argv[1]), int(line))
        tell(f"pid {child}")
        os.waitpid(child, 0)
        tell("dead")
