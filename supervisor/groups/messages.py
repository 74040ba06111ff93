"""The messages that the keeper of all groups understands; it is registered as "groups"."""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

from supervisor.declared.groups import GroupPlan
from supervisor.groups.joining import GroupsJoint
from supervisor.groups.spec import GroupDefinition, GroupView
from supervisor.runtime import Reply


@frozen(kw_only=True)
class DefineGroup:
    """Define a group, or with ``replace`` give one that exists a new definition. Answers once it is on disk.

    The members that run run on, and are supervised together from then on.
    Errors: ``AlreadyExists``, ``NotFound``, ``InvalidInput`` for members that do not exist or belong to another group
    and for groups that contain themselves, ``StorageError``.
    """

    definition: GroupDefinition
    replace: bool
    reply_to: Reply[GroupView]


@frozen(kw_only=True)
class ApplyGroups:
    """Plan what a document declares of groups, beside the ``units`` that there will be (their addresses).

    Answers with the plan, and with what is to be written in the ``joint``; from then on until that is concluded no
    group is defined by anybody else. Errors: ``InvalidInput``, paths beginning with ``groups``.
    """

    definitions: tuple[GroupDefinition, ...]
    source: str
    prune: bool
    units: frozenset[str]
    joint: GroupsJoint
    reply_to: Reply[GroupPlan]


@frozen(kw_only=True)
class ForgetGroup:
    """Forget a group; its members go on by themselves. Errors: ``NotFound``, ``StorageError``."""

    name: str
    reply_to: Reply[None]


@frozen(kw_only=True)
class ListGroups:
    """Answer with every group, ordered by name."""

    reply_to: Reply[tuple[GroupView, ...]]


@frozen(kw_only=True)
class GetGroup:
    """Answer with one group. Error: ``NotFound``."""

    name: str
    reply_to: Reply[GroupView]


@frozen(kw_only=True)
class StartGroup:
    """Start every member, in the order of the group, and remember that they should run.

    Answers when they are being started, or with ``wait`` when the group is up or has failed.
    """

    name: str
    wait: bool
    reply_to: Reply[GroupView]


@frozen(kw_only=True)
class StopGroup:
    """Stop every member, one after the other in the reverse order, and remember that they should stay stopped.

    Answers when nothing of them runs.
    """

    name: str
    reply_to: Reply[GroupView]


@frozen(kw_only=True)
class RestartGroup:
    """Stop every member in the reverse order, then start them in theirs. ``wait`` as in :class:`StartGroup`."""

    name: str
    wait: bool
    reply_to: Reply[GroupView]


GroupRequest: TypeAlias = (
    ApplyGroups | DefineGroup | ForgetGroup | ListGroups | GetGroup | StartGroup | StopGroup | RestartGroup
)
