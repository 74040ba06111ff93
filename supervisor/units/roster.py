"""The views of all units of a kind, and their counts: what is read far more often than it changes.

A table in the sense of OTP's ETS: each unit's keeper writes its own line, synchronously, and anybody may read. A
message per change instead would make the health of a thousand units as late as the mailbox is long, and could be lost
when that is full. Every change costs the same whatever the number of units, and so does every read of the counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from heapq import nsmallest
from typing import Final, TypeAlias

from attrs import frozen

from supervisor.units.events import Event
from supervisor.units.messages import HealthCounts
from supervisor.units.status import Desired, Health, Kind, State, UnitView

MOST_NAMED: Final = 20
Watcher: TypeAlias = Callable[[str, UnitView | None], None]
"""Called with the name of a unit and its new line, None where it is gone."""
_TROUBLE: Final = frozenset({State.BACKOFF, State.FATAL})


@frozen
class Change:
    """A line of the table as it was and as it is; None where there was, or is, none."""

    before: UnitView | None
    after: UnitView | None
    cause: Event | None = None
    """What made it change, where that was something that happened to the unit."""
    new: bool = False
    """The unit was just defined, and is not one of an earlier daemon."""


def is_unhealthy(view: UnitView) -> bool:
    """Tell whether a unit should run and does not run well."""
    status = view.status
    if status.desired is not Desired.RUNNING:
        return False
    return status.state in _TROUBLE or status.crash_loop or status.health is Health.UNHEALTHY


class Roster:
    """Name to view, with counts that are kept and never recounted. To be used on the trio thread."""

    __slots__ = (
        "_by_fold",
        "_counts",
        "_crash_loops",
        "_followers",
        "_health",
        "_kind",
        "_new",
        "_sorted",
        "_states",
        "_unhealthy",
        "_views",
        "_watchers",
    )

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._views: dict[str, UnitView] = {}
        self._by_fold: dict[str, str] = {}
        self._states: Counter[State] = Counter()
        self._health: Counter[Health] = Counter()
        self._crash_loops = 0
        self._unhealthy: set[str] = set()
        self._sorted: tuple[UnitView, ...] | None = None
        self._counts: HealthCounts | None = None
        self._watchers: tuple[Watcher, ...] = ()
        self._followers: list[Callable[[Change], None]] = []
        self._new: set[str] = set()

    def __len__(self) -> int:
        return len(self._views)

    def __contains__(self, name: object) -> bool:
        return name in self._views

    def watch(self, watcher: Watcher) -> None:
        """Call ``watcher`` after every change, in the keeper's own step: it must be quick and must not fail."""
        self._watchers = (*self._watchers, watcher)

    def follow(self, follower: Callable[[Change], None]) -> None:
        """Call ``follower`` with every change before it is entered; as quick and as safe as a watcher."""
        self._followers.append(follower)

    def expect_new(self, name: str) -> None:
        """Say that the unit that is shown next under this name is one that has just been defined."""
        self._new.add(name)

    def show(self, view: UnitView, cause: Event | None = None) -> None:
        """Write a unit's line, replacing the earlier one; ``cause`` is what made it change."""
        before = self._views.get(view.name)
        if self._followers:
            self._tell(Change(before, view, cause, before is None and view.name in self._new))
        if before is None:
            self._by_fold[view.name.casefold()] = view.name
            self._new.discard(view.name)
        else:
            self._count(before, -1)
        self._views[view.name] = view
        self._count(view, +1)
        if is_unhealthy(view):
            self._unhealthy.add(view.name)
        else:
            self._unhealthy.discard(view.name)
        self._sorted = self._counts = None
        for watcher in self._watchers:
            watcher(view.name, view)

    def remove(self, name: str) -> None:
        """Delete a unit's line, if there is one."""
        view = self._views.pop(name, None)
        if view is not None:
            self._count(view, -1)
            self._unhealthy.discard(name)
            del self._by_fold[name.casefold()]
            self._tell(Change(view, None))
            self._sorted = self._counts = None
            for watcher in self._watchers:
                watcher(name, None)

    def view(self, name: str) -> UnitView | None:
        """Return a unit's line."""
        return self._views.get(name)

    def same_but_for_case(self, name: str) -> str | None:
        """Return the name that is there and differs from ``name`` at most in upper and lower case.

        Units have folders, and there are file systems that would give both the same one.
        """
        return self._by_fold.get(name.casefold())

    def names(self) -> tuple[str, ...]:
        """Return every name, in no particular order."""
        return tuple(self._views)

    def views(self) -> tuple[UnitView, ...]:
        """Return every line, ordered by name: the same object until something changes."""
        if self._sorted is None:
            self._sorted = tuple(self._views[name] for name in sorted(self._views))
        return self._sorted

    def counts(self) -> HealthCounts:
        """Return the counts: the same object until something changes."""
        if self._counts is None:
            self._counts = HealthCounts(
                kind=self._kind,
                total=len(self._views),
                by_state={state.value: number for state, number in self._states.items() if number},
                by_health={health.value: number for health, number in self._health.items() if number},
                crash_loops=self._crash_loops,
                unhealthy=tuple(nsmallest(MOST_NAMED, self._unhealthy)),
                unhealthy_total=len(self._unhealthy),
            )
        return self._counts

    def _tell(self, change: Change) -> None:
        for follower in self._followers:
            follower(change)

    def _count(self, view: UnitView, by: int) -> None:
        self._states[view.status.state] += by
        self._health[view.status.health] += by
        self._crash_loops += by if view.status.crash_loop else 0
