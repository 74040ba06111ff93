"""What the supervision tree looks like at one moment. Pure data."""

from __future__ import annotations

from attrs import frozen

from supervisor.runtime.children import Child, ChildState
from supervisor.runtime.policy import Strategy
from supervisor.runtime.spec import NodeKind


@frozen(kw_only=True)
class TreeNode:
    """One node of the tree: the books of its supervisor about it, and what is below it.

    ``restarts`` counts all restarts since it was added; ``intensity_used`` those that count against
    ``intensity_allowed`` at the moment. ``strategy`` is None for nodes that are not static supervisors.
    """

    id: str
    kind: NodeKind
    state: ChildState
    strategy: Strategy | None = None
    incarnation: int = 0
    restarts: int = 0
    intensity_used: int = 0
    intensity_allowed: int = 0
    crash_loop: bool = False
    children: tuple[TreeNode, ...] = ()


def node_of(child: Child, now: float, below: tuple[TreeNode, ...]) -> TreeNode:
    """Return the node of a child in the books, with the nodes ``below`` it."""
    spec = child.spec
    return TreeNode(
        id=spec.id,
        kind=spec.kind,
        state=child.state,
        strategy=spec.strategy,
        incarnation=child.incarnation,
        restarts=child.restarts,
        intensity_used=child.restarts_in_window(now),
        intensity_allowed=spec.restart.max_restarts,
        crash_loop=child.history.crash_loop,
        children=below,
    )
