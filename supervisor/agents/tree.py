"""Decide which processes belong to an incarnation. Pure: a picture of the process table in, processes out.

A process belongs to it if it is the main process, carries its seal or its mark, is in the session or the group that the
main process leads, or has belonged to it before; and so does everything below such a process. The daemon itself and
what is above it never do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from attrs import frozen

from supervisor.agents.identity import Stat
from supervisor.agents.marks import Mark


class Process(NamedTuple):
    """A process in a picture of the process table."""

    stat: Stat
    seal: int | None
    mark: Mark | None
    """Looked for only where there is no seal."""

    @property
    def pid(self) -> int:
        """Its number at the time of the picture."""
        return self.stat.pid


@frozen
class Picture:
    """The process table at (nearly) one instant, as seen by the process with the pid ``taken_by``."""

    processes: Mapping[int, Process]
    taken_by: int

    def __iter__(self) -> Iterator[Process]:
        return iter(self.processes.values())

    def lineage(self, pid: int) -> frozenset[int]:
        """Return ``pid`` and everything above it."""
        found = []
        while pid in self.processes and pid not in found:
            found.append(pid)
            pid = self.processes[pid].stat.parent
        return frozenset(found)


@frozen(kw_only=True)
class Wanted:
    """The incarnation whose processes are looked for."""

    mark: Mark
    main: int
    start_time: int
    kin: frozenset[tuple[int, int]] = frozenset()
    """Pids and start times of processes that an earlier picture has shown to belong to it: links vanish, this stays."""


def members(picture: Picture, wanted: Wanted) -> list[Process]:
    """Return every process of the incarnation in which something still runs, oldest first."""
    roots = {process.pid for process in picture if _is_root(picture, process, wanted)}
    ours = with_descendants(picture, roots)
    spared = picture.lineage(picture.taken_by)
    alive = (picture.processes[pid] for pid in ours - spared)
    return sorted((found for found in alive if not found.stat.dead), key=lambda found: found.stat.start_time)


def with_descendants(picture: Picture, roots: Iterable[int]) -> set[int]:
    """Return ``roots`` and every process below one of them."""
    children: dict[int, list[int]] = {}
    for process in picture:
        children.setdefault(process.stat.parent, []).append(process.pid)
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting.extend(children.get(pid, ()))
    return found


def _is_root(picture: Picture, process: Process, wanted: Wanted) -> bool:
    if (process.pid, process.stat.start_time) in wanted.kin:
        return True
    if process.seal is not None:
        if process.seal == wanted.mark.seal:
            return True
    elif process.mark == wanted.mark:
        return True
    # The numbers of a session and a group belong to the main process only as long as it is in the table.
    main = picture.processes.get(wanted.main)
    if main is None or main.stat.start_time != wanted.start_time:
        return False
    return wanted.main in {process.pid, process.stat.session, process.stat.group}
