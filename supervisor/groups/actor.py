"""The keeper of all groups: loads them, answers for them, and carries their starts and stops out."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final, TypeAlias, TypeVar, assert_never

import trio
from attrs import evolve, frozen

from supervisor.errors import AlreadyExists, HoodyBug, HoodyError, InvalidInput, NotFound
from supervisor.groups.applying import plan_for, take_part
from supervisor.groups.checking import check_group
from supervisor.groups.messages import (
    ApplyGroups,
    DefineGroup,
    ForgetGroup,
    GetGroup,
    GroupRequest,
    ListGroups,
    RestartGroup,
    StartGroup,
    StopGroup,
)
from supervisor.groups.node import GroupNode
from supervisor.groups.spec import GROUPS, GroupDefinition, GroupView
from supervisor.groups.stored import DOCUMENT_KIND, group_from_text, group_text
from supervisor.groups.table import GroupTable, GroupWatch
from supervisor.runtime import Actor, ActorRef, ChildSpec, Context, ExitReason, Reply, actor
from supervisor.runtime.brain import DelayOver
from supervisor.store.messages import ForgetDocument, LoadDocuments, SaveDocument, StoreRequest
from supervisor.units.messages import StartUnit, StopUnit
from supervisor.units.names import nearest
from supervisor.units.status import UnitView

STORE_PATIENCE: Final = 30.0
UNIT_PATIENCE: Final = 30.0
"""Seconds in which a wish for a member is on disk."""
END_PATIENCE: Final = 3600.0
"""Seconds that the end of a member may take at most, whatever its stop timeout is."""

R = TypeVar("R")
_log = logging.getLogger("hoody.groups")


@frozen
class MemberChanged:
    """A unit has changed, which may be a member."""

    address: str


@frozen
class DelayPassed:
    """A delay that a group asked for is over."""

    group: str
    event: DelayOver


GroupMessage: TypeAlias = GroupRequest | MemberChanged | DelayPassed


class _Timers:
    def __init__(self, context: Context[GroupMessage]) -> None:
        self._context = context

    def start(self, key: tuple[str, str], seconds: float, event: DelayOver) -> None:
        self._context.start_timer(key, seconds, DelayPassed(key[0], event))

    def cancel(self, key: tuple[str, str]) -> None:
        self._context.cancel_timer(key)


class GroupsActor(Actor[GroupMessage]):
    """Keeps every group. Registered as "groups".

    It begins before the keepers of units do, so that no member starts before its group says so. When it is replaced the
    gates stay as they are and nothing that runs is touched: what runs is taken as started.
    """

    def __init__(self, watch: GroupWatch) -> None:
        self._watch = watch
        self._table: GroupTable | None = None
        self._waiting: list[tuple[str, Reply[GroupView]]] = []
        self._defining = trio.Lock()

    async def pre_start(self, context: Context[GroupMessage]) -> None:
        """Load the groups, and begin to supervise their members."""
        stored: tuple[tuple[str, str], ...] = await self._store(context).ask(
            lambda reply: LoadDocuments(kind=DOCUMENT_KIND, reply_to=reply), timeout=STORE_PATIENCE
        )
        self._table = GroupTable(
            self._watch.relations,
            self._watch.rosters,
            clock=_Timers(context),
            dice=context.system.dice,
            settled=self._settled,
            revive=lambda address: context.spawn(self._revive, address, context),
        )
        for name, text in stored:
            definition = _read(name, text)
            if definition is not None:
                self._groups.put(definition)
        self._watch.order = self._groups.chains
        self._watch.listener = lambda address: context.post(MemberChanged(address))
        for node in self._groups.nodes():
            node.hold()
        context.spawn(self._begin_once_restored)

    async def _begin_once_restored(self) -> None:
        await self._watch.restored()
        for node in self._groups.nodes():
            if node.parent is None and not node.active:
                node.begin()

    async def post_stop(self, context: Context[GroupMessage], reason: ExitReason) -> None:  # noqa: ARG002
        """Hear of nothing more."""
        self._watch.listener = None

    async def handle(self, message: GroupMessage, context: Context[GroupMessage]) -> None:
        """Take one message in. Never waits."""
        match message:
            case MemberChanged(address=address):
                self._groups.changed(address)
            case DelayPassed(group=group, event=event):
                self._groups.delay_over(group, event)
            case ListGroups(reply_to=reply_to):
                reply_to.send(tuple(node.view() for node in self._groups.nodes()))
            case GetGroup(name=name, reply_to=reply_to):
                self._answer(reply_to, lambda: self._node(name).view())
            case ApplyGroups():
                context.spawn(self._apply, message)
            case DefineGroup() | ForgetGroup() | StartGroup() | StopGroup() | RestartGroup():
                context.spawn(self._carry_out, message, context)
            case _:
                assert_never(message)

    # ---- wishes ----

    async def _carry_out(
        self,
        message: DefineGroup | ForgetGroup | StartGroup | StopGroup | RestartGroup,
        context: Context[GroupMessage],
    ) -> None:
        try:
            match message:
                case DefineGroup():
                    # One at a time: what is checked has to hold until it is on disk.
                    async with self._defining:
                        message.reply_to.send(await self._define(message, context))
                case ForgetGroup(name=name):
                    async with self._defining:
                        await self._forget(name, context)
                    message.reply_to.send(None)
                case StartGroup(name=name):
                    await self._start(self._node(name), context)
                    self._answer_when_up(message)
                case StopGroup(name=name):
                    message.reply_to.send(await self._stop(self._node(name), context))
                case RestartGroup(name=name):
                    await self._stop(self._node(name), context)
                    await self._start(self._node(name), context)
                    self._answer_when_up(message)
                case _:
                    assert_never(message)
        except HoodyError as error:
            message.reply_to.fail(error)

    async def _apply(self, message: ApplyGroups) -> None:
        """Plan, and keep everybody else from defining groups until it is known how the apply has ended."""
        async with self._defining:
            if message.joint.over:
                return
            try:
                plan = plan_for(message, self._groups.definitions())
            except InvalidInput as error:
                message.reply_to.fail(error)
                return
            message.reply_to.send(plan)
            await take_part(self._groups, plan, message.joint)

    async def _define(self, message: DefineGroup, context: Context[GroupMessage]) -> GroupView:
        definition = message.definition
        known = self._groups.definitions()
        if message.replace:
            self._node(definition.name)
        elif definition.name in known:
            raise AlreadyExists(f"the group {definition.name!r} exists already")
        if definition.name in known:
            definition = evolve(definition, source=known[definition.name].source)
        check_group(definition, known, lambda address: self._groups.view(address) is not None)
        text = group_text(definition)
        await self._store(context).ask(
            lambda reply: SaveDocument(kind=DOCUMENT_KIND, name=definition.name, text=text, reply_to=reply),
            timeout=STORE_PATIENCE,
        )
        node = self._groups.put(definition)
        self._begin_from_the_top(node)
        return node.view()

    async def _forget(self, name: str, context: Context[GroupMessage]) -> None:
        parent = self._node(name).parent
        if parent is not None:
            raise InvalidInput(
                f"the group {name!r} is a member of the group {parent.definition.name!r}",
                hint="take it out of that one first",
            )
        await self._store(context).ask(
            lambda reply: ForgetDocument(kind=DOCUMENT_KIND, name=name, reply_to=reply), timeout=STORE_PATIENCE
        )
        nested = [found for found in map(self._groups.group, self._node(name).members) if found is not None]
        self._groups.remove(name)
        for node in nested:
            self._begin_from_the_top(node)

    async def _start(self, node: GroupNode, context: Context[GroupMessage]) -> None:
        units = self._groups.units_of(node)
        if not any(self._runs(address) for address in units):
            # In their order, and not as each of them pleases: nobody starts before the group begins anew.
            self._hold_all(node)
        for address in units:
            await self._ask_member(context, address, _start_wish)
        if not node.active:
            self._begin_from_the_top(node)

    async def _revive(self, address: str, context: Context[GroupMessage]) -> None:
        try:
            await self._ask_member(context, address, _start_wish)
        except HoodyError as error:
            _log.error("%s, a member of a group, cannot be started anew: %s", address, error)

    async def _stop(self, node: GroupNode, context: Context[GroupMessage]) -> GroupView:
        for address in reversed(self._groups.units_of(node)):
            await self._ask_member(context, address, _stop_wish, timeout=END_PATIENCE)
        return node.view()

    async def _ask_member(
        self,
        context: Context[GroupMessage],
        address: str,
        make: Callable[[str, Reply[Any]], object],
        timeout: float = UNIT_PATIENCE,
    ) -> None:
        plural, _, name = address.partition("/")
        directory: ActorRef[Any] = context.system.registry.ref(plural)
        try:
            await directory.ask(lambda reply: make(name, reply), timeout=timeout)
        except NotFound:
            _log.warning("%s, a member of a group, does not exist any more", address)

    # ---- the inside ----

    @property
    def _groups(self) -> GroupTable:
        if self._table is None:
            raise HoodyBug("the keeper of groups has not begun")
        return self._table

    def _store(self, context: Context[GroupMessage]) -> ActorRef[StoreRequest]:
        return context.system.registry.ref("store")

    def _node(self, name: str) -> GroupNode:
        node = self._groups.find(name)
        if node is None:
            meant = nearest(name, self._groups.definitions())
            raise NotFound(f"there is no group {name!r}", hint=f"did you mean {meant!r}?" if meant else None)
        return node

    def _runs(self, address: str) -> bool:
        view = self._groups.view(address)
        return view is not None and view.status.started_at is not None

    def _hold_all(self, node: GroupNode) -> None:
        node.hold()
        for nested in map(self._groups.group, node.members):
            if nested is not None:
                self._hold_all(nested)

    def _begin_from_the_top(self, node: GroupNode) -> None:
        """Begin the outermost group that this one belongs to, since it starts what is in it."""
        while node.parent is not None:
            node = node.parent
        node.begin()

    def _answer_when_up(self, message: StartGroup | RestartGroup) -> None:
        node = self._node(message.name)
        if message.wait and node.active and not node.is_up:
            self._waiting.append((message.name, message.reply_to))
        else:
            message.reply_to.send(node.view())

    def _settled(self, node: GroupNode) -> None:
        name = node.definition.name
        for waiting, reply in self._waiting:
            if waiting == name:
                reply.send(node.view())
        self._waiting = [entry for entry in self._waiting if entry[0] != name]

    def _answer(self, reply: Reply[R], make: Callable[[], R]) -> None:
        try:
            reply.send(make())
        except HoodyError as error:
            reply.fail(error)


def _start_wish(name: str, reply: Reply[UnitView]) -> StartUnit:
    return StartUnit(name=name, wait=False, reply_to=reply)


def _stop_wish(name: str, reply: Reply[UnitView]) -> StopUnit:
    return StopUnit(name=name, wait=True, now=False, reply_to=reply)


def _read(name: str, text: str) -> GroupDefinition | None:
    try:
        return group_from_text(name, text)
    except (InvalidInput, ValueError) as error:
        _log.error("what is stored of the group %r cannot be read: %s", name, error)
        return None


def groups_child(watch: GroupWatch) -> ChildSpec:
    """Describe the keeper of the groups as a child of a tree: behind the store, and before the keepers of units."""
    return actor(GROUPS, lambda: GroupsActor(watch))
