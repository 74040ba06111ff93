"""Describe a tree: the functions that make child specs of actors and supervisors."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from supervisor.runtime.actor import Actor, actor_start
from supervisor.runtime.brain import Begin, CoreEvent
from supervisor.runtime.core import SupervisorCore
from supervisor.runtime.dynamic import DynamicSupervisor
from supervisor.runtime.errors import SpecError
from supervisor.runtime.policy import INFRASTRUCTURE, AutoShutdown, RestartPolicy, Strategy
from supervisor.runtime.service import ServiceContext
from supervisor.runtime.shell import SupervisorShell
from supervisor.runtime.spec import ChildSpec, NodeKind, Shutdown, check_children

MAILBOX = 1024
"""How many messages an actor lets wait unless told otherwise."""


_FIVE_SECONDS = Shutdown.within(5)


def _whole_stop(stop_within: float) -> Shutdown:
    """Return the shutdown of a supervisor: what is below it bounds it, and reports what is stuck before it does."""
    return Shutdown(seconds=math.inf, abandon_after=stop_within + 10)


def actor(
    id: str,  # noqa: A002 - the word of supervision trees for it
    factory: Callable[[], Actor[Any]],
    *,
    name: str | None = None,
    mailbox: int = MAILBOX,
    restart: RestartPolicy = INFRASTRUCTURE,
    shutdown: Shutdown = _FIVE_SECONDS,
    significant: bool = False,
    start_within: float = 30.0,
    cleanup: float = 3.0,
    drain: bool = False,
) -> ChildSpec:
    """Describe an actor. ``factory`` makes a fresh one for every incarnation.

    It is registered as ``name`` (default: its id) while it lives. After its ``shutdown`` time, which is for the handler
    at hand, its background tasks and its ``post_stop`` together get at most ``cleanup`` seconds (the tasks half of it).
    With ``drain`` a stop first lets it handle what its mailbox holds, within the shutdown time; without, the message
    at hand is its last.
    """
    if mailbox < 1:
        raise SpecError(f"the mailbox of actor {id!r} must hold at least one message")
    return ChildSpec(
        id,
        actor_start(factory, name=name or id, capacity=mailbox, cleanup=cleanup, drain=drain),
        restart=restart,
        shutdown=shutdown,
        significant=significant,
        start_within=start_within,
        kind=NodeKind.ACTOR,
    )


def supervisor(
    id: str,  # noqa: A002
    *,
    children: Iterable[ChildSpec],
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    restart: RestartPolicy = INFRASTRUCTURE,
    auto_shutdown: AutoShutdown = AutoShutdown.NEVER,
    significant: bool = False,
    shutdown: Shutdown | None = None,
    stop_within: float = 30.0,
) -> ChildSpec:
    """Describe a static supervisor: children are started in order, and stopped one by one in the reverse order.

    If one of them does not come up the first time, those before it are stopped and the supervisor has failed to start.
    ``stop_within`` bounds the whole stop where the supervisor is not asked to stop but cancelled.
    """
    fixed = tuple(children)
    check_children(id, fixed, auto_shutdown)

    async def start(service: ServiceContext) -> None:
        core = SupervisorCore(service.path, strategy, fixed, dice=service.system.dice, auto_shutdown=auto_shutdown)
        shell: SupervisorShell[CoreEvent] = SupervisorShell(service, core, stop_within=stop_within)
        await shell.run(Begin())

    return ChildSpec(
        id,
        start,
        restart=restart,
        shutdown=shutdown if shutdown is not None else _whole_stop(stop_within),
        significant=significant,
        # The starts of the children are bounded each.
        start_within=math.inf,
        kind=NodeKind.SUPERVISOR,
        strategy=strategy,
    )


def dynamic_supervisor(
    id: str,  # noqa: A002
    *,
    name: str | None = None,
    max_children: int = 100_000,
    restart: RestartPolicy = INFRASTRUCTURE,
    significant: bool = False,
    shutdown: Shutdown | None = None,
    stop_within: float = 30.0,
) -> ChildSpec:
    """Describe a dynamic supervisor: children come and go at run time and are stopped side by side.

    While it lives, ``System.dynamic(name)`` returns its handle.
    """
    known_as = name or id

    async def start(service: ServiceContext) -> None:
        dynamic = DynamicSupervisor(service, known_as, max_children=max_children, stop_within=stop_within)
        with service.system.dynamic_registered(known_as, dynamic):
            await dynamic.run()

    return ChildSpec(
        id,
        start,
        restart=restart,
        shutdown=shutdown if shutdown is not None else _whole_stop(stop_within),
        significant=significant,
        kind=NodeKind.DYNAMIC_SUPERVISOR,
    )
