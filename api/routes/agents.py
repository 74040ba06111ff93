"""Define agents, show them, redefine and forget them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from attrs import field, frozen
from attrs.validators import le

from api.answers import NOTHING, Answer, unit_answer
from api.endpoints import Call, Effect, Endpoints, NoQuery
from api.merging import merge_patch
from api.routes.naming import AGENT, AGENTS, DIRECTORY, unit_name
from supervisor.convert import definition_document, definition_from_document, keep_hidden_values
from supervisor.errors import (
    AlreadyExists,
    InvalidInput,
    InvalidTransition,
    NotFound,
    RevisionMismatch,
    StorageError,
)
from supervisor.runtime import Reply
from supervisor.units.messages import CreateUnit, DeleteUnit, GetUnit, ReplaceUnit
from supervisor.units.quantities import Duration
from supervisor.units.spec import AgentDefinition
from supervisor.units.status import UnitView

routes = Endpoints()

_TRIES: Final = 3


@frozen(kw_only=True)
class CreateQuery:
    """How to create an agent."""

    start: bool = True
    """Start it, and remember that it should run."""


@frozen(kw_only=True)
class ShowQuery:
    """What to show of an agent."""

    reveal: tuple[str, ...] = ()
    """The name of an environment variable whose value is shown and not ``***``; repeatable."""


@frozen(kw_only=True)
class DeleteQuery:
    """How to delete an agent."""

    force: bool = False
    """Stop it first where it runs."""
    timeout: Duration = field(default=Duration(60.0), validator=le(Duration(3600)))
    """How long to wait until nothing of it is left."""


@routes.add(
    "POST",
    AGENTS,
    body=AgentDefinition,
    answer=UnitView,
    status=201,
    problems=(InvalidInput, AlreadyExists, StorageError),
)
async def create_agent(call: Call[CreateQuery]) -> Answer:
    """Define an agent and, unless told otherwise, start it."""
    definition = keep_hidden_values(definition_from_document(call.document), None)
    view: UnitView = await call.services.ask(
        DIRECTORY, lambda reply: CreateUnit(definition=definition, start=call.query.start, reply_to=reply)
    )
    return unit_answer(view).also(status=201, location=f"{AGENTS}/{quote(view.name)}")


@routes.add("GET", AGENT, answer=UnitView, problems=(NotFound,))
async def show_agent(call: Call[ShowQuery]) -> Answer:
    """Show an agent: its definition and its status."""
    return unit_answer(await _current(call), reveal=call.query.reveal)


@routes.add(
    "PUT",
    AGENT,
    body=AgentDefinition,
    answer=UnitView,
    conditional=True,
    problems=(InvalidInput, NotFound, RevisionMismatch, StorageError),
)
async def replace_agent(call: Call[NoQuery]) -> Answer:
    """Give an agent a new definition; it is restarted where its spec differs."""
    return await _redefine(call, lambda _view: call.document)


@routes.add(
    "PATCH",
    AGENT,
    body=AgentDefinition,
    answer=UnitView,
    conditional=True,
    merge_patch=True,
    problems=(InvalidInput, NotFound, RevisionMismatch, StorageError),
)
async def patch_agent(call: Call[NoQuery]) -> Answer:
    """Change parts of an agent's definition by a JSON merge patch (RFC 7396)."""

    def patched(view: UnitView) -> object:
        nested = isinstance(call.document, Mapping) and "spec" in call.document
        definition = AgentDefinition(name=view.name, spec=view.spec, workspace=view.workspace, labels=view.labels)
        return merge_patch(definition_document(view if nested else definition), call.document)

    return await _redefine(call, patched)


@routes.add(
    "DELETE",
    AGENT,
    status=204,
    effect=Effect.DESTROY,
    conditional=True,
    problems=(NotFound, RevisionMismatch, InvalidTransition, StorageError),
)
async def delete_agent(call: Call[DeleteQuery]) -> Answer:
    """Forget an agent; one that is not at rest only with ``force``, which stops it first."""
    name, query, revision = unit_name(call), call.query, call.expected_revision
    await call.services.ask(
        DIRECTORY,
        lambda reply: DeleteUnit(name=name, force=query.force, expected_revision=revision, reply_to=reply),
        timeout=query.timeout,
    )
    return NOTHING


async def _current(call: Call[Any]) -> UnitView:
    name = unit_name(call)
    view: UnitView = await call.services.ask(DIRECTORY, lambda reply: GetUnit(name=name, reply_to=reply))
    return view


async def _redefine(call: Call[Any], make: Callable[[UnitView], object]) -> Answer:
    """Replace the definition by what ``make`` makes of the present one, or tell that it has changed meanwhile.

    What was read is what is replaced: the revision that was read goes along even where the caller named none, and a
    caller that named none does not care which one it is, so the change is made again on top of the newer one.
    """
    for attempt in range(1, _TRIES + 1):
        view = await _current(call)
        wanted = call.expected_revision if call.expected_revision is not None else view.revision
        definition = keep_hidden_values(definition_from_document(make(view), view.name), view.spec)
        try:
            changed: UnitView = await call.services.ask(DIRECTORY, partial(_replace, definition, wanted))
        except RevisionMismatch:
            if call.expected_revision is not None or attempt == _TRIES:
                raise
        else:
            return unit_answer(changed)
    raise AssertionError("the last attempt returns or raises")


def _replace(definition: AgentDefinition, revision: int, reply: Reply[UnitView]) -> ReplaceUnit:
    return ReplaceUnit(name=definition.name, definition=definition, expected_revision=revision, reply_to=reply)
