"""Find the processes of many incarnations in one picture of the process table, at the cost of one walk. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from supervisor.agents.marks import Mark
from supervisor.agents.tree import Picture, Process

Family = tuple[Process, ...]


def families(picture: Picture, wanted: Mapping[Mark, int]) -> Mapping[Mark, Family]:
    """Return, for each mark, the processes that belong to it; ``wanted`` gives the pid of the main one.

    The rules are those of :func:`supervisor.agents.tree.members`: the seal or else the mark, the session or the group
    of the main process, and everything below such a process. What belongs to two incarnations (an agent that was
    started by another) counts for the one whose mark it carries, or whose process is nearer above it.
    """
    owners = _Owners(picture, wanted)
    spared = picture.lineage(picture.taken_by)
    found: dict[Mark, list[Process]] = {mark: [] for mark in wanted}
    for process in picture:
        owner = owners.of(process)
        if owner is not None and process.pid not in spared and not process.stat.dead:
            found[owner].append(process)
    return {mark: tuple(family) for mark, family in found.items()}


class _Owners:
    def __init__(self, picture: Picture, wanted: Mapping[Mark, int]) -> None:
        self._picture = picture
        self._marks = {mark.seal: mark for mark in wanted}
        # A pid that somebody else has by now leads nobody's session.
        self._leaders = {pid: mark for mark, pid in wanted.items() if self._speaks_for(pid, mark)}
        self._known: dict[int, Mark | None] = {}

    def _speaks_for(self, pid: int, mark: Mark) -> bool:
        main = self._picture.processes.get(pid)
        if main is None:
            return False
        return main.seal == mark.seal if main.seal is not None else main.mark in {None, mark}

    def of(self, process: Process) -> Mark | None:
        """Return whose a process is; each link upwards is looked at once, whatever the number of processes."""
        path: list[int] = []
        current: Process | None = process
        owner: Mark | None = None
        while current is not None and current.pid not in path:
            if current.pid in self._known:
                owner = self._known[current.pid]
                break
            path.append(current.pid)
            owner = self._own(current)
            if owner is not None:
                break
            current = self._picture.processes.get(current.stat.parent)
        self._remember(path, owner)
        return owner

    def _remember(self, pids: Iterable[int], owner: Mark | None) -> None:
        for pid in pids:
            self._known[pid] = owner

    def _own(self, process: Process) -> Mark | None:
        if process.seal is not None and process.seal in self._marks:
            return self._marks[process.seal]
        if process.seal is None and process.mark is not None and process.mark.seal in self._marks:
            return process.mark
        leaders, stat = self._leaders, process.stat
        return leaders.get(process.pid) or leaders.get(stat.session) or leaders.get(stat.group)
