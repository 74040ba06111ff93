"""Declared state: apply a document, and write the present definitions as one."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

from attrs import field, frozen
from attrs.validators import le, max_len, min_len

from api.answers import Answer, json_answer
from api.endpoints import API, Call, Effect, Endpoints
from api.routes.naming import DIRECTORY
from supervisor.declared import Action, Change, KeyChange, declaration_document, read_declaration
from supervisor.errors import (
    AlreadyExists,
    Conflict,
    HoodyError,
    InvalidInput,
    RevisionMismatch,
    StorageError,
    TimedOut,
)
from supervisor.groups.messages import ListGroups
from supervisor.groups.spec import GROUPS, GroupDefinition, GroupView
from supervisor.units.messages import Applied, ApplyUnits, ListUnits
from supervisor.units.quantities import Duration
from supervisor.units.status import UnitView

routes = Endpoints()

LONGEST_SOURCE: Final = 4096
"""As long as a path may be."""


@frozen(kw_only=True)
class ApplyQuery:
    """How long to wait."""

    timeout: Duration = field(default=Duration(60.0), validator=le(Duration(3600)))
    """How long to wait until it is done; it goes on afterwards."""


@frozen(kw_only=True)
class ApplyBody:
    """What is declared, and by whom."""

    document: Mapping[str, Any] = field(factory=dict)
    """The tables of a ``hoody.toml`` as JSON: ``{"agents": {NAME: DEFINITION}, "groups": {NAME: DEFINITION}}``."""
    source: str = field(default="api", validator=[min_len(1), max_len(LONGEST_SOURCE)])
    """What declares them, such as the path of a file. ``prune`` removes only what it declared before."""
    prune: bool = False
    """Stop and forget what was declared from this source and is not in the document any more."""
    dry_run: bool = False
    """Only tell what would be done."""


class ChangedKind(StrEnum):
    """What has changed."""

    AGENT = "agent"
    GROUP = "group"


@frozen(kw_only=True)
class AppliedChange:
    """What was done to one agent or group, or would be."""

    action: Action
    kind: ChangedKind
    name: str
    restart: bool
    """Whether what ran of it was started anew."""
    keys: tuple[KeyChange, ...]
    """What differs; values of the environment are hidden."""
    error: str | None = None
    """Why it could not be done, for a unit that should be gone."""


@frozen(kw_only=True)
class ApplyAnswer:
    """Every agent and group that the document names or its source named before."""

    applied: bool
    """False for a dry run."""
    changes: tuple[AppliedChange, ...]
    left: tuple[str, ...] = ()
    """What this source has declared before and does not any more (groups as ``groups/NAME``); it is left alone, since
    ``prune`` is not given."""


@frozen(kw_only=True)
class ExportQuery:
    """What to write."""

    source: str | None = None
    """Only what was declared from there."""
    workspace: str | None = None
    """Only the agents of this workspace; groups are in none."""
    reveal: tuple[str, ...] = ()
    """The name of an environment variable whose values are shown and not ``***``; repeatable."""


@frozen(kw_only=True)
class DeclarationDocument:
    """A document that declares agents and groups."""

    agents: Mapping[str, Any]
    """Definitions by name."""
    groups: Mapping[str, Any]
    """Definitions of groups by name."""


@routes.add(
    "POST",
    f"{API}/apply",
    body=ApplyBody,
    answer=ApplyAnswer,
    effect=Effect.DESTROY,
    problems=(InvalidInput, AlreadyExists, Conflict, RevisionMismatch, StorageError, TimedOut),
)
async def apply(call: Call[ApplyQuery]) -> Answer:
    """Make the agents and groups what a document declares: all in one transaction, or after an error none."""
    body = call.body(ApplyBody)
    declared = read_declaration(body.document)
    applied: Applied = await call.services.ask(
        DIRECTORY,
        lambda reply: ApplyUnits(
            definitions=declared.agents,
            groups=declared.groups,
            source=body.source,
            prune=body.prune,
            dry_run=body.dry_run,
            reply_to=reply,
        ),
        timeout=call.query.timeout,
    )
    return json_answer(_told(applied, done=not body.dry_run))


@routes.add("GET", f"{API}/export", answer=DeclarationDocument)
async def export(call: Call[ExportQuery]) -> Answer:
    """Write the definitions of the agents and groups as a document that, applied, changes nothing."""
    query = call.query
    views: tuple[UnitView, ...] = await call.services.ask(DIRECTORY, lambda reply: ListUnits(reply_to=reply))
    wanted = [
        view
        for view in views
        if (query.source is None or view.source == query.source)
        and (query.workspace is None or view.workspace == query.workspace)
    ]
    groups: tuple[GroupView, ...] = ()
    if query.workspace is None:
        groups = await call.services.ask(GROUPS, lambda reply: ListGroups(reply_to=reply))
    declared = [
        GroupDefinition(name=group.name, spec=group.spec)
        for group in groups
        if query.source is None or group.source == query.source
    ]
    return json_answer({"agents": {}, "groups": {}, **declaration_document(wanted, declared, reveal=query.reveal)})


def _told(applied: Applied, *, done: bool) -> ApplyAnswer:
    agents = [_change(ChangedKind.AGENT, each, applied.failures.get(each.name)) for each in applied.plan.changes]
    groups = [_change(ChangedKind.GROUP, each, None) for each in applied.groups.changes]
    left = (*applied.plan.left, *(f"{GROUPS}/{name}" for name in applied.groups.left))
    return ApplyAnswer(applied=done, changes=(*agents, *groups), left=left)


def _change(kind: ChangedKind, change: Change, error: HoodyError | None) -> AppliedChange:
    return AppliedChange(
        action=change.action,
        kind=kind,
        name=change.name,
        restart=change.restart,
        keys=change.keys,
        error=None if error is None else str(error),
    )
