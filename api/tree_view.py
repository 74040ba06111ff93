"""The supervision tree as it is shown: the runtime's nodes, and beside the keepers their units. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs
from attrs import field, frozen

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

    unit: UnitSummary | None = None
    children: tuple[ShownNode, ...] = field(default=())


def show_units(root: TreeNode, views: Iterable[UnitView]) -> ShownNode:
    """Return the tree with every unit in ``views`` beside the node of its keeper.

    A keeper whose unit is not among them, since it has just been made or removed, is shown as the actor that it is.
    """
    keepers: dict[str, dict[str, UnitView]] = {}
    for view in views:
        keepers.setdefault(f"{view.kind.value}s-units", {})[view.name] = view
    return _shown(root, {}, keepers)


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


def _shown(node: TreeNode, kept: Mapping[str, UnitView], keepers: Mapping[str, Mapping[str, UnitView]]) -> ShownNode:
    below = keepers.get(node.id, {})
    view = kept.get(node.id)
    return ShownNode(
        **_fields_of(node),
        unit=None if view is None else summary_of(view),
        children=tuple(_shown(child, below, keepers) for child in node.children),
    )


def _fields_of(node: TreeNode) -> dict[str, Any]:
    return {found.name: getattr(node, found.name) for found in attrs.fields(TreeNode) if found.name != "children"}
