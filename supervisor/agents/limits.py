"""What a program may take at most, and by which means it is held to that.

Three ways: limits of the process itself (``prlimit``: open files, core, file size), control groups where we may have
them (memory, processors, processes), and, where we may not, a look every second at memory and processes; a share of the
processors cannot be enforced by looking, and the status says so.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from supervisor.agents.cgroups import CPU, MEMORY, PROCESSES, Bounds, ControlGroup, ControlGroups
from supervisor.agents.marks import Mark
from supervisor.agents.rights import Rights
from supervisor.errors import Problem
from supervisor.units.driver import ExitStatus
from supervisor.units.probes.spec import Limits
from supervisor.units.quantities import format_size

WATCHED: Final = "looked at every second, and ended where it takes more: no control group of this system is open to us"
NOT_ENFORCED: Final = "not enforced here: no control group of this system is open to the daemon"

_RLIMITS: Final = {
    "open_files": resource.RLIMIT_NOFILE,
    "core": resource.RLIMIT_CORE,
    "file_size": resource.RLIMIT_FSIZE,
}
_MOST_FILES: Final = Path("/proc/sys/fs/nr_open")


def bounds_of(limits: Limits) -> Bounds:
    """Return those limits that belong to a group of processes."""
    return Bounds(memory=limits.memory, cpu=limits.cpu, processes=limits.processes)


def enforcement(limits: Limits, groups: ControlGroups) -> Mapping[str, str]:
    """Say of each limit on a group of processes how it is enforced on this machine."""
    found = {}
    for key in bounds_of(limits).given():
        hierarchy = groups.hierarchies.get(key)
        if hierarchy is not None:
            found[key] = f"by the kernel (control group, version {hierarchy.version})"
        else:
            found[key] = NOT_ENFORCED if key == CPU else WATCHED
    return found


def watched_limits(limits: Limits, groups: ControlGroups) -> Limits | None:
    """Return those limits that have to be enforced by looking; None where there are none."""
    memory = None if MEMORY in groups.hierarchies else limits.memory
    processes = None if PROCESSES in groups.hierarchies else limits.processes
    return None if memory is None and processes is None else Limits(memory=memory, processes=processes)


def refused_limits(limits: Limits, rights: Rights) -> Iterator[Problem]:
    """Tell which limits of a process this daemon may not give, since they are above its own."""
    for key, number in _RLIMITS.items():
        value: int | None = getattr(limits, key)
        if value is None:
            continue
        _, hard = resource.getrlimit(number)
        most = None if rights.raise_limits or hard == resource.RLIM_INFINITY else hard
        if number == resource.RLIMIT_NOFILE and rights.raise_limits:
            most = int(_MOST_FILES.read_text())
        if most is not None and value > most:
            yield Problem(f"limits.{key}", f"this daemon may give {most} at most, got {value}")


def limit_process(pid: int, limits: Limits) -> None:
    """Set the limits of a process that has just been started. ``OSError`` where the system refuses."""
    for key, number in _RLIMITS.items():
        value: int | None = getattr(limits, key)
        if value is not None:
            with suppress(ProcessLookupError):  # it has ended, and needs none
                resource.prlimit(pid, number, (value, value))


def make_group(groups: ControlGroups, mark: Mark, limits: Limits) -> ControlGroup | None:
    """Make the control group of an incarnation; None where it needs none. ``OSError``."""
    return groups.make(_name(mark), bounds_of(limits))


def find_group(groups: ControlGroups, mark: Mark, limits: Limits) -> ControlGroup | None:
    """Return the control group that an incarnation was started in."""
    return groups.find(_name(mark), bounds_of(limits))


def blame(status: ExitStatus, group: ControlGroup, limits: Limits) -> str:
    """Say, where that is so, that an end came of the memory limit; empty where it did not."""
    if limits.memory is None or not status.known or status.code == 0:
        return ""
    kills = group.memory_kills()
    if not kills:
        return ""
    whom = "it" if status.signal is not None else "a process of it"
    return f"the kernel killed {whom} for going over its memory limit of {format_size(limits.memory)}"


def _name(mark: Mark) -> str:
    return f"{mark.unit}.{mark.incarnation}"
