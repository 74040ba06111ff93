"""Listen to what a unit writes while it is being captured: for its silence, and for lines of a kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import trio

from supervisor.logs.entries import Entry, Gap, Selection
from supervisor.logs.reader import LogReader
from supervisor.logs.store import LogStore

_THREADS: Final = 2


class Listener:
    """Listens through the log store; costs nothing while nobody asks."""

    def __init__(self, store: LogStore) -> None:
        self._store = store
        self._reader = LogReader(store.logs, store, threads=_THREADS)
        self._limiter = trio.CapacityLimiter(_THREADS)

    def quiet_for(self, unit: str) -> float:
        """Return for how many seconds a unit has written nothing; see :meth:`LogStore.quiet_for`."""
        return self._store.quiet_for(unit)

    async def watch_lines(
        self,
        unit: str,
        incarnation: int,
        wanted: Callable[[bytes], bool],
        found: Callable[[], None],
        *,
        only_new: bool = False,
    ) -> None:
        """Call ``found`` for each line of an incarnation that ``wanted`` fits; see ``Instruments.watch_lines``."""
        selection = Selection(units=(unit,), incarnation=incarnation, tail=0 if only_new else None)
        async with self._reader.open(selection, follow=True) as stream:
            while True:
                batch = await stream.batch()
                for _ in range(await trio.to_thread.run_sync(_count, batch, wanted, limiter=self._limiter)):
                    found()


def _count(batch: Sequence[Entry | Gap], wanted: Callable[[bytes], bool]) -> int:
    return sum(isinstance(item, Entry) and wanted(item.text) for item in batch)
