"""Groups in a document: read, written, and the way from those that there are to those that it declares. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from attrs import evolve, field, frozen

from supervisor.convert import structure, unstructure
from supervisor.convert.faults import Collector, Faults, join, key_step, kind_of
from supervisor.declared.plan import Action, Change, KeyChange, differences
from supervisor.errors import InvalidInput, Problem
from supervisor.groups.spec import GROUPS, GroupDefinition, GroupSpec
from supervisor.units.names import check_name

_DEFAULTS: Final = GroupSpec(members=("x",))


@frozen(kw_only=True)
class GroupPlan:
    """Every group that the document or its source names, ordered by name."""

    changes: tuple[Change, ...] = ()
    left: tuple[str, ...] = ()
    """What the source has declared before and does not any more: left alone, where it is not to be pruned."""
    definitions: tuple[GroupDefinition, ...] = field(default=(), repr=False)
    """What the created and replaced groups are to be."""

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return all(change.action is Action.UNCHANGED for change in self.changes)

    @property
    def removed(self) -> tuple[str, ...]:
        """The names of the groups that are to go."""
        return tuple(change.name for change in self.changes if change.action is Action.DELETE)


def plan_groups(
    current: Mapping[str, GroupDefinition], wanted: Iterable[GroupDefinition], *, source: str, prune: bool
) -> GroupPlan:
    """Plan the way from ``current`` to ``wanted``, by the rules of agents; a group is never restarted by it."""
    declared = [evolve(each, source=source) for each in wanted]
    changes = [_change(each, current.get(each.name)) for each in declared]
    names = {each.name for each in declared}
    gone = sorted(name for name, found in current.items() if found.source == source and name not in names)
    if prune:
        changes += [Change(action=Action.DELETE, name=name) for name in gone]
    return GroupPlan(
        changes=tuple(sorted(changes, key=lambda each: each.name)),
        left=() if prune else tuple(gone),
        definitions=tuple(each for each in declared if current.get(each.name) != each),
    )


def _change(wanted: GroupDefinition, present: GroupDefinition | None) -> Change:
    if present is None:
        return Change(action=Action.CREATE, name=wanted.name)
    keys = tuple(differences("", unstructure(present.spec), unstructure(wanted.spec)))
    if present.source != wanted.source:
        keys += (KeyChange(key="source", before=present.source, after=wanted.source),)
    return Change(action=Action.REPLACE if keys else Action.UNCHANGED, name=wanted.name, keys=keys)


def read_groups(table: object) -> tuple[GroupDefinition, ...]:
    """Read the groups of a document, ordered by name. Raises ``Faults``."""
    if not isinstance(table, Mapping):
        raise Faults.here(f"expected a table of groups, got {kind_of(table)}")
    collector = Collector()
    found = []
    for name, entry in table.items():
        with collector.at(key_step(name)):
            found.append(_group(name, entry))
        if collector.full:
            break
    collector.close()
    return tuple(sorted(found, key=lambda each: each.name))


def _group(name: object, entry: object) -> GroupDefinition:
    try:
        called = check_name(name)
    except ValueError as error:
        raise Faults.here(str(error)) from None
    if not isinstance(entry, Mapping):
        raise Faults.here(f"expected a table, got {kind_of(entry)}")
    try:
        return GroupDefinition(name=called, spec=structure(GroupSpec, entry))
    except InvalidInput as error:
        raise Faults(error.problems) from None


def groups_document(definitions: Iterable[GroupDefinition]) -> dict[str, Any]:
    """Write groups as the table of a document that declares exactly them, without what is the default anyway."""
    defaults = unstructure(_DEFAULTS)
    return {
        each.name: {
            key: value
            for key, value in unstructure(each.spec).items()
            if key == "members" or value != defaults.get(key)
        }
        for each in definitions
    }


def at_group(name: str, problems: Iterable[Problem]) -> list[Problem]:
    """Put the place of a group in a document in front of the paths of problems in its definition."""
    step = join(GROUPS, key_step(name))
    return [Problem(join(step, path), message) for path, message in problems]
