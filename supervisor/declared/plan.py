"""The way from the units that there are to those that a document declares. Pure.

A plan says what will be done and why, key by key, before anything is done; a second plan for the same document is
empty. Values of the environment are never in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

from attrs import field, frozen

from supervisor.convert import definition_document, keep_hidden_values
from supervisor.convert.faults import join, key_step
from supervisor.errors import InvalidInput, Problem
from supervisor.units.spec import REDACTED, AgentDefinition
from supervisor.units.status import LIVE_STATES, Desired, UnitView

_ENVIRONMENT: Final = "environment"
_AGENTS: Final = "agents"


class Action(StrEnum):
    """What is done to a unit."""

    CREATE = "create"
    REPLACE = "replace"
    DELETE = "delete"
    UNCHANGED = "unchanged"


@frozen(kw_only=True)
class KeyChange:
    """One key that changes. A side on which it is not there is null; what is in the environment is ``***``."""

    key: str
    """Its path, such as ``backoff.max`` or ``labels.team``."""
    before: Any = None
    after: Any = None


@frozen(kw_only=True)
class Change:
    """What is done to one unit."""

    action: Action
    name: str
    restart: bool = False
    """Whether what runs of it is started anew."""
    keys: tuple[KeyChange, ...] = ()
    """What differs, for a replacement."""
    revision: int | None = None
    """The revision that the plan was made for."""


@frozen(kw_only=True)
class Plan:
    """Every unit that the document or its source names, ordered by name."""

    changes: tuple[Change, ...] = ()
    left: tuple[str, ...] = ()
    """What the source has declared before and does not any more: left alone, where it is not to be pruned."""
    definitions: tuple[AgentDefinition, ...] = field(default=(), repr=False)
    """What the created and replaced units are to be, with all hidden values in place."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return all(change.action is Action.UNCHANGED for change in self.changes)

    def named(self, action: Action) -> tuple[Change, ...]:
        """Return the changes of one sort."""
        return tuple(change for change in self.changes if change.action is action)

    def definition(self, name: str) -> AgentDefinition:
        """Return what a unit is to be."""
        return next(each for each in self.definitions if each.name == name)


def make_plan(current: Sequence[UnitView], wanted: Iterable[AgentDefinition], *, source: str, prune: bool) -> Plan:
    """Plan the way from ``current`` to ``wanted``.

    With ``prune``, units that were declared from ``source`` and are not wanted any more are deleted. Units that nobody
    declared, or somebody else, are never touched unless they are named. Raises ``InvalidInput`` where a definition
    keeps a hidden value that is not there.
    """
    present = {view.name: view for view in current}
    definitions = _with_hidden_values(wanted, present)
    changes = [_change(each, present.get(each.name), source) for each in definitions]
    kept = {each.name for each in definitions}
    gone = [view for view in current if view.source == source and view.name not in kept]
    if prune:
        changes += [Change(action=Action.DELETE, name=view.name, revision=view.revision) for view in gone]
    return Plan(
        changes=tuple(sorted(changes, key=lambda each: each.name)),
        left=() if prune else tuple(view.name for view in gone),
        definitions=definitions,
    )


def _with_hidden_values(
    wanted: Iterable[AgentDefinition], present: Mapping[str, UnitView]
) -> tuple[AgentDefinition, ...]:
    found: list[AgentDefinition] = []
    problems: list[Problem] = []
    for definition in wanted:
        view = present.get(definition.name)
        try:
            found.append(keep_hidden_values(definition, view.spec if view is not None else None))
        except InvalidInput as error:
            problems += _at_agent(definition.name, error.problems)
    if problems:
        raise InvalidInput.of("the document", problems)
    return tuple(found)


def _change(wanted: AgentDefinition, view: UnitView | None, source: str) -> Change:
    if view is None:
        return Change(action=Action.CREATE, name=wanted.name)
    is_now = AgentDefinition(name=view.name, workspace=view.workspace, labels=view.labels, spec=view.spec)
    same = is_now == wanted
    if same and view.source == source:
        return Change(action=Action.UNCHANGED, name=view.name, revision=view.revision)
    keys = () if same else tuple(differences("", definition_document(is_now), definition_document(wanted)))
    if view.source != source:
        keys += (KeyChange(key="source", before=view.source, after=source),)
    return Change(
        action=Action.REPLACE,
        name=view.name,
        restart=view.spec.is_replaced_by(wanted.spec) and _runs(view),
        keys=keys,
        revision=view.revision,
    )


def _runs(view: UnitView) -> bool:
    return view.status.desired is Desired.RUNNING and view.status.state in LIVE_STATES


def differences(path: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[KeyChange]:
    """Yield what differs between two tables, tables in them entry by entry."""
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        place = join(path, key_step(key))
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            yield from differences(place, old, new)
        elif path == _ENVIRONMENT:
            yield KeyChange(
                key=place, before=None if old is None else REDACTED, after=None if new is None else REDACTED
            )
        else:
            yield KeyChange(key=place, before=old, after=new)


def _at_agent(name: str, problems: Iterable[Problem]) -> list[Problem]:
    """Put the place of an agent in a document in front of the paths of problems in its definition."""
    step = join(_AGENTS, key_step(name))
    return [Problem(join(step, path), message) for path, message in problems]
