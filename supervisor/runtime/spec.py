"""How a child is described to its supervisor. Pure data: building a spec starts nothing."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from attrs import field, frozen
from attrs.validators import ge, gt, min_len

from supervisor.runtime.errors import SpecError
from supervisor.runtime.policy import INFRASTRUCTURE, AutoShutdown, RestartPolicy, RestartType, Strategy

if TYPE_CHECKING:
    from supervisor.runtime.service import ServiceContext

Start: TypeAlias = "Callable[[ServiceContext], Awaitable[None]]"
"""One incarnation of a child: runs as long as the child does; cancelling it ends the child."""


class NodeKind(StrEnum):
    """What a node of the tree is, for those who look at the tree."""

    SUPERVISOR = "supervisor"
    DYNAMIC_SUPERVISOR = "dynamic_supervisor"
    ACTOR = "actor"
    SERVICE = "service"


@frozen(kw_only=True)
class Shutdown:
    """How a child is brought to its end.

    It is asked to stop and has ``seconds`` for it; then it is cancelled. Its clean-up has a time of its own. A child
    that still goes on ``abandon_after`` seconds after all that cannot be ended by anybody in this process: it is
    reported, and the plan goes on without it.
    """

    seconds: float = field(validator=ge(0))
    abandon_after: float = field(default=5.0, validator=gt(0))

    @classmethod
    def within(cls, seconds: float) -> Shutdown:
        """Ask, wait this long, then cancel. The usual choice for actors and services."""
        return cls(seconds=seconds)

    @classmethod
    def cancel_now(cls) -> Shutdown:
        """Cancel without asking first."""
        return cls(seconds=0.0)

    @classmethod
    def unlimited(cls) -> Shutdown:
        """Ask and wait. For supervisors, whose own children bound the time that they take."""
        return cls(seconds=math.inf)


@frozen
class ChildSpec:
    """A child of a supervisor.

    ``start`` is called once per incarnation. It calls ``started()`` on its context when it is up, at the latest after
    ``start_within`` seconds, and until then its next siblings are not started. ``significant`` children can end their
    supervisor (see ``AutoShutdown``); a permanent child cannot be one, since it never ends for good.
    """

    id: str = field(validator=min_len(1))
    start: Start
    restart: RestartPolicy = field(default=INFRASTRUCTURE, kw_only=True)
    shutdown: Shutdown = field(default=Shutdown.within(5), kw_only=True)
    significant: bool = field(default=False, kw_only=True)
    start_within: float = field(default=30.0, kw_only=True, validator=gt(0))
    kind: NodeKind = field(default=NodeKind.SERVICE, kw_only=True)
    strategy: Strategy | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.significant and self.restart.restart is RestartType.PERMANENT:
            raise SpecError(f"child {self.id!r} is permanent and therefore cannot be significant")


def check_children(name: str, children: tuple[ChildSpec, ...], auto_shutdown: AutoShutdown) -> None:
    """Raise ``SpecError`` unless these children can be those of one supervisor called ``name``."""
    seen: set[str] = set()
    for child in children:
        if child.id in seen:
            raise SpecError(f"supervisor {name!r} has two children called {child.id!r}")
        seen.add(child.id)
        if child.significant and auto_shutdown is AutoShutdown.NEVER:
            raise SpecError(f"child {child.id!r} is significant, but supervisor {name!r} never shuts down for one")
