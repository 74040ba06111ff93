"""Measure what agents use, when somebody asks, and never otherwise."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

import trio

from supervisor.agents.families import families
from supervisor.agents.marks import Mark
from supervisor.agents.scan import Shared, take_picture
from supervisor.agents.stats import History, Look, Reading, UnitStats, first_history, next_history, usage
from supervisor.agents.tree import Picture, Process
from supervisor.units.status import UnitView

_FORGOTTEN_AFTER: Final = 900.0
"""Seconds after which the look before is too old to be kept for units that nobody asks for."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Meter(Protocol):
    """Tells what units use."""

    async def measure(self, views: Sequence[UnitView]) -> Mapping[str, UnitStats]:
        """Return the figures of each unit by its name; of one that has no process, zeros."""


class ProcessMeter:
    """Measures processes. Any number of callers at once cost two walks through the process table at most."""

    def __init__(self, instance: str) -> None:
        self._instance = instance
        self._pictures: Shared[Picture] = Shared(take_picture)
        self._histories: dict[Mark, History] = {}
        self._limiter = trio.CapacityLimiter(1)

    async def measure(self, views: Sequence[UnitView]) -> Mapping[str, UnitStats]:
        """See :meth:`Meter.measure`. Cancellable; what was measured for nobody is dropped."""
        wanted = {self._mark(view): view.status.pid for view in views if view.status.pid is not None}
        if not wanted:
            return {view.name: UnitStats() for view in views}
        picture = await self._pictures.fresh()
        readings = await trio.to_thread.run_sync(_read_all, picture, wanted, limiter=self._limiter)
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._forget(now)
        found = {mark.unit: self._figures(mark, pid, readings[mark], now) for mark, pid in wanted.items()}
        return {view.name: found.get(view.name, UnitStats()) for view in views}

    def _mark(self, view: UnitView) -> Mark:
        return Mark(view.name, view.status.incarnation, self._instance)

    def _figures(self, mark: Mark, pid: int, readings: Sequence[Reading], now: float) -> UnitStats:
        if not readings:
            return UnitStats()
        look = Look(now, {reading.key: reading.cpu_seconds for reading in readings})
        history = self._histories.get(mark)
        if history is None:
            started = next((key[1] for key in look.times if key[0] == pid), min(key[1] for key in look.times))
            history = first_history(now, now - started / _TICKS)
            # The start is as good a base as any, however short ago it was.
            history = History(history.base, look)
        else:
            history = next_history(history, look)
        self._histories[mark] = history
        return usage(readings, history)

    def _forget(self, now: float) -> None:
        for mark in [mark for mark, kept in self._histories.items() if now - kept.last.at > _FORGOTTEN_AFTER]:
            del self._histories[mark]


def _read_all(picture: Picture, wanted: Mapping[Mark, int]) -> Mapping[Mark, Sequence[Reading]]:
    """Read the figures of every process of the wanted ones. Blocks."""
    return {mark: list(_read(family)) for mark, family in families(picture, wanted).items()}


def _read(family: Iterable[Process]) -> Iterable[Reading]:
    import psutil  # half a megabyte that a daemon has no use for until somebody asks

    for process in family:
        try:
            found = psutil.Process(process.pid)
            with found.oneshot():
                times = found.cpu_times()
                yield Reading(
                    key=(process.pid, process.stat.start_time),
                    name=found.name(),
                    cpu_seconds=times.user + times.system,
                    memory=found.memory_info().rss,
                    threads=found.num_threads(),
                )
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue  # ended since the picture was taken, or hidden by the system (hidepid)
