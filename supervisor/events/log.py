"""The feed of events: takes them in, has them written, and hands them to readers.

Taking one in costs two references: what changed is compared, numbered and written a moment later, so that nothing here
is ever in the way of a restart. Readers see an event once it is on disk, so a number that somebody was given is never
given to another event by the next daemon. Only while the disk cannot be written are events handed out from memory
alone; they are written once it is well.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, TypeAlias

import trio
from attrs import frozen

from supervisor.errors import HoodyError, TimedOut, Unavailable
from supervisor.events.changes import happenings
from supervisor.events.journal import KEPT_IN_MEMORY, MOST_UNWRITTEN, Journal, Retention
from supervisor.events.model import Happening
from supervisor.events.reading import Batch, Gap
from supervisor.runtime import ActorRef, Registry, ServiceContext
from supervisor.store.entry import EVERYTHING, Entry, Search, Which
from supervisor.store.messages import AppendEvents, FindEvents, GetEventBounds, StoreRequest
from supervisor.units.roster import Change, Roster
from supervisor.units.status import UnitView

GATHERING: Final = 0.02
"""Seconds that events gather: they leave what is urgent alone, and are written many at a time."""
MOST_AT_ONCE: Final = 1_000
MOST_FOUND: Final = 250
"""A reader that is behind gets no more at a time from the disk: a search should take a millisecond or two."""
MOST_WAITING: Final = 20_000
"""So many changes may gather unnumbered; then they are numbered at once, and only memory bounds what is kept."""
STORE_PATIENCE: Final = 30.0
RETRY_DELAYS: Final = (1.0, 2.0, 5.0, 10.0, 30.0)

_log = logging.getLogger("hoody.events")
_Waiting: TypeAlias = tuple[datetime, "Change | Happening"]


@frozen(kw_only=True)
class Snapshot:
    """How all units look behind one event: what is told after ``number`` is exactly what is not in ``units``."""

    number: int
    units: tuple[UnitView, ...]


class EventLog:
    """The feed. It outlives the incarnations of its child; see the module. To be used on the trio thread."""

    def __init__(
        self,
        *,
        wall: Callable[[], datetime],
        retention: Retention | None = None,
        most_in_memory: int = KEPT_IN_MEMORY,
        most_unwritten: int = MOST_UNWRITTEN,
    ) -> None:
        self._wall = wall
        self._retention = retention or Retention()
        self._journal = Journal(wall=wall, most=most_in_memory, most_unwritten=most_unwritten)
        self._waiting: deque[_Waiting] = deque()
        self._rosters: list[Roster] = []
        self._registry: Registry | None = None
        self._resumed = False
        self._published = 0
        self._news = trio.Event()
        self._more = trio.Event()
        self._failures = 0
        self._searching = trio.Lock()

    # ---- taking in ----

    def watch(self, roster: Roster) -> None:
        """Tell of every change of these units from now on. Call it before there are any."""
        self._rosters.append(roster)
        roster.follow(self._changed)

    def tell(self, happening: Happening) -> None:
        """Take in what has happened."""
        self._take(happening)

    def _changed(self, change: Change) -> None:
        self._take(change)

    def _take(self, what: Change | Happening) -> None:
        self._waiting.append((self._wall(), what))
        if len(self._waiting) >= MOST_WAITING and self._resumed:
            self._settle()
        self._news.set()

    def _settle(self) -> None:
        """Number everything that waits."""
        while self._waiting:
            time, what = self._waiting.popleft()
            if isinstance(what, Change):
                for happening in happenings(what):
                    self._journal.add(happening, time)
            else:
                self._journal.add(what, time)

    # ---- the child of the tree ----

    async def serve(self, context: ServiceContext) -> None:
        """Write what is taken in, until a stop is asked; what came until then is written before this returns."""
        self._registry = context.system.registry
        await self._resume()
        context.started()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._call_at_stop, context.stopping)
            ending = False
            while not ending:
                await self._news.wait()
                with trio.move_on_after(GATHERING):
                    await context.stopping.wait()
                # A stop that is asked during the last write is followed by one more.
                ending = context.stopping.is_set()
                await self._write_all(context.stopping)
            nursery.cancel_scope.cancel(reason="the events are written")

    async def _call_at_stop(self, stopping: trio.Event) -> None:
        await stopping.wait()
        self._news.set()

    async def _resume(self) -> None:
        if self._resumed:
            return
        store = self._store()
        bounds: tuple[int, int] = await store.ask(lambda reply: GetEventBounds(reply_to=reply), timeout=STORE_PATIENCE)
        self._journal.resume(*bounds)
        self._published = self._journal.last
        self._resumed = True

    async def _write_all(self, stopping: trio.Event) -> None:
        self._news = trio.Event()
        self._settle()
        while batch := self._journal.unwritten(MOST_AT_ONCE):
            try:
                await self._write(batch)
            except HoodyError as error:
                self._failed(error)
                if stopping.is_set():
                    return
                with trio.move_on_after(RETRY_DELAYS[min(self._failures, len(RETRY_DELAYS)) - 1]):
                    await stopping.wait()
            else:
                self._succeeded()
            self._settle()

    async def _write(self, batch: Sequence[Entry]) -> None:
        entries, retention = tuple(batch), self._retention
        self._journal.oldest = await self._store().ask(
            lambda reply: AppendEvents(
                entries=entries, keep=retention.count, since=self._wall() - retention.age, reply_to=reply
            ),
            timeout=STORE_PATIENCE,
        )
        self._journal.wrote(entries[-1].number)
        self._publish(self._journal.written)

    def _failed(self, error: HoodyError) -> None:
        self._failures += 1
        if self._failures == 1:
            _log.error("events cannot be written: %s", error, extra={"hint": error.hint})
        self._publish(self._journal.last)

    def _succeeded(self) -> None:
        if self._failures:
            _log.warning("events can be written again, after %d failures", self._failures)
            self._failures = 0

    def _publish(self, number: int) -> None:
        self._published = max(self._published, number)
        more, self._more = self._more, trio.Event()
        more.set()

    def _store(self) -> ActorRef[StoreRequest]:
        if self._registry is None:
            raise Unavailable("the events are not up yet", hint="try again in a moment")
        store: ActorRef[StoreRequest] = self._registry.ref("store")
        return store

    # ---- reading ----

    @property
    def last(self) -> int:
        """The number of the newest event that can be read."""
        return self._published

    async def wait_beyond(self, number: int) -> None:
        """Return once there is an event with a greater number to read. Cancelled, it leaves nothing behind."""
        while self._published <= number:
            await self._more.wait()

    async def read(self, after: int, which: Which = EVERYTHING, *, most: int = MOST_AT_ONCE) -> Batch:
        """Return events behind the number ``after``, in order; none where there are none yet. Raises ``HoodyError``.

        The batch's place moves on also over events that are not among ``which``.
        """
        journal, last = self._journal, self._published
        if after > last:
            return Batch(place=last, gap=Gap(first=after + 1, last=last))
        gap = None
        if after + 1 < journal.oldest:
            gap = Gap(first=after + 1, last=journal.oldest - 1)
            after = journal.oldest - 1
        if after + 1 >= journal.first:
            seen = journal.slice(after, most, last)
            place = seen[-1].number if seen else after
            return Batch(entries=[entry for entry in seen if which.takes(entry)], place=place, gap=gap)
        upto, most = min(last, journal.first - 1), min(most, MOST_FOUND)
        found = await self._find(Search(after=after, upto=upto, which=which, most=most))
        return Batch(entries=found, place=found[-1].number if len(found) == most else upto, gap=gap)

    async def newest(self, which: Which = EVERYTHING, *, most: int, since: datetime | None = None) -> Batch:
        """Return the last ``most`` of the events, in order, and the newest number as the place to go on behind.

        Raises ``HoodyError``.
        """
        journal, last = self._journal, self._published
        first = journal.first
        seen = [entry for entry in journal.slice(first - 1, MOST_WAITING, last) if which.takes(entry)][-most:]
        if len(seen) < most and first > journal.oldest:
            search = Search(after=0, upto=min(last, first - 1), which=which, most=most - len(seen), newest=True)
            seen = [*await self._find(search), *seen]
        return Batch(entries=[entry for entry in seen if since is None or entry.time >= since], place=last)

    async def place_at(self, time: datetime) -> int:
        """Return the number behind which every event is of this time or later. Raises ``HoodyError``."""
        journal = self._journal
        found = await self._find(Search(after=0, upto=journal.written, which=EVERYTHING, most=1, since=time))
        return found[0].number - 1 if found else self._published

    async def snapshot(self, *, timeout: float = STORE_PATIENCE) -> Snapshot:
        """Return how all units look, and behind which event; returns once that event can be read.

        Raises ``HoodyError``.
        """
        if not self._resumed:
            raise Unavailable("the events are not up yet", hint="try again in a moment")
        # No wait between these two: what is shown and what is numbered are of the same moment.
        self._settle()
        snapshot = Snapshot(
            number=self._journal.last, units=tuple(view for roster in self._rosters for view in roster.views())
        )
        self._news.set()
        with trio.move_on_after(timeout):
            await self.wait_beyond(snapshot.number - 1)
            return snapshot
        raise TimedOut(f"event {snapshot.number} could not be written within {timeout:g} s")

    async def _find(self, search: Search) -> Sequence[Entry]:
        """Search the disk: one search at a time, so that readers, however many, never keep the store from writing."""
        with trio.move_on_after(STORE_PATIENCE):
            async with self._searching:
                found: tuple[Entry, ...] = await self._store().ask(
                    lambda reply: FindEvents(search=search, reply_to=reply), timeout=STORE_PATIENCE
                )
                return found
        raise TimedOut(f"the events could not be read within {STORE_PATIENCE:g} s")
