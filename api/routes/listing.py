"""List agents: filtered, in pages, or all at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

from attrs import field, frozen
from attrs.validators import ge, le, optional

from api.answers import JSON_TYPE, Answer, json_text
from api.endpoints import Call, Endpoints
from api.routes.naming import AGENTS, DIRECTORY
from supervisor.agents.stats import summary
from supervisor.convert import definition_document, unstructure
from supervisor.units.messages import ListUnits
from supervisor.units.selectors import parse_selector
from supervisor.units.status import Health, State, UnitView

routes = Endpoints()


def _is_selector(_instance: object, _attribute: object, value: str) -> None:
    parse_selector(value)


@frozen(kw_only=True)
class UnitPage:
    """A part of a list."""

    items: tuple[UnitView, ...]
    next: str | None = None
    """The ``after`` of the part that follows; null at the end."""


class Include(StrEnum):
    """What may be shown of each unit beside what is known anyway."""

    STATS = "stats"


@frozen(kw_only=True)
class ListQuery:
    """Which agents to list. Several states, or healths, widen the choice; everything else narrows it."""

    state: tuple[State, ...] = ()
    """Only those in this state; repeatable."""
    health: tuple[Health, ...] = ()
    """Only those of this health; repeatable."""
    label: tuple[str, ...] = ()
    """``name=value``, or ``name`` for any value; repeatable, and all of them must fit."""
    selector: str = field(default="", validator=_is_selector)
    """A label selector: ``k=v``, ``k!=v``, ``k``, ``!k``, ``k in (a, b)``, ``k notin (a)``; commas mean and."""
    workspace: str | None = None
    """Only those of this workspace."""
    limit: int | None = field(default=None, validator=optional([ge(1), le(1000)]))
    """At most this many, 1 to 1000; without it, all."""
    after: str | None = None
    """Go on behind the page whose ``next`` this is."""
    include: tuple[Include, ...] = ()
    """``stats``: measure what each uses, and show it in its status; repeatable."""

    def choose(self, views: Iterable[UnitView]) -> list[UnitView]:
        """Return the units that are asked for."""
        selector = parse_selector(self.selector)
        return [view for view in views if self._wants(view) and selector.fits(view.labels)]

    def _wants(self, view: UnitView) -> bool:
        return (
            (not self.state or view.status.state in self.state)
            and (not self.health or view.status.health in self.health)
            and (self.workspace is None or view.workspace == self.workspace)
            and all(_has_label(view, label) for label in self.label)
            and (self.after is None or view.name > self.after)
        )


def _has_label(view: UnitView, label: str) -> bool:
    name, given, value = label.partition("=")
    return name in view.labels and (not given or view.labels[name] == value)


@routes.add("GET", AGENTS, answer=UnitPage)
async def list_agents(call: Call[ListQuery]) -> Answer:
    """List agents, ordered by name."""
    views: tuple[UnitView, ...] = await call.services.ask(DIRECTORY, lambda reply: ListUnits(reply_to=reply))
    query, texts = call.query, call.services.texts
    if query == ListQuery():
        return _page(texts.list_of_all(views), None)
    found = query.choose(views)
    page = found if query.limit is None else found[: query.limit]
    items = await _measured(call, page) if Include.STATS in query.include else texts.list_of(page)
    return _page(items, page[-1].name if len(page) < len(found) else None)


async def _measured(call: Call[ListQuery], views: Sequence[UnitView]) -> bytes:
    figures = await call.services.meter.measure(views)
    documents = [definition_document(view, reveal=()) for view in views]
    for document in documents:
        document["status"]["stats"] = unstructure(summary(figures[document["name"]]))
    return json_text(documents)


def _page(items: bytes, following: str | None) -> Answer:
    return Answer(body=b'{"items":' + items + b',"next":' + json_text(following) + b"}\n", media_type=JSON_TYPE)
