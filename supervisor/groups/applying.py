"""What the keeper of groups does for an apply: plans, checks, takes the groups up; after a failure, gives them back.

The units and groups of a document are written together by the directory of the units; see ``joining``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from supervisor.declared.groups import GroupPlan, at_group, plan_groups
from supervisor.errors import InvalidInput, Problem
from supervisor.groups.checking import check_group
from supervisor.groups.joining import GroupsJoint
from supervisor.groups.messages import ApplyGroups
from supervisor.groups.node import GroupNode
from supervisor.groups.spec import GROUPS, GroupDefinition, address_of_member
from supervisor.groups.stored import DOCUMENT_KIND, group_text


class Table(Protocol):
    """The groups that there are."""

    def definitions(self) -> dict[str, GroupDefinition]:
        """Return every definition by name."""

    def nodes(self) -> Iterable[GroupNode]:
        """Return every group."""

    def put(self, definition: GroupDefinition) -> GroupNode:
        """Add a group, in place of an earlier one of that name."""

    def remove(self, name: str) -> None:
        """Forget a group."""


def plan_for(message: ApplyGroups, known: Mapping[str, GroupDefinition]) -> GroupPlan:
    """Plan what is asked, and say in its joint what is to be written. Raises ``InvalidInput`` with every fault."""
    plan = plan_groups(known, message.definitions, source=message.source, prune=message.prune)
    removed = set(plan.removed)
    afterwards = {name: each for name, each in known.items() if name not in removed}
    afterwards |= {each.name: each for each in plan.definitions}
    _check(message, afterwards, removed)
    joint, changed = message.joint, [*(each.name for each in plan.definitions), *plan.removed]
    joint.documents = tuple((DOCUMENT_KIND, each.name, group_text(each)) for each in plan.definitions)
    joint.forget = tuple((DOCUMENT_KIND, name) for name in plan.removed)
    before = [known[name] for name in changed if name in known]
    joint.documents_before = tuple((DOCUMENT_KIND, each.name, group_text(each)) for each in before)
    joint.forget_again = tuple((DOCUMENT_KIND, name) for name in changed if name not in known)
    return plan


def _check(message: ApplyGroups, afterwards: Mapping[str, GroupDefinition], removed: Collection[str]) -> None:
    problems: list[Problem] = []
    declared = {each.name for each in message.definitions}
    for name in sorted(declared):
        try:
            check_group(afterwards[name], afterwards, message.units.__contains__)
        except InvalidInput as error:
            problems += at_group(name, error.problems)
    for name, definition in afterwards.items():
        lost = {member for member in definition.spec.members if address_of_member(member) in _addresses(removed)}
        if lost and name not in declared:
            problems.append(
                Problem(f"{GROUPS}.{name}", f"is not declared here and has {', '.join(sorted(lost))} in it")
            )
    if problems:
        raise InvalidInput.of("the document", problems)


def _addresses(names: Collection[str]) -> set[str]:
    return {f"{GROUPS}/{name}" for name in names}


async def take_part(table: Table, plan: GroupPlan, joint: GroupsJoint) -> None:
    """Follow an apply to its end."""
    before = table.definitions()
    try:
        if not await joint.until_written():
            return
        changed = [each.name for each in plan.definitions]
        _change(table, plan.removed, plan.definitions)
        joint.taken_up()
        if not await joint.until_concluded():
            new = [name for name in changed if name not in before]
            changed = [name for name in (*plan.removed, *changed) if name in before]
            _change(table, new, [before[name] for name in changed])
        _begin(table, changed)
    finally:
        joint.leave()


def _change(table: Table, removed: Iterable[str], put: Iterable[GroupDefinition]) -> None:
    for name in removed:
        table.remove(name)
    for definition in put:
        # Its members come, or come back, only after the groups: none starts before its turn.
        table.put(definition).hold()


def _begin(table: Table, changed: Collection[str]) -> None:
    """Begin the outermost group of whatever is new, and what was set free by it."""
    tops = {}
    for node in table.nodes():
        free = node.parent is None and not node.active and not node.failed
        if free or node.definition.name in changed:
            top = _outermost(node)
            tops[top.address] = top
    for top in tops.values():
        top.begin()


def _outermost(node: GroupNode) -> GroupNode:
    while node.parent is not None:
        node = node.parent
    return node
