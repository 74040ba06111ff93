"""The daemon itself: what it is, its tree, its token, its end."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from attrs import frozen

from api.answers import Answer, json_answer
from api.endpoints import API, Call, Effect, Endpoints, NoBody, NoQuery
from api.services import Services
from api.tree_view import ShownNode, show_units
from supervisor.errors import Conflict, HoodyError, StorageError, Unavailable
from supervisor.groups.messages import ListGroups
from supervisor.groups.spec import GROUPS, GroupView
from supervisor.units.messages import ListUnits
from supervisor.units.status import Kind, UnitView

routes = Endpoints()

_PATIENCE: Final = 2.0
"""Seconds for the directories: the tree is looked at when something is wrong, and is shown without them then."""


@frozen(kw_only=True)
class DaemonStatus:
    """What the daemon is and where it keeps its files."""

    version: str
    pid: int
    instance: str
    started_at: datetime
    url: str
    python: str
    folders: Mapping[str, str]


@frozen(kw_only=True)
class NewToken:
    """The token that is valid from now on."""

    token: str


@frozen(kw_only=True)
class ShutdownBody:
    """How the daemon ends."""

    leave_agents: bool = False
    """Leave running what runs, for the next daemon to look after."""


@frozen(kw_only=True)
class Replacing:
    """The daemon has begun to be replaced."""

    replacing: bool = True
    version: str
    """Of the program that takes its place."""


@frozen(kw_only=True)
class Stopping:
    """The daemon has begun to stop."""

    stopping: bool = True
    leave_agents: bool


@routes.add("GET", f"{API}/status", answer=DaemonStatus)
async def show_status(call: Call[NoQuery]) -> Answer:
    """Tell the daemon's version, process, address and folders."""
    control = call.services.control
    return json_answer(
        DaemonStatus(
            version=control.version,
            pid=os.getpid(),
            instance=control.instance,
            started_at=control.started_at,
            url=call.services.url,
            python=platform.python_version(),
            folders=control.folders,
        )
    )


@routes.add("GET", f"{API}/tree", answer=ShownNode)
async def show_tree(call: Call[NoQuery]) -> Answer:
    """Show the supervision tree: strategies, states and restarts, and the units beside their keepers."""
    services = call.services
    views = [view for kind in Kind for view in await _views(services, kind)]
    return json_answer(show_units(services.system.tree(), views, await _groups(services)))


async def _groups(services: Services) -> tuple[GroupView, ...]:
    """Ask for the groups; see ``_views``."""
    if services.system.registry.whereis(GROUPS) is None:
        return ()
    try:
        groups: tuple[GroupView, ...] = await services.ask(
            GROUPS, lambda reply: ListGroups(reply_to=reply), timeout=_PATIENCE
        )
    except HoodyError:
        return ()
    return groups


async def _views(services: Services, kind: Kind) -> tuple[UnitView, ...]:
    """Ask the directory of a kind. One that is not there, or is in trouble, must not hide the tree that shows it."""
    if services.system.registry.whereis(f"{kind.value}s") is None:
        return ()
    try:
        views: tuple[UnitView, ...] = await services.ask(
            f"{kind.value}s", lambda reply: ListUnits(reply_to=reply), timeout=_PATIENCE
        )
    except HoodyError:
        return ()
    return views


@routes.add("POST", f"{API}/token/rotate", answer=NewToken, problems=(StorageError,))
async def rotate_token(call: Call[NoQuery]) -> Answer:
    """Make a new token; the old one is refused from then on."""
    call.body(NoBody)
    return json_answer(NewToken(token=await call.services.control.rotate_token()))


@routes.add(
    "POST",
    f"{API}/reload",
    answer=Replacing,
    status=202,
    effect=Effect.DESTROY,
    problems=(Conflict, Unavailable),
)
async def replace_program(call: Call[NoQuery]) -> Answer:
    """Replace the daemon by the program on disk, in place: same process, same address, agents keep running."""
    call.body(NoBody)
    return json_answer(Replacing(version=await call.services.control.replace_program())).also(status=202)


@routes.add("POST", f"{API}/shutdown", body=ShutdownBody, answer=Stopping, status=202, effect=Effect.DESTROY)
async def shut_down(call: Call[NoQuery]) -> Answer:
    """Begin the orderly end of the daemon; a second request hurries it."""
    body = call.body(ShutdownBody)
    call.services.control.shutdown(leave_units=body.leave_agents)
    return json_answer(Stopping(leave_agents=body.leave_agents)).also(status=202)
