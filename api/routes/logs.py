"""Read what an agent wrote."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

import trio
from attrs import Attribute, field, frozen
from attrs.validators import le

from api.answers import TEXT_TYPE, Answer, json_answer
from api.endpoints import Call, Endpoints
from api.logtext import LogPage, collect, text_of
from api.routes.naming import AGENT, DIRECTORY, unit_name
from supervisor.errors import InvalidInput, MalformedRequest, NotFound, Problem, TimedOut
from supervisor.logs import LogStream, Selection, StreamName, parse_cursor
from supervisor.units.messages import GetUnit
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

    def selection(self, unit: str) -> Selection:
        """Return the same in the words of the log store. Raises ``MalformedRequest``."""
        try:
            after = parse_cursor(self.after or "")
        except ValueError as error:
            raise MalformedRequest.of("the query", [Problem("after", str(error))]) from None
        tail = self.tail or ("100" if self.after is None else "all")
        streams = tuple(_NAMES[each] for each in dict.fromkeys(self.stream or Stream))
        return Selection(
            units=(unit,),
            streams=streams,
            tail=None if tail == "all" else int(tail),
            since=self.since,
            until=self.until,
            grep=self.grep,
            previous=self.previous,
            after={key: at for key, at in after.items() if key[0] == unit and key[1] in streams},
        )


@routes.add("GET", f"{AGENT}/logs", answer=LogPage, media_type=TEXT_TYPE, problems=(NotFound, InvalidInput, TimedOut))
async def read_logs(call: Call[LogQuery]) -> Answer:
    """Read what an agent wrote: as text, or page by page as JSON."""
    name, query = unit_name(call), call.query
    selection = query.selection(name)
    _known: UnitView = await call.services.ask(DIRECTORY, lambda reply: GetUnit(name=name, reply_to=reply))
    as_json = "application/json" in call.headers.get("Accept", "")
    if query.wait and not as_json:
        raise MalformedRequest("only JSON can be waited for", hint="send Accept: application/json")
    stream = call.services.logs.open(selection, follow=query.wait)
    return await _page(stream, query) if as_json else Answer(parts=text_of(stream), media_type=TEXT_TYPE)


async def _page(stream: LogStream, query: LogQuery) -> Answer:
    async with stream:
        with trio.move_on_after(query.timeout) as patience:
            return json_answer(await collect(stream, once=query.wait))
        if patience.cancelled_caught and not query.wait:
            raise TimedOut("the logs could not be read in time")
        return json_answer(LogPage(items=(), next=stream.cursor))
