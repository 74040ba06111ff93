"""How the daemon's own process is: whether its scheduler keeps up, what waits, and what it uses.

One short turn per tick measures the scheduler; everything else is looked at when somebody asks, at most once a second.
"""

from __future__ import annotations

import os
import resource
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio
from attrs import frozen

from supervisor.runtime import System

TICK: Final = 2.0
KEPT: Final = 30
"""How many ticks the worst lag is taken from: a minute."""
FRESH: Final = 1.0
"""Seconds for which a reading is good."""
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")


@frozen(kw_only=True)
class Vitals:
    """The figures of one moment."""

    loop_lag: float
    """By how many seconds the scheduler was late at worst within the last minute."""
    messages_waiting: int
    """In all mailboxes together."""
    fullest_mailbox: str
    """Whose mailbox has the most; empty where nothing waits."""
    fullest_waiting: int
    full_mailboxes: tuple[str, ...]
    """Those that take nothing more: whoever asks them is refused."""
    dead_letters: int
    """Messages that nobody could handle any more, since the start."""
    descriptors: int
    descriptor_limit: int
    memory: int
    """Bytes of this process that are in memory."""
    threads: int
    tasks: int
    """Tasks of the scheduler."""


class Pulse:
    """Measures the process that it runs in. ``on_tick`` is called at each tick, on the trio thread."""

    def __init__(self, system: System, *, on_tick: Callable[[], object] = lambda: None) -> None:
        self._system = system
        self._on_tick = on_tick
        self._lags: deque[float] = deque(maxlen=KEPT)
        self._read_at = -FRESH
        self._last: Vitals | None = None

    async def run(self) -> None:
        """Take the pulse until cancelled."""
        while True:
            self._on_tick()
            due = trio.current_time() + TICK
            await trio.sleep_until(due)
            self._lags.append(trio.current_time() - due)

    def read(self) -> Vitals:
        """Return the figures of this moment, or those of less than a second ago."""
        now = trio.current_time()
        if self._last is None or now - self._read_at >= FRESH:
            self._read_at, self._last = now, self._look()
        return self._last

    def _look(self) -> Vitals:
        registry = self._system.registry
        refs = [ref for ref in map(registry.whereis, registry.names()) if ref is not None]
        fullest = max(refs, key=lambda ref: ref.pending, default=None)
        waiting = 0 if fullest is None else fullest.pending
        return Vitals(
            loop_lag=round(max(self._lags, default=0.0), 4),
            messages_waiting=sum(ref.pending for ref in refs),
            fullest_mailbox=fullest.name if fullest is not None and waiting else "",
            fullest_waiting=waiting,
            full_mailboxes=tuple(sorted(ref.name for ref in refs if ref.full)),
            dead_letters=self._system.dead_letters.total,
            descriptors=len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - only their number is wanted
            descriptor_limit=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            memory=int(Path("/proc/self/statm").read_bytes().split()[1]) * _PAGE,
            tasks=trio.lowlevel.current_statistics().tasks_living,
            threads=len(os.listdir("/proc/self/task")),  # noqa: PTH208 - as above
        )
