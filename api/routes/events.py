"""The feed of events, the snapshot that goes with it, and the history of a unit."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any, Final

import trio
from attrs import Attribute, field, frozen
from attrs.validators import ge, le, optional

from api.answers import JSON_TYPE, Answer, json_answer, json_text
from api.endpoints import API, Call, Endpoints, NoQuery
from api.routes.naming import AGENT, DIRECTORY, unit_name
from api.streams import Piece, form_of, last_event_id, stream_answer
from supervisor.convert import parse_time
from supervisor.errors import MalformedRequest, NotFound, StorageError, TimedOut
from supervisor.events import Batch, EventLog, Gap, Which
from supervisor.events.history import UnitHistory, history_of
from supervisor.units.messages import GetUnit
from supervisor.units.quantities import Duration
from supervisor.units.status import Kind, UnitView

routes = Endpoints()

PAGE: Final = 100
MOST: Final = 1_000
_RUNS: Final = 20
_EVENTS_PER_RUN: Final = 25


class _Kinds(StrEnum):
    AGENT = Kind.AGENT.value


def _place_or_time(_instance: object, _attribute: Attribute[str | None], value: str | None) -> None:
    if value is not None and not (value.isascii() and value.isdigit() and len(value) <= 18):
        try:
            parse_time(value)
        except ValueError:
            raise ValueError("expected the number of an event, or a time such as 2026-01-31T12:00:00Z") from None


@frozen(kw_only=True)
class EventsQuery:
    """Which events, and how."""

    since: str | None = field(default=None, validator=_place_or_time)
    """Only events behind this number, or of this time or later."""
    tail: int | None = field(default=None, validator=optional([ge(0), le(MOST)]))
    """The last so many; default: 100, and all that follow where ``since`` is given."""
    kind: tuple[_Kinds, ...] = ()
    """Only about units of this kind; repeatable."""
    name: tuple[str, ...] = ()
    """Only about the unit of this name; repeatable."""
    type: tuple[str, ...] = ()
    """``unit.exited``, or ``unit`` for all that begin so; repeatable."""
    limit: int = field(default=MOST, validator=[ge(1), le(MOST)])
    """At most so many on one page."""
    follow: bool = False
    """Go on for ever: as server-sent events where ``Accept`` says so, as JSON lines otherwise."""
    wait: Duration = field(default=Duration(0.0), validator=le(Duration(60.0)))
    """Where there is nothing to read yet, wait for it so long (without ``follow``)."""

    @property
    def which(self) -> Which:
        """Return the choice among the events."""
        return Which(kinds=tuple(each.value for each in self.kind), names=self.name, types=self.type)


@frozen(kw_only=True)
class EventPage:
    """Some events. In JSON each is an object; see the page of events for their fields."""

    items: tuple[dict[str, Any], ...]
    next: int
    """The ``since`` of what comes behind."""
    gap: Gap | None = None
    """Events are missing before the first of these: they are not kept any more."""


@frozen(kw_only=True)
class State:
    """How all units look, and behind which event."""

    number: int
    """Every event with a greater number is not in ``units`` yet; apply those, and the copy stays exact."""
    units: tuple[UnitView, ...]


class _Follower:
    """A place in the feed that moves on; see ``api.streams.Feed``."""

    def __init__(self, events: EventLog, which: Which, first: Batch) -> None:
        self._events = events
        self._which = which
        self._first: Batch | None = first
        self._place = first.place

    async def pieces(self) -> Sequence[Piece]:
        batch, self._first = self._first, None
        while batch is None or not (batch.entries or batch.gap):
            await self._events.wait_beyond(self._place)
            batch = await self._events.read(self._place, self._which)
            self._place = batch.place
        return pieces_of(batch)

    def close(self) -> None:
        """Nothing is held."""


def pieces_of(batch: Batch) -> Sequence[Piece]:
    """Return what is sent of a batch; a gap comes first."""
    found = [Piece(entry.type, entry.text, str(entry.number)) for entry in batch.entries]
    if batch.gap is None:
        return found
    gap = {"type": "gap", "first": batch.gap.first, "last": batch.gap.last}
    return [Piece("gap", json_text(gap).decode(), str(batch.gap.last)), *found]


@routes.add("GET", f"{API}/events", answer=EventPage, problems=(StorageError, TimedOut))
async def read_events(call: Call[EventsQuery]) -> Answer:
    """Read the feed of events: a page, a page that is waited for, or a stream without an end."""
    query, events = call.query, call.services.events
    if query.follow and query.wait:
        raise MalformedRequest("a stream waits by itself: give either follow or wait")
    first = await _first(call)
    if query.follow:
        follower = _Follower(events, query.which, first)
        form = form_of(call.headers.get("Accept", ""))
        return stream_answer(follower, form, stopping=call.services.stopping, followers=call.services.followers)
    if query.wait and not (first.entries or first.gap):
        first = await _wait_for(events, query, first, call.services.stopping)
    return _page(first)


async def _first(call: Call[EventsQuery]) -> Batch:
    """Return the beginning of what is asked for."""
    query, events = call.query, call.services.events
    if query.tail is not None and query.since is not None and query.since.isdigit():
        raise MalformedRequest("give either the number to go on behind, or how many of the last events")
    place = last_event_id(call.headers.get("Last-Event-ID"))
    since = query.since
    if place is None and since is not None:
        place = int(since) if since.isdigit() else None
    time = parse_time(since) if since is not None and not since.isdigit() else None
    if place is None and time is not None and query.tail is None:
        place = await events.place_at(time)
    if place is None or query.tail is not None:
        most = PAGE if query.tail is None else query.tail
        return await events.newest(query.which, most=most, since=time) if most else Batch(place=events.last)
    return await events.read(place, query.which, most=query.limit)


async def _wait_for(events: EventLog, query: EventsQuery, batch: Batch, stopping: trio.Event) -> Batch:
    with trio.move_on_after(query.wait):
        async with trio.open_nursery() as nursery:

            async def end() -> None:
                await stopping.wait()
                nursery.cancel_scope.cancel(reason="the service stops")

            nursery.start_soon(end)
            while not (batch.entries or batch.gap):
                await events.wait_beyond(batch.place)
                batch = await events.read(batch.place, query.which, most=query.limit)
            nursery.cancel_scope.cancel(reason="something has come")
    return batch


def _page(batch: Batch) -> Answer:
    gap = b"null" if batch.gap is None else json_text({"first": batch.gap.first, "last": batch.gap.last})
    items = ",".join(entry.text for entry in batch.entries).encode()
    return Answer(body=b'{"items":[%b],"next":%d,"gap":%b}\n' % (items, batch.place, gap), media_type=JSON_TYPE)


@routes.add("GET", f"{API}/state", answer=State, problems=(StorageError, TimedOut))
async def show_state(call: Call[NoQuery]) -> Answer:
    """Show all units and the number of the event behind which they look so."""
    snapshot = await call.services.events.snapshot()
    units = call.services.texts.list_of(snapshot.units)
    return Answer(body=b'{"number":%d,"units":%b}\n' % (snapshot.number, units))


@frozen(kw_only=True)
class HistoryQuery:
    """How much of the history."""

    limit: int = field(default=_RUNS, validator=[ge(1), le(100)])
    """At most so many incarnations, the newest ones."""


@routes.add("GET", f"{AGENT}/history", answer=UnitHistory, problems=(NotFound, StorageError))
async def show_history(call: Call[HistoryQuery]) -> Answer:
    """Show the incarnations of an agent: when each began, when and how it ended, and what led to that."""
    name, limit = unit_name(call), call.query.limit
    _known: UnitView = await call.services.ask(DIRECTORY, lambda reply: GetUnit(name=name, reply_to=reply))
    which = Which(kinds=(Kind.AGENT.value,), names=(name,))
    batch = await call.services.events.newest(which, most=limit * _EVENTS_PER_RUN)
    return json_answer(history_of(batch.entries, limit=limit))
