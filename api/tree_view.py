"""The supervision tree as it is shown: the runtime's nodes, and beside the keepers their units. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from attrs import field, frozen

from supervisor.groups.spec import GROUPS, GroupView, MemberView
from supervisor.runtime import TreeNode
from supervisor.units.status import Desired, Health, Kind, State, UnitView


@frozen(kw_only=True)
class UnitSummary:
    """What a unit is doing, in a line."""

    kind: Kind
    state: State
    desired: Desired
    ready: bool
    health: Health
    pid: int | None
    restarts: int
    crash_loop: bool
    reason: str


@frozen(kw_only=True)
class ShownNode(TreeNode):
    """A node of the tree. ``unit`` is there where the node is the keeper of one.

    The two sides differ on purpose: ``state`` and ``restarts`` are those of the keeper, an actor of the daemon, which
    is up also while its unit is at rest; what ``unit`` says is about the program.
    """

    kind: str  # type: ignore[assignment]  # the runtime's kinds, and "group" and "member"
    state: str  # type: ignore[assignment]  # that of a child in the books, of a group or of a unit
    unit: UnitSummary | None = None
    reason: str = ""
    """Why, for a group that is not well."""
    children: tuple[ShownNode, ...] = field(default=())


def show_units(root: TreeNode, views: Iterable[UnitView], groups: Iterable[GroupView] = ()) -> ShownNode:
    """Return the tree with every unit in ``views`` beside the node of its keeper, and the groups below theirs.

    A keeper whose unit is not among them, since it has just been made or removed, is shown as the actor that it is.
    """
    keepers: dict[str, dict[str, UnitView]] = {}
    for view in views:
        keepers.setdefault(f"{view.kind.value}s-units", {})[view.name] = view
    return _shown(root, {}, keepers, _group_nodes(groups))


def _group_nodes(groups: Iterable[GroupView]) -> tuple[ShownNode, ...]:
    """Return the groups that are in no other, each with its members below it."""
    found = {f"{GROUPS}/{group.name}": group for group in groups}
    nested = {member.address for group in found.values() for member in group.members}
    return tuple(_group_node(group, found) for address, group in found.items() if address not in nested)


def _group_node(group: GroupView, found: Mapping[str, GroupView]) -> ShownNode:
    below = [
        _group_node(found[member.address], found) if member.address in found else _member_node(member)
        for member in group.members
    ]
    return ShownNode(
        id=group.name,
        kind="group",
        state=group.state.value,
        strategy=group.spec.strategy,
        restarts=group.restarts,
        reason=group.reason,
        children=tuple(below),
    )


def summary_of(view: UnitView) -> UnitSummary:
    """Return what is shown of a unit in the tree."""
    status = view.status
    return UnitSummary(
        kind=view.kind,
        state=status.state,
        desired=status.desired,
        ready=status.ready,
        health=status.health,
        pid=status.pid,
        restarts=status.restarts,
        crash_loop=status.crash_loop,
        reason=status.reason,
    )


def _member_node(member: MemberView) -> ShownNode:
    state = member.state.value if member.state is not None else "gone"
    return ShownNode(id=member.address, kind="member", state=state, restarts=member.restarts)


def _shown(
    node: TreeNode,
    kept: Mapping[str, UnitView],
    keepers: Mapping[str, Mapping[str, UnitView]],
    groups: tuple[ShownNode, ...],
) -> ShownNode:
    below = keepers.get(node.id, {})
    view = kept.get(node.id)
    return ShownNode(
        **_fields_of(node),
        unit=None if view is None else summary_of(view),
        children=(
            *(_shown(child, below, keepers, groups) for child in node.children),
            *(groups if node.id == GROUPS else ()),
        ),
    )


def _fields_of(node: TreeNode) -> dict[str, Any]:
    return {found.name: getattr(node, found.name) for found in attrs.fields(TreeNode) if found.name != "children"}
