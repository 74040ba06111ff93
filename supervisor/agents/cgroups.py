"""Kernel control groups: one for each incarnation with a limit on memory, processors or processes.

Version 1 has a tree per controller, version 2 one for all; a machine may have both at once. Groups of ours lie below
the group that the daemon itself is in, in a folder named after its instance, so that whatever limits the daemon limits
its agents too. Whether that can be done is found out by doing it, once, when the first unit needs it.

A group is joined after the start, since only then there is a process: by the main process first, then by whatever it
has started in the meantime. What is started from then on is born in the group.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from attrs import frozen

from supervisor.agents.pidfd import send_signal

MEMORY, CPU, PROCESSES = "memory", "cpu", "processes"
CONTROLLERS: Final[Mapping[str, str]] = {MEMORY: "memory", CPU: "cpu", PROCESSES: "pids"}
"""The keys of ``limits`` that the kernel enforces by groups, and what it calls them."""
CPU_PERIOD: Final = 100_000
"""Microseconds over which a share of the processors is counted."""
_SMALLEST_QUOTA: Final = 1_000
"""The kernel takes no less."""
_PROCS: Final = "cgroup.procs"
_HOME: Final = "daemon"
"""The leaf that the daemon moves into, where version 2 allows no process in a group that hands controllers on."""


@frozen
class Hierarchy:
    """A tree of groups in which a controller works; ``folder`` is ours in it."""

    version: int
    folder: Path


@frozen
class ControlGroup:
    """The group of one incarnation: a folder in each tree that is needed. Everything in it blocks, though not long."""

    folders: tuple[Path, ...]

    def join(self, pid: int) -> None:
        """Put a process and all that it has started into the group. One that has ended needs none. ``OSError``."""
        waiting, seen = [pid], set[int]()
        while waiting:
            current = waiting.pop()
            seen.add(current)
            for folder in self.folders:
                with suppress(ProcessLookupError):
                    (folder / _PROCS).write_text(str(current))
            # Those that it has started before it was in the group; later ones are in it by birth.
            waiting += [child for child in _children(current) if child not in seen]

    def pids(self) -> set[int]:
        """Return the processes in it."""
        found: set[int] = set()
        for folder in self.folders:
            with suppress(FileNotFoundError):
                found.update(map(int, (folder / _PROCS).read_text().split()))
        return found

    def kill(self) -> None:
        """Send KILL to every process in it."""
        for folder in self.folders:
            try:
                # Version 2, Linux 5.14: in one step, so that none slips away by forking.
                (folder / "cgroup.kill").write_text("1")
            except OSError:
                self._kill_one_by_one()
                return

    def _kill_one_by_one(self) -> None:
        for pid in self.pids():
            with suppress(OSError):
                pidfd = os.pidfd_open(pid)
                try:
                    # The number may have become somebody else's between the two: now that it is held, it cannot.
                    if pid in self.pids():
                        send_signal(pidfd, signal.SIGKILL)
                finally:
                    os.close(pidfd)

    def memory_kills(self) -> int:
        """Return how many of its processes the kernel has killed because the group had no memory left."""
        for folder in self.folders:
            for name in ("memory.events", "memory.oom_control"):
                with suppress(OSError):
                    for line in (folder / name).read_text().splitlines():
                        word, _, number = line.partition(" ")
                        if word == "oom_kill":
                            return int(number)
        return 0

    def remove(self) -> bool:
        """Remove the group; False where something of it is still there."""
        gone = True
        for folder in self.folders:
            try:
                folder.rmdir()
            except FileNotFoundError:
                continue
            except OSError:
                gone = False
        return gone


@frozen(kw_only=True)
class Bounds:
    """What a group may use; None is no limit."""

    memory: int | None = None
    cpu: float | None = None
    processes: int | None = None

    def given(self) -> list[str]:
        """Return which of them are set."""
        values = {MEMORY: self.memory, CPU: self.cpu, PROCESSES: self.processes}
        return [key for key, value in values.items() if value is not None]


class ControlGroups:
    """The groups of one daemon."""

    def __init__(self, instance: str, *, process: Path = Path("/proc/self")) -> None:
        self._name = f"hoody-{instance[:16]}"
        self._process = process
        self._found: Mapping[str, Hierarchy] | None = None

    @property
    def hierarchies(self) -> Mapping[str, Hierarchy]:
        """The trees that can be used, by key of ``limits``; looked for once, when somebody needs to know."""
        if self._found is None:
            self._found = find_hierarchies(self._name, self._process)
        return self._found

    def make(self, name: str, bounds: Bounds) -> ControlGroup | None:
        """Make a group with those of the bounds that can be enforced; None where that is none. ``OSError``."""
        wanted = [key for key in bounds.given() if key in self.hierarchies]
        if not wanted:
            return None
        group = self._group(name, wanted)
        try:
            for folder in group.folders:
                folder.mkdir(exist_ok=True)
            for key in wanted:
                hierarchy = self.hierarchies[key]
                _bound(hierarchy.folder / name, hierarchy.version, key, bounds)
        except OSError:
            group.remove()
            raise
        return group

    def find(self, name: str, bounds: Bounds) -> ControlGroup | None:
        """Return a group that was made earlier, perhaps by another daemon; None where it is not there."""
        wanted = [key for key in bounds.given() if key in self.hierarchies]
        group = self._group(name, wanted)
        return group if wanted and all(folder.is_dir() for folder in group.folders) else None

    def close(self) -> None:
        """Remove what is empty. Groups in which something runs stay, with their limits."""
        for folder in {hierarchy.folder for hierarchy in (self._found or {}).values()}:
            _remove_empty(folder)
            with suppress(OSError):
                folder.rmdir()

    def _group(self, name: str, keys: Iterable[str]) -> ControlGroup:
        return ControlGroup(tuple(dict.fromkeys(self.hierarchies[key].folder / name for key in keys)))


def find_hierarchies(name: str, process: Path) -> Mapping[str, Hierarchy]:
    """Make our folder in every tree in which we may, and return those by key of ``limits``."""
    paths = _own_paths((process / "cgroup").read_text())
    found: dict[str, Hierarchy] = {}
    for kind, options, mounted, root in _mounts((process / "mountinfo").read_text()):
        for key, controller in CONTROLLERS.items():
            if key in found:
                continue
            own = paths.get("" if kind == "cgroup2" else controller)
            if own is None or (kind == "cgroup" and controller not in options):
                continue
            base = mounted / os.path.relpath(own, root) if own.startswith(root) else mounted
            version = 2 if kind == "cgroup2" else 1
            if version == 2 and base.name == _HOME and (base.parent / name).is_dir():
                # This process has moved down before (an upgrade in place): what it has made is beside it.
                base = base.parent
            if version == 2 and not _hand_on(base, controller):
                continue
            if _take(base / name):
                found[key] = Hierarchy(version, base / name)
    for hierarchy in found.values():
        if hierarchy.version == 2:
            _hand_on(hierarchy.folder, *(CONTROLLERS[key] for key, each in found.items() if each.version == 2))
    return found


def _own_paths(text: str) -> Mapping[str, str]:
    """Read ``/proc/PID/cgroup``: the path of a process in the tree of each controller; that of version 2 by ''."""
    found = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            found[controller] = path
    return found


def _mounts(text: str) -> Iterator[tuple[str, Sequence[str], Path, str]]:
    """Read ``/proc/PID/mountinfo``: kind, options, place and root of every tree of groups."""
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, (kind, _, options) = left.split(), right.split(None, 2)
        if kind in {"cgroup", "cgroup2"}:
            yield kind, options.strip().split(","), Path(fields[4]), fields[3]


def _take(folder: Path) -> bool:
    """Have a folder of our own, without what an earlier daemon left empty in it."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return False
    _remove_empty(folder)
    return os.access(folder, os.W_OK)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        for entry in list(folder.iterdir()):
            if entry.is_dir():
                with suppress(OSError):  # something runs in it
                    entry.rmdir()


def _hand_on(folder: Path, *controllers: str) -> bool:
    """Let groups below ``folder`` use controllers (version 2)."""
    handed = folder / "cgroup.subtree_control"
    try:
        if set(controllers) <= set(handed.read_text().split()):
            return True
        if not set(controllers) <= set((folder / "cgroup.controllers").read_text().split()):
            return False
        words = " ".join(f"+{controller}" for controller in controllers)
        try:
            handed.write_text(words)
        except OSError:
            # A group that hands controllers on may hold no processes, and this one holds us.
            _move_down(folder)
            handed.write_text(words)
    except OSError:
        return False
    return True


def _move_down(folder: Path) -> None:
    """Move this process and its children into a leaf. ``OSError`` where others live in the group: it is not ours."""
    pids = set(map(int, (folder / _PROCS).read_text().split()))
    ours = _with_descendants(os.getpid())
    if not pids <= ours:
        raise PermissionError(f"{folder} holds processes of others")
    leaf = folder / _HOME
    leaf.mkdir(exist_ok=True)
    for pid in pids:
        with suppress(ProcessLookupError):
            (leaf / _PROCS).write_text(str(pid))


def _bound(folder: Path, version: int, key: str, bounds: Bounds) -> None:
    if key == MEMORY and bounds.memory is not None:
        names = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes") if version == 1 else ("memory.max",)
        for name in names:
            # Memory and swap together, where swap is counted at all: else the limit would only move things there.
            if name == names[0] or (folder / name).exists():
                (folder / name).write_text(str(bounds.memory))
        for name, value in (("memory.swap.max", "0"), ("memory.oom.group", "1")):
            if version == 2 and (folder / name).exists():
                (folder / name).write_text(value)
    elif key == CPU and bounds.cpu is not None:
        quota = max(_SMALLEST_QUOTA, round(bounds.cpu * CPU_PERIOD))
        if version == 2:
            (folder / "cpu.max").write_text(f"{quota} {CPU_PERIOD}")
        else:
            (folder / "cpu.cfs_period_us").write_text(str(CPU_PERIOD))
            (folder / "cpu.cfs_quota_us").write_text(str(quota))
    elif key == PROCESSES and bounds.processes is not None:
        (folder / "pids.max").write_text(str(bounds.processes))


def _with_descendants(pid: int) -> set[int]:
    found, waiting = set[int](), [pid]
    while waiting:
        current = waiting.pop()
        if current not in found:
            found.add(current)
            waiting += _children(current)
    return found


def _children(pid: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - names are wanted
            with suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    return found
