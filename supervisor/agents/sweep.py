"""Clear an incarnation away: kill what is left of it and look again, until nothing is left or the time is up."""

from __future__ import annotations

import contextlib
import signal
from typing import Final

import trio

from supervisor.agents.children import Census
from supervisor.agents.exits import ExitWatcher, Watched
from supervisor.agents.killing import AT_ONCE, Victims
from supervisor.agents.marks import Mark
from supervisor.agents.scan import Shared, take_picture
from supervisor.agents.tree import Picture, Process, Wanted, members

_ROUND: Final = 0.25
"""Seconds after which what does not die is looked at again: it may have made new processes, or need another signal."""


class Sweeper:
    """Clears incarnations away. All that are cleared at the same time share their looks at the process table."""

    def __init__(self, exits: ExitWatcher, *, subreaper: bool) -> None:
        self._exits = exits
        self._subreaper = subreaper
        self._census = Census(exits)
        self._pictures: Shared[Picture] = Shared(take_picture)

    async def clear(self, watched: Watched, mark: Mark, deadline: float) -> tuple[int, ...]:
        """Do as :meth:`supervisor.units.driver.Incarnation.clear` says."""
        # The kernel kills a group in one step, so that no member can slip away by forking meanwhile.
        with contextlib.suppress(PermissionError):  # another user's program: found again and named below
            watched.signal(signal.SIGKILL, whole_group=True)
        while True:
            left = await self._left(watched, mark)
            if not left and not watched.watching:
                return ()
            with trio.move_on_at(min(deadline, trio.current_time() + _ROUND)):
                await self._kill(left, watched)
            if trio.current_time() >= deadline:
                return tuple(process.pid for process in await self._left(watched, mark))

    async def _left(self, watched: Watched, mark: Mark) -> list[Process]:
        """Return what is left of the incarnation, by the cheapest look that is certain."""
        if watched.end is not None and watched.ours and self._subreaper:
            strangers = self._census.strangers(watched.end)
            if not any(stranger.seal is None or stranger.seal == mark.seal for stranger in strangers):
                return []
        wanted = Wanted(mark=mark, main=watched.identity.pid, start_time=watched.identity.start_time)
        return members(await self._pictures.fresh(), wanted)

    async def _kill(self, left: list[Process], watched: Watched) -> None:
        """Kill and wait; the caller bounds the time."""
        with Victims() as victims:
            victims.kill(left[:AT_ONCE])
            if left and not victims:
                await trio.sleep_forever()  # none of them can be killed now; try again in the next round
            await victims.gone(self._exits.watches)
        if len(left) <= AT_ONCE:
            await watched.over()
