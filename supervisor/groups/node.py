"""One group: a supervisor core whose children are units and other groups. No I/O; everything is done through a world.

The core decides, as it does for the parts of the daemon: what is started when, and what goes down and comes up
together. When a failed member may be tried again is a matter of the member's own policy; so the group is told of the
failure at once, and lets the member start when both agree.

A group holds its members by their *gates*. A unit starts only while its gate is open, and what runs runs on when it is
closed. While a group is up the gates of its members are shut (unless the strategy is ``one_for_one``, where nobody
concerns anybody else), so that a member that has failed waits for the others to be ended before it comes back.
"""

from __future__ import annotations

from collections import deque
from enum import Enum, auto
from typing import Protocol, assert_never

from attrs import define

from supervisor.errors import HoodyError
from supervisor.groups.spec import GROUPS, GroupDefinition, GroupState, GroupView, MemberView, address_of_member
from supervisor.groups.watching import escalates, has_failed, is_down, is_off, is_settled, waits_at_gate
from supervisor.runtime import ChildSpec, Crashed, ExitReason, RestartsExhausted, ServiceContext, Stopped, Strategy
from supervisor.runtime.brain import (
    AllUp,
    Answer,
    Begin,
    CancelDelay,
    CoreEvent,
    Delay,
    DelayOver,
    Effect,
    Ended,
    Finish,
    GivenUp,
    Restarting,
    StartChild,
    Started,
    StopAsked,
    StopChild,
)
from supervisor.runtime.core import SupervisorCore
from supervisor.runtime.reasons import describe
from supervisor.runtime.restart import Dice
from supervisor.units.status import LastExit, State, UnitView


class MemberFailed(HoodyError):
    """A member has ended, and is to be started again."""

    code = "member_failed"
    title = "A member of a group has failed"
    http_status = 500


class World(Protocol):
    """What a group acts on."""

    dice: Dice

    def now(self) -> float:
        """Return the time."""

    def view(self, address: str) -> UnitView | None:
        """Return how a unit is."""

    def group(self, address: str) -> GroupNode | None:
        """Return a group that is a member."""

    def open(self, address: str) -> None:
        """Let a unit start."""

    def shut(self, address: str, gate: str, sentence: str, *, end: bool) -> None:
        """Let a unit not start, and with ``end`` end what runs of it."""

    def revive(self, address: str) -> None:
        """Start a unit that has given up, as somebody would who asks for it."""

    def delay(self, address: str, event: DelayOver, seconds: float) -> None:
        """Report ``event`` to the group later."""

    def cancel_delay(self, address: str, member: str) -> None:
        """Do not."""

    def settled(self, node: GroupNode) -> None:
        """The group is up, or has failed: tell who waits for that."""


class _Goal(Enum):
    """What the core waits for of a member."""

    UP = auto()
    """that it has been started"""
    DOWN = auto()
    """that nothing of it runs"""
    TURN = auto()
    """nothing: it is down until the core starts it"""
    NONE = auto()
    """nothing: it has been started, and lives as it likes"""


@define(eq=False)
class _Member:
    address: str
    incarnation: int = 0
    goal: _Goal = _Goal.NONE
    heard: LastExit | None = None
    gave_up: bool = False
    restarts: int = 0


async def _not_run(_context: ServiceContext) -> None:
    raise AssertionError("the children of a group are units: the core only decides about them")


class GroupNode:
    """One group and its core. ``parent`` is the group that it is a member of."""

    def __init__(self, definition: GroupDefinition, world: World) -> None:
        self.definition = definition
        self.address = f"{GROUPS}/{definition.name}"
        self.parent: GroupNode | None = None
        self.reason = ""
        self.failed = False
        self._world = world
        self._core: SupervisorCore | None = None
        self._up = False
        self._events: deque[CoreEvent] = deque()
        self._feeding = False
        self._members = {address: _Member(address) for address in map(address_of_member, definition.spec.members)}

    # ---- what is asked of it ----

    @property
    def members(self) -> tuple[str, ...]:
        """The addresses of its members, in their order."""
        return tuple(self._members)

    @property
    def is_up(self) -> bool:
        """Whether all of its members have been started."""
        return self._up

    @property
    def active(self) -> bool:
        """Whether its core is at work."""
        return self._core is not None

    def begin(self) -> None:
        """Start the members in their order; what runs already is taken as started."""
        spec = self.definition.spec
        children = tuple(ChildSpec(address, _not_run, restart=spec.policy) for address in self._members)
        self._core = SupervisorCore(self.address, spec.strategy, children, dice=self._world.dice)
        self._up, self.failed, self.reason = False, False, ""
        self._events.clear()
        for member in self._members.values():
            member.restarts, member.goal, member.incarnation = 0, _Goal.TURN, 0
            view = self._world.view(member.address)
            member.heard = view.status.exit if view is not None else None
            member.gave_up = view is not None and escalates(view)
            self._shut(member, end=False)
        self._feed(Begin())

    def end(self, detail: str) -> None:
        """End the members in the reverse of their order."""
        if self._core is None:
            self._finished(Stopped(detail))
        else:
            self._feed(StopAsked(Stopped(detail)))

    def hold(self) -> None:
        """Let no member start until it begins anew; what runs runs on."""
        self._core, self._up, self.failed, self.reason = None, False, False, ""
        for member in self._members.values():
            member.goal = _Goal.NONE
            self._shut(member, end=False)

    def let_go(self) -> None:
        """Leave the members to themselves."""
        self._core = None
        for member in self._members.values():
            self._world.open(member.address)

    def changed(self, address: str) -> None:
        """Look at a member that has changed."""
        self._look(self._members[address])

    def delay_over(self, event: DelayOver) -> None:
        """A delay that the core asked for has passed."""
        self._feed(event)

    def view(self) -> GroupView:
        """Return how the group is shown."""
        members = tuple(self._member_view(member) for member in self._members.values())
        return GroupView(
            name=self.definition.name,
            spec=self.definition.spec,
            state=self._state(),
            reason=self.reason,
            restarts=sum(member.restarts for member in members),
            members=members,
            source=self.definition.source,
        )

    # ---- the core ----

    def _feed(self, event: CoreEvent) -> None:
        """Let the core take note of an event, after those that came before it.

        What is done for one event may bring about the next: a member that is there already, a group that fails at once.
        """
        self._events.append(event)
        if self._feeding:
            return
        self._feeding = True
        try:
            while self._events:
                found = self._events.popleft()
                for effect in self._core.handle(found, self._world.now()) if self._core is not None else ():
                    self._obey(effect)
        finally:
            self._feeding = False

    def _obey(self, effect: Effect) -> None:
        match effect:
            case StartChild(spec=spec, incarnation=incarnation):
                self._aim(self._members[spec.id], incarnation, _Goal.UP)
            case StopChild(id=address, incarnation=incarnation):
                member = self._members[address]
                self._shut(member, end=True)
                self._aim(member, incarnation, _Goal.DOWN)
            case Delay(id=address, incarnation=incarnation, seconds=seconds):
                self._world.delay(self.address, DelayOver(address, incarnation), seconds)
            case CancelDelay(id=address):
                self._world.cancel_delay(self.address, address)
            case Restarting(id=address):
                self._members[address].restarts += 1
            case GivenUp(id=address, restarts=restarts):
                self.reason = f"{_name(address)} kept failing ({restarts} times in a row)"
            case AllUp():
                self._up = True
                self._world.settled(self)
                if self.parent is not None:
                    self.parent.changed(self.address)
            case Finish(reason=reason):
                self._finished(reason)
            case Answer():
                raise AssertionError("a group answers nobody")
            case _:
                assert_never(effect)

    def _finished(self, reason: ExitReason) -> None:
        self._core, self._up = None, False
        self.failed = isinstance(reason, Crashed)
        if self.failed:
            self.reason = f"gave up: it {describe(reason)}"
        for member in self._members.values():
            member.goal = _Goal.NONE
            self._shut(member, end=False)
        self._world.settled(self)
        if self.parent is not None:
            self.parent.changed(self.address)

    # ---- members ----

    def _aim(self, member: _Member, incarnation: int, goal: _Goal) -> None:
        member.incarnation, member.goal = incarnation, goal
        nested = self._world.group(member.address)
        if nested is not None and goal is _Goal.UP:
            nested.begin()
        elif nested is not None:
            nested.end(f"{self.address} asks for it")
        self._look(member)

    def _look(self, member: _Member) -> None:
        if self._core is None or member.incarnation == 0:
            return
        if member.address.startswith(f"{GROUPS}/"):
            self._look_at_group(member, self._world.group(member.address))
        else:
            self._look_at_unit(member, self._world.view(member.address))

    def _look_at_group(self, member: _Member, nested: GroupNode | None) -> None:
        match member.goal:
            case _Goal.UP if nested is None or nested.is_up:
                self._reached(member, Started(member.address, member.incarnation))
            case _Goal.DOWN if nested is None or not nested.active:
                self._reached(member, Ended(member.address, member.incarnation, Stopped("its group")))
            case _Goal.UP | _Goal.NONE if nested is not None and nested.failed:
                self._reached(member, Ended(member.address, member.incarnation, _crash(nested.reason)))
            case _:
                pass

    def _look_at_unit(self, member: _Member, view: UnitView | None) -> None:
        if view is not None and view.status.state is State.UNKNOWN:
            return
        failed = view is not None and has_failed(view, member.heard)
        if view is not None:
            gave_up_before, member.gave_up = member.gave_up, escalates(view)
            member.heard = view.status.exit
            if member.gave_up and not gave_up_before and member.goal is not _Goal.DOWN:
                error = RestartsExhausted(member.address, view.status.restarts, _crash(view.status.reason))
                self._feed(StopAsked(Crashed.by(error)))
                return
        match member.goal:
            case _Goal.UP:
                self._look_for_start(member, view)
            case _Goal.DOWN:
                if is_down(view):
                    self._reached(member, Ended(member.address, member.incarnation, Stopped("its group")))
            case _Goal.NONE:
                self._look_at_life(member, view, failed=failed)
            case _Goal.TURN:
                pass

    def _look_for_start(self, member: _Member, view: UnitView | None) -> None:
        if view is not None and escalates(view):
            # It gave up before, which was why its group ended; now that this begins anew, so does the member.
            self._world.open(member.address)
            self._world.revive(member.address)
        elif is_settled(view):
            self._shut_while_up(member)
            self._reached(member, Started(member.address, member.incarnation))
        elif view is not None and view.status.state is not State.BACKOFF:
            # An open gate ends a backoff, and how long that is is for the member to say.
            self._world.open(member.address)

    def _look_at_life(self, member: _Member, view: UnitView | None, *, failed: bool) -> None:
        if failed and view is not None:
            self._reached(member, Ended(member.address, member.incarnation, _crash(view.status.reason)))
        elif view is not None and waits_at_gate(view, self.address):
            # Somebody has started or restarted this one alone: that concerns nobody else.
            self._world.open(member.address)
        elif view is not None and view.status.state is State.RUNNING:
            self._shut_while_up(member)

    def _shut_while_up(self, member: _Member) -> None:
        if self.definition.spec.strategy is Strategy.ONE_FOR_ONE:
            self._world.open(member.address)
        else:
            self._shut(member, end=False)

    def _reached(self, member: _Member, event: Started | Ended) -> None:
        member.goal = _Goal.NONE if isinstance(event, Started) else _Goal.TURN
        self._feed(event)

    def _shut(self, member: _Member, *, end: bool) -> None:
        nested = self._world.group(member.address)
        if nested is None:
            self._world.shut(member.address, self.address, self._sentence(), end=end)

    def _sentence(self) -> str:
        name = self.definition.name
        if self.failed:
            return f"its group {name}, which has failed: start it again (hoody groups start {name})"
        return f"its group {name}"

    # ---- how it is shown ----

    def _state(self) -> GroupState:
        if self.failed:
            return GroupState.FAILED
        views = [self._world.view(address) for address in self._members if not address.startswith(f"{GROUPS}/")]
        nested = [found.view().state for found in map(self._world.group, self._members) if found is not None]
        if all(map(is_off, views)) and all(state is GroupState.STOPPED for state in nested):
            return GroupState.STOPPED
        if not self._up:
            return GroupState.STARTING
        well = all(is_off(view) or (view is not None and view.status.state is State.RUNNING) for view in views)
        return GroupState.UP if well and all(state is GroupState.UP for state in nested) else GroupState.DEGRADED

    def _member_view(self, member: _Member) -> MemberView:
        nested, view = self._world.group(member.address), self._world.view(member.address)
        state: State | GroupState | None = view.status.state if view is not None else None
        if nested is not None:
            state = nested.view().state
        return MemberView(address=member.address, state=state, restarts=member.restarts)


def _crash(sentence: str) -> Crashed:
    return Crashed.by(MemberFailed(sentence))


def _name(address: str) -> str:
    return address.partition("/")[2]
