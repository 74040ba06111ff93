"""Read what an agent wrote."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import trio
from attrs import Attribute, field, frozen
from attrs.validators import le

from api.answers import JSON_TYPE, TEXT_TYPE, Answer, json_answer
from api.endpoints import API, Call, Endpoints
from api.logfeed import LogFeed, text_answer
from api.logtext import LogPage, collect, text_of
from api.routes.naming import AGENT, DIRECTORY, unit_name
from api.streams import LINES_TYPE, SSE_TYPE, form_of, stream_answer
from supervisor.errors import InvalidInput, MalformedRequest, NotFound, Problem, TimedOut
from supervisor.logs import LogStream, Selection, StreamName, parse_cursor
from supervisor.units.messages import GetUnit, ListUnits
from supervisor.units.names import nearest
from supervisor.units.quantities import Duration
from supervisor.units.status import UnitView

routes = Endpoints()

_MOST_LINES: Final = 1_000_000


class Stream(StrEnum):
    """An output of a program."""

    STDOUT = "stdout"
    STDERR = "stderr"


_NAMES: Final[dict[Stream, StreamName]] = {Stream.STDOUT: "stdout", Stream.STDERR: "stderr"}


def _number_or_all(_instance: object, _attribute: Attribute[str | None], value: str | None) -> None:
    if value is not None and value != "all" and not (value.isascii() and value.isdigit() and int(value) <= _MOST_LINES):
        raise ValueError(f'expected a number of lines up to {_MOST_LINES}, or "all"')


@frozen(kw_only=True)
class LogQuery:
    """Which lines to read."""

    tail: str | None = field(default=None, validator=_number_or_all)
    """The last so many lines, or ``all``; default: 100, and all where ``after`` is given."""
    stream: tuple[Stream, ...] = ()
    """``stdout`` or ``stderr``; default: both, merged by time."""
    since: datetime | None = None
    """Only lines that came at this time or later."""
    until: datetime | None = None
    """Only lines that came before this time."""
    grep: str | None = None
    """Only lines with this text in them; plain text, no pattern."""
    previous: bool = False
    """Only lines of the incarnation before the current one."""
    after: str | None = None
    """Go on where an earlier answer ended: its ``next``."""
    wait: bool = False
    """Where there is nothing to read yet, wait for it (JSON only)."""
    timeout: Duration = field(default=Duration(20.0), validator=le(Duration(60.0)))
    """How long to wait for that."""
    follow: bool = False
    """Go on for ever: as server-sent events, JSON lines or text, as ``Accept`` says."""

    def selection(self, units: Sequence[str], last_id: str | None) -> Selection:
        """Return the same in the words of the log store; ``last_id`` is another way to say ``after``.

        Raises ``MalformedRequest``.
        """
        place = self.after if self.after is not None else last_id
        try:
            after = parse_cursor(place or "")
        except ValueError as error:
            raise MalformedRequest.of("the query", [Problem("after", str(error))]) from None
        tail = self.tail or ("100" if place is None else "all")
        streams = tuple(_NAMES[each] for each in dict.fromkeys(self.stream or Stream))
        wanted = frozenset(units)
        return Selection(
            units=tuple(units),
            streams=streams,
            tail=None if tail == "all" else int(tail),
            since=self.since,
            until=self.until,
            grep=self.grep,
            previous=self.previous,
            after={key: at for key, at in after.items() if key[0] in wanted and key[1] in streams},
        )


@frozen(kw_only=True)
class MergedLogQuery(LogQuery):
    """Which lines to read, of which agents."""

    name: tuple[str, ...] = ()
    """The agents, repeatable; default: all that there are."""


@routes.add("GET", f"{AGENT}/logs", answer=LogPage, media_type=TEXT_TYPE, problems=(NotFound, InvalidInput, TimedOut))
async def read_logs(call: Call[LogQuery]) -> Answer:
    """Read what an agent wrote: as text, page by page as JSON, or as a stream without an end."""
    name = unit_name(call)
    _known: UnitView = await call.services.ask(DIRECTORY, lambda reply: GetUnit(name=name, reply_to=reply))
    return await _answer(call, (name,))


@routes.add("GET", f"{API}/logs", answer=LogPage, media_type=TEXT_TYPE, problems=(NotFound, InvalidInput, TimedOut))
async def read_merged_logs(call: Call[MergedLogQuery]) -> Answer:
    """Read what several agents wrote, merged by time."""
    views: tuple[UnitView, ...] = await call.services.ask(DIRECTORY, lambda reply: ListUnits(reply_to=reply))
    known = tuple(view.name for view in views)
    names = tuple(dict.fromkeys(call.query.name)) or known
    for name in names:
        if name not in known:
            meant = nearest(name, known)
            raise NotFound(f"there is no agent {name!r}", hint=f"did you mean {meant!r}?" if meant else None)
    return await _answer(call, names)


async def _answer(call: Call[Any], names: Sequence[str]) -> Answer:
    """Answer with the logs of these agents in the form that is asked for."""
    query: LogQuery = call.query
    accept = call.headers.get("Accept", "")
    selection = query.selection(names, call.headers.get("Last-Event-ID"))
    as_json = JSON_TYPE in accept
    if query.wait and (query.follow or not as_json):
        raise MalformedRequest("only a page of JSON can be waited for", hint="send Accept: application/json")
    stream = call.services.logs.open(selection, follow=query.wait or query.follow)
    if query.follow:
        stopping, followers = call.services.stopping, call.services.followers
        if as_json or SSE_TYPE in accept or LINES_TYPE in accept:
            return stream_answer(LogFeed(stream), form_of(accept), stopping=stopping, followers=followers)
        return text_answer(stream, stopping=stopping, followers=followers)
    return await _page(stream, query) if as_json else Answer(parts=text_of(stream), media_type=TEXT_TYPE)


async def _page(stream: LogStream, query: LogQuery) -> Answer:
    async with stream:
        with trio.move_on_after(query.timeout) as patience:
            return json_answer(await collect(stream, once=query.wait))
        if patience.cancelled_caught and not query.wait:
            raise TimedOut("the logs could not be read in time")
        return json_answer(LogPage(items=(), next=stream.cursor))
