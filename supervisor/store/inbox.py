"""The requests that wait for the next transaction, in their order. Pure.

Only the last of several progress notes about one unit counts, so notes replace each other while nothing else is asked
in between; however fast a unit flaps, it takes one place.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from supervisor.store.messages import NoteProgress, StoreRequest

_Key: TypeAlias = tuple[int, str, str]

LARGEST_BATCH: Final = 1000
"""So many requests at most go into one transaction: a bound on how long it takes, far above what one waits for."""


class Inbox:
    """A queue that drops notes which a later note makes pointless. One task at a time."""

    def __init__(self) -> None:
        self._waiting: dict[_Key, StoreRequest] = {}
        self._number = 0
        self.asked = 0
        """How many of the waiting requests have an asker."""
        self.urgent = False
        """Whether something waits that should not wait for company: a request, or word of a process that lives."""

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, request: StoreRequest) -> None:
        """Put ``request`` behind all others; a note takes the place of an earlier one that it replaces."""
        if isinstance(request, NoteProgress):
            self._waiting[self._number, request.kind, request.name] = request
            # The next daemon finds such a process also where this was not written, but not with the same certainty.
            self.urgent = self.urgent or request.progress.live is not None
            return
        self.urgent = True
        # Notes on the two sides of a request must not be merged: it may read, forget or define their unit.
        self._number += 1
        self._waiting[self._number, "", ""] = request
        self._number += 1
        self.asked += 1

    def take(self) -> list[StoreRequest]:
        """Remove and return the oldest requests, at most :data:`LARGEST_BATCH`."""
        keys = list(self._waiting)[:LARGEST_BATCH]
        batch = [self._waiting.pop(key) for key in keys]
        self.asked -= sum(not isinstance(request, NoteProgress) for request in batch)
        self.urgent = bool(self._waiting)
        return batch

    def put_back(self, notes: list[NoteProgress]) -> None:
        """Return notes that could not be written to the front, behind nothing and before everything newer."""
        newer = list(self._waiting.values())
        self._waiting, self.asked, self.urgent = {}, 0, False
        for request in (*notes, *newer):
            self.add(request)
