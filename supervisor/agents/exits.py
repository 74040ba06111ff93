"""Watch every main process for its end, all of them with one task.

All pidfds are in one epoll set, and trio waits for that set. What is watched lives in :class:`ExitWatcher` itself; the
task that runs :meth:`ExitWatcher.run` only waits, so it can crash and be started again without an end being lost: the
kernel keeps a dead child until it is reaped, and a set that is polled again shows what was not dealt with.

The status of a child comes from ``waitid``. An adopted process is not our child, so its status is read from what init
leaves: the zombie's line in ``/proc``, or the kernel's note on the pidfd (Linux 6.15 and later). Where init was quicker
on an older kernel, the status is unknown and said to be so.
"""

from __future__ import annotations

import os
import select
import signal
from typing import Final

import trio
from attrs import define

from supervisor.agents.identity import parse_stat, read_proc
from supervisor.agents.memory import OutOfMemory
from supervisor.agents.pidfd import reaped_status, send_group_signal, send_signal
from supervisor.errors import HoodyBug
from supervisor.units.driver import ExitStatus, Identity, OnExit

_BATCH: Final = 128
_CLAIM: Final = 30.0
"""Seconds for which the status of a process that was given up is kept for the next owner."""
_RELUCTANT_PAUSE: Final = 0.05
"""Seconds between looks at a dead process that a debugger does not let go of."""


@define(kw_only=True, eq=False)
class Watched:
    """A main process that is looked after."""

    identity: Identity
    pidfd: int
    on_exit: OnExit
    killed: bool = False
    """We have sent SIGKILL, so nobody else is to blame for it."""
    ours: bool = True
    """It was still our child when it ended."""
    end: int | None = None
    """How many ends the watcher had seen when this one came; None while it runs or when it was given up."""
    watching: bool = True
    """Its end is still awaited, so pid and pidfd are certainly its own."""
    _over: trio.Event | None = None

    async def over(self) -> None:
        """Wait until its end was reported, or nobody looks after it any more."""
        if self.watching:
            # Made when it is needed: most processes of a thousand are never waited for in this way.
            if self._over is None:
                self._over = trio.Event()
            await self._over.wait()

    def close(self) -> None:
        """Say that its end is no longer awaited, and give the descriptor back."""
        self.watching = False
        os.close(self.pidfd)
        if self._over is not None:
            self._over.set()

    def signal(self, number: int, *, whole_group: bool) -> None:
        """Send a signal, or do nothing once its end is known. ``OSError`` where the system refuses."""
        if not self.watching:
            return
        self.killed = self.killed or number == signal.SIGKILL
        if whole_group:
            send_group_signal(self.pidfd, self.identity.pid, number)
        else:
            send_signal(self.pidfd, number)


class ExitWatcher:
    """The table of main processes, and the one who waits for them. Used from the trio thread only."""

    def __init__(self, memory: OutOfMemory) -> None:
        self.ends = 0
        self._memory = memory
        self._by_pidfd: dict[int, Watched] = {}
        self._pids: dict[int, Watched] = {}
        self._given_up: dict[int, float] = {}
        self._epoll: select.epoll | None = None
        self._reluctant: set[int] = set()

    def watch(self, identity: Identity, pidfd: int, on_exit: OnExit) -> Watched:
        """Look after a process, and report its end later. The pidfd belongs to the watcher from here on."""
        if identity.pid in self._pids:
            raise HoodyBug(f"process {identity.pid} is looked after already; its owner must let go of it first")
        watched = Watched(identity=identity, pidfd=pidfd, on_exit=on_exit)
        self._given_up.pop(identity.pid, None)
        if self._epoll is not None:
            self._epoll.register(pidfd, select.EPOLLIN)
        self._by_pidfd[pidfd] = watched
        self._pids[identity.pid] = watched
        return watched

    def give_up(self, watched: Watched) -> None:
        """Look after it no longer; its end is not reported from then on. Idempotent."""
        if watched.watching:
            self._drop(watched)
            self._given_up[watched.identity.pid] = trio.current_time()

    def watches(self, pid: int) -> bool:
        """Tell whether ``pid`` is a main process that is looked after."""
        return pid in self._pids

    def claims(self, pid: int) -> bool:
        """Tell whether the status of ``pid`` must not be taken away.

        That is so for a main process that is looked after, and for some time for one that was given up, because
        whoever gave it up is about to be replaced by somebody who adopts it.
        """
        if pid in self._pids:
            return True
        expired = trio.current_time() - _CLAIM
        self._given_up = {pid: since for pid, since in self._given_up.items() if since > expired}
        return pid in self._given_up

    def __len__(self) -> int:
        return len(self._by_pidfd)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Report ends until cancelled. After a crash it may be run again and goes on with the same table."""
        with select.epoll() as epoll:
            try:
                for pidfd in self._by_pidfd:
                    epoll.register(pidfd, select.EPOLLIN)
                self._epoll = epoll
                task_status.started()
                while True:
                    await self._wait(epoll)
                    for watched in self._ready(epoll):
                        self._settle(epoll, watched)
            finally:
                self._epoll = None
                self._reluctant.clear()

    async def _wait(self, epoll: select.epoll) -> None:
        if not self._reluctant:  # a scope costs 10 microseconds of every restart
            await trio.lowlevel.wait_readable(epoll.fileno())
            return
        with trio.move_on_after(_RELUCTANT_PAUSE):
            await trio.lowlevel.wait_readable(epoll.fileno())

    def _ready(self, epoll: select.epoll) -> list[Watched]:
        pidfds = {pidfd for pidfd, _ in epoll.poll(0, _BATCH)} | self._reluctant
        return [self._by_pidfd[pidfd] for pidfd in pidfds]

    def _settle(self, epoll: select.epoll, watched: Watched) -> None:
        if not watched.watching:
            return  # the on_exit of another one in this batch has given it up
        status = self._take_status(watched)
        if status is None:
            # Dead, but a tracer holds it back. Its descriptor stays readable, so it is asked at intervals instead.
            epoll.modify(watched.pidfd, 0)
            self._reluctant.add(watched.pidfd)
            return
        self.ends += 1
        watched.end = self.ends
        self._drop(watched)
        watched.on_exit(status)

    def _drop(self, watched: Watched) -> None:
        del self._by_pidfd[watched.pidfd]
        self._reluctant.discard(watched.pidfd)
        del self._pids[watched.identity.pid]
        if self._epoll is not None:
            # Closing alone would do, were it certain that no child of ours holds a copy.
            self._epoll.unregister(watched.pidfd)
        watched.close()

    def _take_status(self, watched: Watched) -> ExitStatus | None:
        """Reap the process if it is our child, and say how it ended; None where it cannot be reaped yet."""
        try:
            seen = os.waitid(os.P_PIDFD, watched.pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if seen is None:
                return None
            # The dead process must still be there for this question: its control group is asked.
            starved = seen.si_status == signal.SIGKILL and seen.si_code != os.CLD_EXITED and not watched.killed
            out_of_memory = starved and self._memory.killed(watched.identity.pid)
            os.waitid(os.P_PIDFD, watched.pidfd, os.WEXITED | os.WNOHANG)
        except ChildProcessError:
            watched.ours = False
            return self._status_of_stranger(watched)
        if seen.si_code == os.CLD_EXITED:
            return ExitStatus(code=seen.si_status)
        dumped = seen.si_code == os.CLD_DUMPED
        return ExitStatus(signal=seen.si_status, core_dumped=dumped, out_of_memory=out_of_memory)

    def _status_of_stranger(self, watched: Watched) -> ExitStatus:
        status = zombie_status(watched.identity)
        if status is None:
            status = reaped_status(watched.pidfd)
        if status is None:
            return ExitStatus(known=False)
        if os.WIFEXITED(status):
            return ExitStatus(code=os.WEXITSTATUS(status))
        number = os.WTERMSIG(status)
        starved = number == signal.SIGKILL and not watched.killed
        return ExitStatus(
            signal=number,
            core_dumped=os.WCOREDUMP(status),
            out_of_memory=starved and self._memory.killed(watched.identity.pid),
        )


def zombie_status(identity: Identity) -> int | None:
    """Return the wait status of a dead process that nobody has reaped yet, or None.

    The kernel shows 0 to those who may not see it, so a zero counts only where we may.
    """
    line = read_proc(identity.pid, "stat")
    if line is None:
        return None
    stat = parse_stat(line)
    if stat.start_time != identity.start_time or not stat.dead:
        return None
    status = int(line.split()[-1])
    return status if status or _may_look_into(identity.pid) else None


def _may_look_into(pid: int) -> bool:
    """Tell whether the kernel shows us a dead process whole: every user and group id of it is ours, or we are root."""
    status = read_proc(pid, "status")
    if status is None:
        return False
    if os.geteuid() == 0:
        return True
    ids = {line.split(b":")[0]: set(line.split()[1:4]) for line in status.splitlines() if line[:3] in {b"Uid", b"Gid"}}
    return ids == {b"Uid": {str(os.getuid()).encode()}, b"Gid": {str(os.getgid()).encode()}}
