"""Clear an incarnation away: kill what is left of it and look again, until nothing is left or the time is up."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Final

import trio
from attrs import define

from supervisor.agents.children import Census
from supervisor.agents.exits import ExitWatcher, Watched
from supervisor.agents.killing import AT_ONCE, Victims
from supervisor.agents.marks import Mark
from supervisor.agents.pidfd import open_pidfd, send_signal
from supervisor.agents.scan import Shared, take_picture
from supervisor.agents.tree import Picture, Process, Wanted, members

_ROUND: Final = 0.25
"""Seconds after which what does not die is looked at again: it may have made new processes, or need another signal."""


_MOST_LOOKS: Final = 10
"""So often it is looked for new processes; what makes them faster than that is not to be caught by looking."""


def _send(pid: int, start_time: int, number: int) -> None:
    pidfd = open_pidfd(pid, start_time)
    if pidfd is None:
        return
    try:
        with contextlib.suppress(PermissionError):  # another user's program, which only its own signals reach
            send_signal(pidfd, number)
    finally:
        os.close(pidfd)


@define(eq=False)
class Target:
    """An incarnation to be cleared away, and what is known of its processes so far."""

    watched: Watched
    mark: Mark
    kin: frozenset[tuple[int, int]] = frozenset()


class Sweeper:
    """Clears incarnations away. All that are cleared at the same time share their looks at the process table."""

    def __init__(self, exits: ExitWatcher, *, subreaper: bool) -> None:
        self._exits = exits
        self._subreaper = subreaper
        self._census = Census(exits)
        self._pictures: Shared[Picture] = Shared(take_picture)

    async def clear(self, target: Target, deadline: float) -> tuple[int, ...]:
        """Do as :meth:`supervisor.units.driver.Incarnation.clear` says."""
        watched = target.watched
        while True:
            # Looked at before anything is killed: with the main process go the links to what it has made.
            left = await self._left(target)
            if not left and not watched.watching:
                return ()
            with trio.move_on_at(min(deadline, trio.current_time() + _ROUND)):
                await self._kill(left, watched)
            if trio.current_time() >= deadline:
                return tuple(process.pid for process in await self._left(target))

    async def signal_all(self, target: Target, number: int) -> None:
        """Send a signal to every process of the incarnation, those included that are made meanwhile."""
        reached: set[tuple[int, int]] = set()
        for _ in range(_MOST_LOOKS):
            found = {(process.pid, process.stat.start_time) for process in await self._left(target)}
            if found <= reached:
                return
            for pid, start_time in found - reached:
                _send(pid, start_time, number)
            reached |= found

    async def _left(self, target: Target) -> list[Process]:
        """Return what is left of the incarnation, by the cheapest look that is certain."""
        watched, mark = target.watched, target.mark
        if watched.end is not None and watched.ours and self._subreaper and not target.kin:
            strangers = self._census.strangers(watched.end)
            if not any(stranger.seal is None or stranger.seal == mark.seal for stranger in strangers):
                return []
        identity = watched.identity
        wanted = Wanted(mark=mark, main=identity.pid, start_time=identity.start_time, kin=target.kin)
        found = members(await self._pictures.fresh(), wanted)
        target.kin = frozenset((process.pid, process.stat.start_time) for process in found)
        return found

    async def _kill(self, left: list[Process], watched: Watched) -> None:
        """Kill and wait; the caller bounds the time."""
        # The kernel kills a group in one step, so that no member can slip away by forking meanwhile.
        with contextlib.suppress(PermissionError):  # another user's program: named when the time is up
            watched.signal(signal.SIGKILL, whole_group=True)
        with Victims() as victims:
            victims.kill(left[:AT_ONCE])
            if left and not victims:
                await trio.sleep_forever()  # none of them can be killed now; try again in the next round
            await victims.gone(self._exits.watches)
        if len(left) <= AT_ONCE:
            await watched.over()
