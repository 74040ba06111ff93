"""Wake those who wait for a stream to grow, without a second read and without a thread or a poll per waiter."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

import trio

from supervisor.logs.position import Position
from supervisor.logs.settings import Key
from supervisor.logs.source import Source


class Growth:
    """The meeting point of the pump's thread and the tasks that wait.

    The pump calls :meth:`note` and :meth:`flush`; tasks call :meth:`wait`. Tasks are woken at most once per
    ``interval`` seconds all together, and the pump does nothing for streams that nobody waits for.
    """

    def __init__(self, sources: Mapping[Key, Source], interval: float) -> None:
        self._sources = sources
        self._interval = interval
        self._events: dict[Key, set[trio.Event]] = {}
        self._grown: set[Key] = set()
        self._flushed = 0.0
        self._token: trio.lowlevel.TrioToken | None = None

    @property
    def is_awaited(self) -> bool:
        """Whether anybody waits for any stream."""
        return bool(self._events)

    async def wait(self, seen: Mapping[Key, Position]) -> None:
        """Return once any of the streams goes on beyond the position given for it. Trio side."""
        self._token = trio.lowlevel.current_trio_token()
        event = trio.Event()
        for key in seen:
            self._events.setdefault(key, set()).add(event)
        try:
            # Registered first and looked second, while the pump moves first and looks for waiters second.
            while not any(self._is_beyond(key, position) for key, position in seen.items()):
                await event.wait()
                event = self._renew(event, seen)
        finally:
            for key in seen:
                self._leave(key, event)

    def note(self, source: Source) -> None:
        """Say that a stream has grown: those who wait for it are woken at the next :meth:`flush`. Pump side."""
        if source.key in self._events:
            self._grown.add(source.key)

    def tell(self, source: Source) -> None:
        """Say that a stream has grown: those who wait for it are woken at once. From any thread."""
        if source.key in self._events:
            self._wake_soon((source.key,))

    def due(self) -> float | None:
        """Return in how many seconds :meth:`flush` has something to do; None for never. Pump side."""
        if not self._grown:
            return None
        return max(0.0, self._flushed + self._interval - time.monotonic())

    def flush(self) -> None:
        """Wake those concerned. Pump side."""
        grown, self._grown = tuple(self._grown), set()
        self._flushed = time.monotonic()
        self._wake_soon(grown)

    def _wake_soon(self, keys: Collection[Key]) -> None:
        if self._token is not None:
            try:
                self._token.run_sync_soon(self._wake, keys)
            except trio.RunFinishedError:
                self._token = None  # the program ends: nobody waits any more

    def _wake(self, keys: Collection[Key]) -> None:
        for key in keys:
            for event in self._events.get(key, ()):
                event.set()

    def _is_beyond(self, key: Key, position: Position) -> bool:
        source = self._sources.get(key)
        if source is None or not source.sink.file.epoch:
            return False
        return source.sink.file.epoch != position.epoch or source.position > position.offset

    def _renew(self, old: trio.Event, keys: Collection[Key]) -> trio.Event:
        new = trio.Event()
        for key in keys:
            self._leave(key, old)
            self._events.setdefault(key, set()).add(new)
        return new

    def _leave(self, key: Key, event: trio.Event) -> None:
        waiting = self._events.get(key)
        if waiting is not None:
            waiting.discard(event)
            if not waiting:
                del self._events[key]
