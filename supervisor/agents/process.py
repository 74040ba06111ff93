"""The driver of agents: Linux processes. See ``supervisor.units.driver`` for what a driver keeps."""

from __future__ import annotations

import contextlib
import functools
import os
import signal
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import trio
from attrs import define, evolve

from supervisor.agents.cgroups import ControlGroup, ControlGroups
from supervisor.agents.credentials import home_for
from supervisor.agents.environment import inherited_environment, working_directory
from supervisor.agents.exits import ExitWatcher, Watched
from supervisor.agents.host import Host
from supervisor.agents.identity import boot_id
from supervisor.agents.inputs import InputPipes
from supervisor.agents.limits import blame, find_group
from supervisor.agents.marks import Mark
from supervisor.agents.memory import KernelLog, OutOfMemory
from supervisor.agents.orphans import Flights, OrphanReaper
from supervisor.agents.output import Output
from supervisor.agents.pidfd import open_pidfd
from supervisor.agents.scan import look_at, take_picture
from supervisor.agents.spawn import Spawned, Spawner
from supervisor.agents.strays import Stray, strays
from supervisor.agents.sweep import Sweeper, Target
from supervisor.agents.threads import LastingThreads
from supervisor.agents.window import LimitWindow
from supervisor.descriptors import lift
from supervisor.errors import DriverError, SignalFailed, SpawnFailed
from supervisor.runtime import ServiceContext
from supervisor.units.driver import ExitStatus, Identity, Launch, OnExit
from supervisor.units.spec import AgentSpec, Stdin

SPAWN_TIMEOUT: Final = 30.0
"""Seconds that a start may take before it is taken for lost. Only a disk that does not answer takes so long."""
_THREADS: Final = 4
_FIRST_PAUSE: Final = 0.002
_LONGEST_PAUSE: Final = 0.1


@define(eq=False)
class ProcessIncarnation:
    """A process that is looked after."""

    _target: Target
    _exits: ExitWatcher
    _sweeper: Sweeper
    _group: ControlGroup | None = None
    _inputs: InputPipes | None = None

    @property
    def identity(self) -> Identity:
        """Who it is, for the store."""
        return self._target.watched.identity

    def signal(self, number: int, *, whole_group: bool = True) -> None:
        """Send a signal to the process group, or only to the main process. Raises ``SignalFailed``."""
        try:
            self._target.watched.signal(number, whole_group=whole_group)
        except PermissionError:
            pid = self.identity.pid
            raise SignalFailed(f"process {pid} belongs to another user, who alone may signal it") from None
        except OSError as error:
            raise SignalFailed(f"signal {number} could not be sent: {error.strerror}") from error

    async def freeze(self, *, frozen: bool) -> None:
        """Stop or continue every process of the tree; see ``Incarnation.freeze``."""
        number = signal.SIGSTOP if frozen else signal.SIGCONT
        self.signal(number, whole_group=True)
        await self._sweeper.signal_all(self._target, number)

    async def clear(self, *, deadline: float) -> tuple[int, ...]:
        """Kill everything that is left of the process tree; see ``Incarnation.clear``."""
        if self._group is None:
            left = await self._sweeper.clear(self._target, deadline)
        else:
            left = await self._clear_group(self._group, deadline)
        if self._inputs is not None:
            self._inputs.remove(self._target.mark.unit, self._target.mark.incarnation)
        return left

    async def _clear_group(self, group: ControlGroup, deadline: float) -> tuple[int, ...]:
        """Kill by the group first, since nothing can leave it; then whatever is known by other signs."""
        with contextlib.suppress(PermissionError):  # named when the time is up
            self._target.watched.signal(signal.SIGKILL, whole_group=True)
        await trio.to_thread.run_sync(group.kill)
        left = await self._sweeper.clear(self._target, deadline)
        pause = _FIRST_PAUSE
        while not await trio.to_thread.run_sync(group.remove):
            # The dead are in it until they are reaped, which others do.
            if trio.current_time() >= deadline:
                return tuple(sorted({*left, *group.pids()}))
            await trio.to_thread.run_sync(group.kill)
            await trio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
        return left

    def detach(self) -> None:
        """Stop looking after it and leave it running. Idempotent."""
        self._exits.give_up(self._target.watched)


class ProcessDriver:
    """Starts, finds again and watches the processes of one daemon.

    ``instance`` names the daemon's home: processes started for one instance are never taken for those of another.
    ``host`` is the standing of this process (``supervisor.agents.host``). :meth:`run` (or :meth:`serve`, as a child of
    the tree) must be running for ends to be reported; restarting it loses nothing.
    """

    def __init__(
        self,
        *,
        instance: str,
        output: Output,
        host: Host,
        environment: Mapping[str, str] | None = None,
        home: str | None = None,
        inputs: InputPipes | None = None,
    ) -> None:
        self.instance = instance
        self.groups = ControlGroups(instance)
        self._inputs = inputs
        self._spawner = Spawner(
            output=output,
            groups=self.groups,
            inputs=inputs,
            window=LimitWindow(host.descriptors),
            inherited=inherited_environment(os.environ if environment is None else environment),
            home=str(Path.home()) if home is None else home,
        )
        self._memory = OutOfMemory(KernelLog())
        self._exits = ExitWatcher(self._memory)
        self._flights = Flights()
        self._orphans = OrphanReaper(self._exits, self._flights)
        self._sweeper = Sweeper(self._exits, subreaper=host.subreaper)
        self._threads = LastingThreads("spawn", _THREADS)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Report ends and reap orphans until cancelled."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._exits.run)
            await nursery.start(self._orphans.run)
            task_status.started()

    async def serve(self, context: ServiceContext) -> None:
        """Do the same as one incarnation of a child of the tree, until it is asked to stop."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self.run)
            context.started()
            await context.stopping.wait()
            nursery.cancel_scope.cancel(reason="the process service is asked to stop")

    def close(self) -> None:
        """Give back what the driver holds beside its processes. No process is touched."""
        self._memory.close()
        self.groups.close()

    async def spawn(
        self, launch: Launch[AgentSpec], on_exit: OnExit, *, output: Output | None = None
    ) -> ProcessIncarnation:
        """Start one incarnation; see ``Driver.spawn``. With ``output``, what it writes goes there."""
        await trio.lowlevel.checkpoint_if_cancelled()
        mark = self._mark(launch)
        flight = self._flights.depart()
        with trio.move_on_after(SPAWN_TIMEOUT) as scope:
            start = functools.partial(self._spawner.start, launch.spec, mark, output)
            try:
                spawned = await self._threads.run(start, functools.partial(self._arrived_late, flight, scope))
            except Exception:
                self._flights.land(flight)
                raise
            told = _blaming(on_exit, spawned.group, launch.spec)
            return self._look_after(self._take_up(spawned, flight, told), mark, launch.spec, spawned.group)
        raise SpawnFailed(
            f"{launch.unit} could not be started: the system did not answer for {SPAWN_TIMEOUT:.0f} seconds",
            hint="a network disk that is out of reach holds up whoever reads from it",
        )

    async def adopt(self, identity: Identity, launch: Launch[AgentSpec], on_exit: OnExit) -> ProcessIncarnation | None:
        """Look after a process that somebody else started; see ``Driver.adopt``."""
        await trio.lowlevel.checkpoint()
        mark = self._mark(launch)
        if identity.boot_id != boot_id():
            return None
        try:
            pidfd = open_pidfd(identity.pid, identity.start_time)
        except OSError as error:
            raise DriverError(f"process {identity.pid} cannot be looked after: {error.strerror}") from error
        if pidfd is None:
            return None
        if not _carries(identity.pid, mark):
            os.close(pidfd)
            return None
        group = find_group(self.groups, mark, launch.spec.limits) if launch.spec.limits.bounds_a_group else None
        told = _blaming(on_exit, group, launch.spec)
        return self._look_after(self._exits.watch(identity, lift(pidfd), told), mark, launch.spec, group)

    def owns(self, pid: int, unit: str, incarnation: int) -> bool:
        """Tell whether a process belongs to an incarnation, by what it carries."""
        found, mark = look_at(pid), Mark(unit, incarnation, self.instance)
        if found is None:
            return False
        return found.seal == mark.seal if found.seal is not None else found.mark == mark

    def working_directory(self, spec: AgentSpec) -> str:
        """Return the absolute folder that a program of this definition starts in."""
        return working_directory(spec, home_for(spec, self._spawner.home))

    async def find_strays(self, known: Iterable[tuple[str, int]] = ()) -> tuple[Stray, ...]:
        """Return what runs of this daemon's units, whoever started it; see :func:`supervisor.agents.strays.strays`."""
        marks = [Mark(unit, incarnation, self.instance) for unit, incarnation in known]
        picture = await trio.to_thread.run_sync(functools.partial(take_picture, read_marks=True))
        return strays(picture, self.instance, marks)

    def _arrived_late(self, flight: int, scope: trio.CancelScope, spawned: Spawned | None) -> None:
        """Deal with a start whose caller has gone: leave it for adoption, or end it if it was taken for lost."""
        if spawned is None:
            self._flights.land(flight)
            return
        watched = self._take_up(spawned, flight, _tell_nobody)
        if scope.cancelled_caught:
            watched.signal(signal.SIGKILL, whole_group=True)
        else:
            self._exits.give_up(watched)

    def _take_up(self, spawned: Spawned, flight: int, on_exit: OnExit) -> Watched:
        watched = self._exits.watch(spawned.identity, spawned.pidfd, on_exit)
        self._flights.land(flight)
        return watched

    def _look_after(
        self, watched: Watched, mark: Mark, spec: AgentSpec, group: ControlGroup | None
    ) -> ProcessIncarnation:
        inputs = self._inputs if spec.stdin is Stdin.PIPE else None
        return ProcessIncarnation(Target(watched, mark), self._exits, self._sweeper, group, inputs)

    def _mark(self, launch: Launch[AgentSpec]) -> Mark:
        return Mark(launch.unit, launch.incarnation, self.instance)


def _blaming(on_exit: OnExit, group: ControlGroup | None, spec: AgentSpec) -> OnExit:
    """Tell an end with its limit, where it came of one. Its group stays until the incarnation is cleared."""
    if group is None:
        return on_exit
    held = group

    def told(status: ExitStatus) -> None:
        over = blame(status, held, spec.limits)
        on_exit(evolve(status, over_limit=over, out_of_memory=False) if over else status)

    return told


def _carries(pid: int, mark: Mark) -> bool:
    """Tell whether nothing speaks against the process being the one; a program may erase what speaks for it."""
    found = look_at(pid)
    if found is None:
        return False
    if found.seal is not None:
        return found.seal == mark.seal
    return found.mark is None or found.mark == mark


def _tell_nobody(_status: ExitStatus) -> None:
    """Take the end of a process that nobody waits for."""
