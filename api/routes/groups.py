"""Groups: agents that are supervised together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from attrs import frozen

from api.answers import NOTHING, Answer, json_answer
from api.endpoints import API, Call, Effect, Endpoints, NoBody, NoQuery
from api.routes.control import WaitQuery
from supervisor.convert import structure
from supervisor.errors import AlreadyExists, InvalidInput, NotFound, Problem, StorageError, TimedOut
from supervisor.groups.messages import (
    DefineGroup,
    ForgetGroup,
    GetGroup,
    ListGroups,
    RestartGroup,
    StartGroup,
    StopGroup,
)
from supervisor.groups.spec import GROUPS, GroupDefinition, GroupSpec, GroupView
from supervisor.units.names import check_name
from supervisor.units.quantities import Duration

routes = Endpoints()

LIST: Final = f"{API}/groups"
GROUP: Final = f"{LIST}/<name>"


@frozen(kw_only=True)
class GroupList:
    """Every group, ordered by name."""

    items: tuple[GroupView, ...]


@frozen(kw_only=True)
class GroupStopQuery:
    """How long to wait."""

    timeout: Duration = Duration(60.0)
    """How long to wait until every member has stopped; the work goes on afterwards."""


@routes.add("GET", LIST, answer=GroupList)
async def list_groups(call: Call[NoQuery]) -> Answer:
    """Show every group with its members."""
    views: tuple[GroupView, ...] = await call.services.ask(GROUPS, lambda reply: ListGroups(reply_to=reply))
    return json_answer(GroupList(items=views))


@routes.add(
    "POST",
    LIST,
    body=GroupDefinition,
    answer=GroupView,
    status=201,
    problems=(InvalidInput, AlreadyExists, StorageError),
)
async def create_group(call: Call[NoQuery]) -> Answer:
    """Define a group; its members are supervised together from then on."""
    view = await _define(call, group_from_document(call.document, None), replace=False)
    return json_answer(view).also(status=201, location=f"{LIST}/{view.name}")


@routes.add("GET", GROUP, answer=GroupView, problems=(NotFound,))
async def show_group(call: Call[NoQuery]) -> Answer:
    """Show a group with its members."""
    name = _name(call)
    view: GroupView = await call.services.ask(GROUPS, lambda reply: GetGroup(name=name, reply_to=reply))
    return json_answer(view)


@routes.add("PUT", GROUP, body=GroupDefinition, answer=GroupView, problems=(InvalidInput, NotFound, StorageError))
async def replace_group(call: Call[NoQuery]) -> Answer:
    """Give a group a new definition; what runs of its members runs on."""
    return json_answer(await _define(call, group_from_document(call.document, _name(call)), replace=True))


@routes.add("DELETE", GROUP, status=204, effect=Effect.DESTROY, problems=(NotFound, InvalidInput, StorageError))
async def delete_group(call: Call[NoQuery]) -> Answer:
    """Forget a group; its members go on by themselves."""
    name = _name(call)
    await call.services.ask(GROUPS, lambda reply: ForgetGroup(name=name, reply_to=reply))
    return NOTHING


@routes.add("POST", f"{GROUP}/start", answer=GroupView, problems=(NotFound, TimedOut, StorageError))
async def start_group(call: Call[WaitQuery]) -> Answer:
    """Start the members of a group in their order."""
    call.body(NoBody)
    name, query = _name(call), call.query
    view: GroupView = await call.services.ask(
        GROUPS, lambda reply: StartGroup(name=name, wait=query.wait, reply_to=reply), timeout=query.timeout
    )
    return json_answer(view)


@routes.add("POST", f"{GROUP}/stop", answer=GroupView, problems=(NotFound, TimedOut, StorageError))
async def stop_group(call: Call[GroupStopQuery]) -> Answer:
    """Stop the members of a group in the reverse of their order, and answer when nothing of them runs."""
    call.body(NoBody)
    name = _name(call)
    view: GroupView = await call.services.ask(
        GROUPS, lambda reply: StopGroup(name=name, reply_to=reply), timeout=call.query.timeout
    )
    return json_answer(view)


@routes.add("POST", f"{GROUP}/restart", answer=GroupView, problems=(NotFound, TimedOut, StorageError))
async def restart_group(call: Call[WaitQuery]) -> Answer:
    """Stop the members of a group in the reverse of their order, then start them in it."""
    call.body(NoBody)
    name, query = _name(call), call.query
    view: GroupView = await call.services.ask(
        GROUPS, lambda reply: RestartGroup(name=name, wait=query.wait, reply_to=reply), timeout=query.timeout
    )
    return json_answer(view)


def group_from_document(document: object, name: str | None) -> GroupDefinition:
    """Read a group's definition: its name and the keys of its spec side by side. Raises ``InvalidInput``."""
    what = "the definition of the group"
    if not isinstance(document, Mapping):
        raise InvalidInput.of(what, [Problem("", "expected a table")])
    given = document.get("name", name)
    try:
        called = check_name(given)
    except ValueError as error:
        raise InvalidInput.of(what, [Problem("name", str(error))]) from None
    if name is not None and called != name:
        raise InvalidInput.of(what, [Problem("name", "is not the name in the address")])
    keys = {key: value for key, value in document.items() if key != "name"}
    return GroupDefinition(name=called, spec=structure(GroupSpec, keys, what=f"the definition of group {called!r}"))


async def _define(call: Call[Any], definition: GroupDefinition, *, replace: bool) -> GroupView:
    view: GroupView = await call.services.ask(
        GROUPS, lambda reply: DefineGroup(definition=definition, replace=replace, reply_to=reply)
    )
    return view


def _name(call: Call[Any]) -> str:
    try:
        return check_name(call.path["name"])
    except ValueError as error:
        raise NotFound("there is no group of that name", hint=str(error)) from None
