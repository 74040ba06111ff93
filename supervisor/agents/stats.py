"""What an agent uses of the machine: the figures, and how two looks make a rate. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from attrs import frozen

SHORTEST_WINDOW: Final = 0.5
"""Seconds between two looks below which a rate would be noise: the kernel counts in hundredths of a second."""

ProcessKey: TypeAlias = tuple[int, int]
"""A pid and a start time: a process, and not the one that has its number later."""


@frozen(kw_only=True)
class ProcessStats:
    """What one process of an agent uses."""

    pid: int
    name: str
    cpu: float
    """Per cent of one processor, over ``window``."""
    memory: int
    """Bytes that it holds in memory, shared ones included."""
    threads: int


@frozen(kw_only=True)
class Usage:
    """What an agent uses with everything that it has started; all zero where nothing of it runs."""

    cpu: float = 0.0
    """Per cent of one processor: 150 is one and a half. Over ``window``."""
    window: float = 0.0
    """Seconds that ``cpu`` speaks of: since the look before, or since the start where there was none."""
    cpu_seconds: float = 0.0
    """Time on a processor since the start of each process that still runs."""
    memory: int = 0
    """Bytes in memory, summed over the processes: what two of them share counts twice."""
    processes: int = 0
    threads: int = 0


@frozen(kw_only=True)
class UnitStats(Usage):
    """The same with the share of each process, the largest in memory first."""

    by_process: tuple[ProcessStats, ...] = ()


class Reading(NamedTuple):
    """What the kernel tells of one process at one instant."""

    key: ProcessKey
    name: str
    cpu_seconds: float
    memory: int
    threads: int


class Look(NamedTuple):
    """The processor times of an agent's processes at one instant."""

    at: float
    times: Mapping[ProcessKey, float]


class History(NamedTuple):
    """The two looks from which the next rate is made: the last one, and one that is old enough before it."""

    base: Look
    last: Look


def first_history(now: float, age: float) -> History:
    """Begin where nobody has looked yet: at the start of the main process ``age`` seconds ago, nothing was used."""
    start = Look(now - max(age, 0.01), {})
    return History(start, start)


def next_history(history: History, look: Look) -> History:
    """Go on with a new look. One that follows too closely shares the base of the one before."""
    close = look.at - history.last.at < SHORTEST_WINDOW
    return History(history.base if close else history.last, look)


def usage(readings: Sequence[Reading], history: History) -> UnitStats:
    """Make the figures of an agent; ``history.last`` is the look that ``readings`` were."""
    window = max(history.last.at - history.base.at, 0.01)
    before = history.base.times
    each = sorted(
        (
            ProcessStats(
                pid=reading.key[0],
                name=reading.name,
                cpu=round(100 * max(0.0, reading.cpu_seconds - before.get(reading.key, 0.0)) / window, 1),
                memory=reading.memory,
                threads=reading.threads,
            )
            for reading in readings
        ),
        key=lambda found: (-found.memory, found.pid),
    )
    return UnitStats(
        cpu=round(sum(found.cpu for found in each), 1),
        window=round(window, 3),
        cpu_seconds=round(sum(reading.cpu_seconds for reading in readings), 2),
        memory=sum(found.memory for found in each),
        processes=len(each),
        threads=sum(found.threads for found in each),
        by_process=tuple(each),
    )


def summary(stats: UnitStats) -> Usage:
    """Leave out the shares of the processes."""
    return Usage(
        cpu=stats.cpu,
        window=stats.window,
        cpu_seconds=stats.cpu_seconds,
        memory=stats.memory,
        processes=stats.processes,
        threads=stats.threads,
    )
