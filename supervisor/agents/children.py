"""Who is directly below this process.

The daemon is a child subreaper: when a process of an agent's tree ends, its children become children of the daemon. So
once a main process has ended, whatever is left of its tree hangs below *unexpected* direct children of the daemon, and
where there are none, nothing is left. That costs one read of a list, where a look through the whole of ``/proc`` costs
milliseconds.
"""

from __future__ import annotations

import os
from pathlib import Path

from attrs import frozen

from supervisor.agents.exits import ExitWatcher
from supervisor.agents.identity import Stat, read_proc, read_stat
from supervisor.agents.marks import seal_from


def direct_children() -> list[int]:
    """Return the pids of the children of this process, of whichever thread made them, zombies included.

    Complete as long as no other thread reaps children meanwhile.
    """
    found: list[int] = []
    try:
        for thread in Path("/proc/self/task").iterdir():
            found.extend(map(int, (thread / "children").read_bytes().split()))
    except FileNotFoundError:
        # A kernel without CONFIG_PROC_CHILDREN, or a thread that ended meanwhile: the long way round.
        return _children_by_parent()
    return found


def _children_by_parent() -> list[int]:
    own = os.getpid()
    stats = (read_stat(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
    return [stat.pid for stat in stats if stat is not None and stat.parent == own]


@frozen
class Stranger:
    """A living direct child of the daemon that is no main process: what an agent has left behind, or is starting."""

    stat: Stat
    seal: int | None


class Census:
    """Counts the strangers among the children, once for all who ask about ends before the count."""

    def __init__(self, exits: ExitWatcher) -> None:
        self._exits = exits
        self._taken_at = -1
        self._strangers: tuple[Stranger, ...] = ()

    def strangers(self, end: int) -> tuple[Stranger, ...]:
        """Return who was left at some time after the watcher's ``end``-th end.

        An older count stays good for it: later strangers can only stem from those already counted, or from others.
        """
        if self._taken_at < end:
            self._taken_at = self._exits.ends
            self._strangers = tuple(self._count())
        return self._strangers

    def _count(self) -> list[Stranger]:
        own_session = os.getsid(0)
        found = []
        for pid in direct_children():
            if self._exits.watches(pid):
                continue
            stat = read_stat(pid)
            # What is in our own session was started by a library of ours, not by an agent.
            if stat is not None and not stat.dead and stat.session != own_session:
                found.append(Stranger(stat, seal_from(read_proc(pid, "limits") or b"")))
        return found
