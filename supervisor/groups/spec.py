"""The definition of a group, and how it is shown. Frozen data, checked when it is made."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from attrs import field, frozen
from attrs.validators import ge

from supervisor.runtime import NO_BACKOFF, OnGiveUp, RestartPolicy, Strategy
from supervisor.units.dependency import check_reference
from supervisor.units.quantities import Duration
from supervisor.units.status import State

GROUPS: Final = "groups"
"""What the addresses of groups begin with, and the name of the actor that keeps them."""
_AGENTS: Final = "agents"


def _members(_instance: object, _attribute: object, value: tuple[str, ...]) -> None:
    if not value:
        raise ValueError("a group needs at least one member")
    for member in value:
        check_reference(member)
    addresses = [address_of_member(member) for member in value]
    twice = next((member for member in value if addresses.count(address_of_member(member)) > 1), None)
    if twice is not None:
        raise ValueError(f"names {twice!r} twice")


@frozen(kw_only=True)
class GroupSpec:
    """Units that are supervised together."""

    members: tuple[str, ...] = field(validator=_members)
    """In the order in which they are started: agents by name, other groups as ``groups/NAME``."""
    strategy: Strategy = Strategy.ONE_FOR_ONE
    """Which members are restarted with one that has failed: ``one_for_one``, ``one_for_all`` or ``rest_for_one``."""
    max_restarts: int = field(default=10, validator=ge(0))
    """More failures of one member than this within ``period`` are too many for the group."""
    period: Duration = Duration(60.0)
    """The window of ``max_restarts``."""
    on_give_up: OnGiveUp = OnGiveUp.RETRY
    """What follows then: ``retry`` goes on, ``fail`` goes on without the member, ``escalate`` ends the whole group."""

    @property
    def policy(self) -> RestartPolicy:
        """How the core counts a member's failures. When it is tried again is a matter of the member's own policy."""
        return RestartPolicy(
            backoff=NO_BACKOFF,
            max_restarts=self.max_restarts,
            period=self.period,
            on_give_up=self.on_give_up,
        )


@frozen(kw_only=True)
class GroupDefinition:
    """A named group."""

    name: str
    spec: GroupSpec
    source: str | None = None
    """Where it was declared, if it was applied; only an apply from there removes it by itself."""


class GroupState(StrEnum):
    """What a group is doing."""

    STOPPED = "stopped"
    """none of its members is to run"""
    STARTING = "starting"
    """its members are being started, in their order"""
    UP = "up"
    """every member that is to run runs"""
    DEGRADED = "degraded"
    """a member that is to run does not"""
    FAILED = "failed"
    """it has given up; its members are down until it is started again"""


@frozen(kw_only=True)
class MemberView:
    """A member as its group sees it. ``state`` is None where there is no such unit."""

    address: str
    state: State | GroupState | None
    restarts: int = 0
    """How often the group restarted because of it."""


@frozen(kw_only=True)
class GroupView:
    """A group as it is shown."""

    name: str
    spec: GroupSpec
    state: GroupState
    reason: str = ""
    restarts: int = 0
    """How often a failure of a member was dealt with since the group was last started."""
    members: tuple[MemberView, ...] = ()
    source: str | None = None
    """Where it was declared, if it was applied."""


def address_of_member(member: str) -> str:
    """Return the address of a member: an agent where only a name is given."""
    return member if "/" in member else f"{_AGENTS}/{member}"
