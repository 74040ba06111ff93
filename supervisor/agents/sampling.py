"""Look at what units use, once a second, for those limits that no kernel enforces for us; never otherwise.

All units that are looked at share each look: they wait for the same instants.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

import trio

from supervisor.agents.identity import read_proc
from supervisor.agents.marks import Mark
from supervisor.agents.scan import Shared, take_picture
from supervisor.units.probes.spec import Limits
from supervisor.units.quantities import format_size

PERIOD: Final = 1.0
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


class Share(NamedTuple):
    """What the processes with one seal use together."""

    memory: int
    processes: int


class Sampler:
    """Holds units to limits by looking."""

    def __init__(self, instance: str, *, period: float = PERIOD) -> None:
        self._period = period
        self._instance = instance
        self._looks: Shared[Mapping[int, Share]] = Shared(_look)

    async def watch(self, unit: str, incarnation: int, limits: Limits, exceeded: Callable[[str], None]) -> None:
        """Call ``exceeded`` with a sentence once an incarnation takes more than ``limits``, and return."""
        seal = Mark(unit, incarnation, self._instance).seal
        while True:
            await trio.sleep_until((math.floor(trio.current_time() / self._period) + 1) * self._period)
            share = (await self._looks.fresh()).get(seal)
            sentence = "" if share is None else excess(share, limits)
            if sentence:
                exceeded(sentence)
                return


def excess(share: Share, limits: Limits) -> str:
    """Say which limit is exceeded; empty where none is."""
    if limits.memory is not None and share.memory > limits.memory:
        return f"it used {format_size(share.memory)} of memory, and its limit is {format_size(limits.memory)}"
    if limits.processes is not None and share.processes > limits.processes:
        return f"it had {share.processes} processes, and its limit is {limits.processes}"
    return ""


def _look() -> Mapping[int, Share]:
    """Add up what the processes of each seal use. Blocks."""
    found: dict[int, Share] = {}
    for process in take_picture():
        if process.seal is None or process.stat.dead:
            continue
        before = found.get(process.seal, Share(0, 0))
        found[process.seal] = Share(before.memory + _resident(process.pid), before.processes + 1)
    return found


def _resident(pid: int) -> int:
    line = read_proc(pid, "statm")
    return int(line.split()[1]) * _PAGE if line else 0
