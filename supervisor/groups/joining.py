"""The part of groups in an apply: what is to be written with the units, and how the keeper of groups hears of it.

planned     the keeper has said what it wants written, and changes nothing else until this is over
written     it is on disk with the units; the keeper takes the groups up, and holds their members
concluded   the units are there and the members are started, or everything is as it was before
"""

from __future__ import annotations

from typing import Final

import trio
from attrs import define, field

from supervisor.errors import Unavailable

LONGEST: Final = 300.0
"""Seconds after which the keeper of groups gives up an apply that nobody concludes."""
TAKE_UP_WITHIN: Final = 10.0
"""Seconds in which the groups are taken up: nothing of it waits for anything."""

Documents = tuple[tuple[str, str, str], ...]
Names = tuple[tuple[str, str], ...]


@define(eq=False)
class GroupsJoint:
    """One apply, between whoever writes and the keeper of groups."""

    documents: Documents = ()
    """What is to be written: kind, name and text."""
    forget: Names = ()
    documents_before: Documents = ()
    """What has to be written where all of it is taken back."""
    forget_again: Names = ()
    over: bool = False
    """Whether it is concluded."""
    _kept: bool = False
    _left: bool = False
    _written: trio.Event = field(factory=trio.Event)
    _taken_up: trio.Event = field(factory=trio.Event)
    _concluded: trio.Event = field(factory=trio.Event)

    # ---- for whoever writes ----

    def require(self) -> None:
        """Raise ``Unavailable`` where the keeper of groups is not there any more: nothing may be written then."""
        if self._left:
            raise Unavailable("the keeper of groups is being replaced", hint="try again in a moment")

    async def written(self) -> None:
        """Tell that it is on disk, and wait until the groups hold their members, or their next keeper has read it."""
        self._written.set()
        with trio.move_on_after(TAKE_UP_WITHIN):
            await self._taken_up.wait()

    def conclude(self, *, kept: bool) -> None:
        """Tell how it has ended. Only the first time counts."""
        if not self.over:
            self.over, self._kept = True, kept
            self._written.set()
            self._concluded.set()

    # ---- for the keeper of groups ----

    async def until_written(self) -> bool:
        """Wait until it is on disk; False where it never will be."""
        with trio.move_on_after(LONGEST):
            await self._written.wait()
        return self._written.is_set() and not self.over

    def taken_up(self) -> None:
        """Tell that the groups hold their members."""
        self._taken_up.set()

    async def until_concluded(self) -> bool:
        """Wait for the end; tell whether what was written holds."""
        with trio.move_on_after(LONGEST):
            await self._concluded.wait()
        return self._kept or not self.over

    def leave(self) -> None:
        """Tell that the keeper takes no part any more."""
        self._left = True
        self._taken_up.set()
