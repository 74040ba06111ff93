"""What a container uses, measured by the engine while somebody looks."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

from attrs import frozen

from supervisor.containers.engine import Engine
from supervisor.containers.events import Lines
from supervisor.containers.facts import table


@frozen(kw_only=True)
class ContainerStats:
    """One sample. ``cpu`` counts processors: 1.5 is one and a half; None in the first sample, which has no before."""

    cpu: float | None
    memory: int
    """Bytes, without what the kernel caches for it."""
    memory_limit: int | None
    processes: int
    read: int
    """Bytes from disks since its start."""
    written: int
    received: int
    """Bytes from its networks since its start."""
    sent: int


def container_stats(document: Mapping[str, Any]) -> ContainerStats:
    """Read one sample as the engine tells it. Pure."""
    memory, networks = table(document.get("memory_stats")), table(document.get("networks"))
    read, written = _disk(table(document.get("blkio_stats")).get("io_service_bytes_recursive"))
    limit = memory.get("limit")
    return ContainerStats(
        cpu=_cpu(table(document.get("cpu_stats")), table(document.get("precpu_stats"))),
        memory=_number(memory.get("usage")) - _cached(table(memory.get("stats"))),
        # Without a limit of its own the engine tells the memory of the machine, or a number beyond all memory.
        memory_limit=limit if isinstance(limit, int) and limit < 2**60 else None,
        processes=_number(table(document.get("pids_stats")).get("current")),
        read=read,
        written=written,
        received=sum(_number(table(each).get("rx_bytes")) for each in networks.values()),
        sent=sum(_number(table(each).get("tx_bytes")) for each in networks.values()),
    )


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def _cpu(now: Mapping[str, Any], before: Mapping[str, Any]) -> float | None:
    used = _number(table(now.get("cpu_usage")).get("total_usage")) - _number(
        table(before.get("cpu_usage")).get("total_usage")
    )
    passed = _number(now.get("system_cpu_usage")) - _number(before.get("system_cpu_usage"))
    processors = _number(now.get("online_cpus")) or len(table(now.get("cpu_usage")).get("percpu_usage") or ()) or 1
    if not before.get("system_cpu_usage") or passed <= 0:
        return None
    return max(0.0, used / passed * processors)


def _cached(stats: Mapping[str, Any]) -> int:
    # Version 1 and version 2 of the kernel's groups name it differently.
    return _number(stats.get("total_inactive_file", stats.get("inactive_file")))


def _disk(entries: object) -> tuple[int, int]:
    found = {"read": 0, "write": 0}
    for entry in entries if isinstance(entries, list) else ():
        kind = str(table(entry).get("op", "")).lower()
        if kind in found:
            found[kind] += _number(table(entry).get("value"))
    return found["read"], found["write"]


@asynccontextmanager
async def measuring(engine: Engine, container: str) -> AsyncIterator[AsyncIterator[ContainerStats]]:
    """Measure once a second for as long as somebody iterates, or until the container ends."""
    what = f"measure container {container[:12]}"
    async with (
        engine.stream("GET", f"/containers/{container}/stats", {"stream": 1}, what=what) as answer,
        aclosing(_samples(aiter(answer))) as samples,
    ):
        yield samples


async def _samples(pieces: AsyncIterator[bytes]) -> AsyncGenerator[ContainerStats, None]:
    lines = Lines()
    async for piece in pieces:
        for line in lines.feed(piece):
            document = table(json.loads(line))
            if not table(document.get("pids_stats")) and not table(document.get("memory_stats")):
                # The engine goes on with empty samples after the end.
                return
            yield container_stats(document)
