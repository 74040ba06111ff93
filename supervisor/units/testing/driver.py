"""A driver without processes: scripted programs on a computer that exists only in memory.

It passes the same contract suite as the real drivers (``tests/supervisor/contract.py``), runs on trio's virtual clock
and is a product: whoever embeds units can test against it. ::

    async with fake_driver(web=Program(), flaky=(Program(runs_for=0.1, ends=ExitStatus(code=1)), Program())) as driver:
        ...

The first word of a definition's command names the program. A program given as a tuple is a script: the first start of
a unit takes the first entry, and the last entry repeats.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Final

import trio
from attrs import define, field, frozen

from supervisor.errors import SignalFailed, SpawnFailed
from supervisor.units.driver import ExitStatus, Identity, Launch, OnExit
from supervisor.units.spec import AgentSpec

BOOT_ID: Final = "00000000-0000-4000-8000-00000000fa4e"
_FIRST_PID: Final = 1001


@frozen(kw_only=True)
class Program:
    """How a scripted program behaves."""

    runs_for: float | None = None
    """Seconds until it ends by itself; None: it waits for a signal."""
    ends: ExitStatus = ExitStatus(code=0)
    """How it ends by itself."""
    ignores: frozenset[int] = frozenset()
    """Signals that it does not heed. KILL always works, unless ``unkillable``."""
    unkillable: bool = False
    """Stuck in the kernel, as in an uninterruptible wait: no signal ends it."""
    ends_after: float = 0.0
    """Seconds between a signal and the end that it causes."""
    code_on_term: int | None = None
    """The exit code with which it ends on TERM; None: the signal itself ends it."""
    starts_in: float = 0.0
    """Seconds that starting it takes; it exists from the first instant on."""
    fails: str | None = None
    """The sentence with which starting it fails."""
    helpers: int = 0
    """Processes of its group that do not end with it."""
    refuses_signals: bool = False
    """The system does not let us signal it (another user's process)."""


Script = Program | tuple[Program, ...]


@define(kw_only=True, eq=False)
class FakeProcess:
    """A process of the fake computer."""

    identity: Identity
    unit: str
    incarnation: int
    program: Program
    alive: bool = True
    frozen: bool = False
    status: ExitStatus | None = None
    helpers: set[int] = field(factory=set)
    on_exit: OnExit | None = None
    signals: list[int] = field(factory=list)
    """Every signal that was sent to it, in order."""

    @property
    def pid(self) -> int:
        """The number of the main process."""
        return self.identity.pid

    def remains(self) -> tuple[int, ...]:
        """Return the pids that are still there, the main process first."""
        return ((self.pid,) if self.alive else ()) + tuple(sorted(self.helpers))


class FakeDriver:
    """Implements :class:`supervisor.units.driver.Driver` for scripted programs; see :func:`fake_driver`."""

    def __init__(self, nursery: trio.Nursery, programs: Mapping[str, Script]) -> None:
        self.programs: dict[str, Script] = dict(programs)
        self.processes: list[FakeProcess] = []
        self.launches: list[Launch[AgentSpec]] = []
        self._nursery = nursery
        self.doubled: set[str] = set()
        """Units that had two main processes at once: what must never be."""
        self._alive: Counter[str] = Counter()
        self._starts: Counter[str] = Counter()
        self._next_pid = _FIRST_PID

    # ---- what a test looks at and causes ----

    def live(self, unit: str | None = None) -> list[FakeProcess]:
        """Return the processes whose main process runs, of one unit or of all, oldest first."""
        return [found for found in self.processes if found.alive and unit in (None, found.unit)]

    def only(self, unit: str) -> FakeProcess:
        """Return the one live process of a unit; anything but exactly one is an error of the test."""
        (found,) = self.live(unit)
        return found

    def exists(self, pid: int) -> bool:
        """Tell whether a process of that number is there, main or helper."""
        return any(pid in process.remains() for process in self.processes)

    def kill(self, unit: str, number: int = signal.SIGKILL) -> None:
        """Send a signal to a unit's main process from outside, as another program would."""
        self._deliver(self.only(unit), number, whole_group=False)

    def end(self, process: FakeProcess, status: ExitStatus) -> None:
        """End a main process now and report it."""
        if not process.alive:
            return
        process.alive = False
        process.status = status
        self._alive[process.unit] -= 1
        if process.on_exit is not None:
            report, process.on_exit = process.on_exit, None
            report(status)

    # ---- the driver ----

    async def spawn(self, launch: Launch[AgentSpec], on_exit: OnExit) -> FakeIncarnation:
        """Start what the script says comes next for this unit."""
        self.launches.append(launch)
        program = self._next_program(launch)
        if program.fails is not None:
            await trio.sleep(program.starts_in)
            raise SpawnFailed(program.fails)
        process = self._create(launch, program)
        process.on_exit = on_exit
        try:
            await trio.sleep(program.starts_in)
        except trio.Cancelled:
            process.on_exit = None
            raise
        return FakeIncarnation(self, process)

    async def adopt(self, identity: Identity, launch: Launch[AgentSpec], on_exit: OnExit) -> FakeIncarnation | None:
        """Look after a live process again."""
        await trio.lowlevel.checkpoint()
        for process in self.live(launch.unit):
            if process.identity == identity:
                process.on_exit = on_exit
                return FakeIncarnation(self, process)
        return None

    def _next_program(self, launch: Launch[AgentSpec]) -> Program:
        name = launch.spec.argv[0]
        script = self.programs.get(name)
        if script is None:
            return Program(fails=f"no such file: {name!r}")
        if isinstance(script, Program):
            return script
        turn = self._starts[launch.unit]
        self._starts[launch.unit] += 1
        return script[min(turn, len(script) - 1)]

    def _create(self, launch: Launch[AgentSpec], program: Program) -> FakeProcess:
        pid = self._next_pid
        self._next_pid += 1 + program.helpers
        process = FakeProcess(
            identity=Identity(pid=pid, start_time=100_000 + len(self.processes), boot_id=BOOT_ID),
            unit=launch.unit,
            incarnation=launch.incarnation,
            program=program,
            helpers=set(range(pid + 1, pid + 1 + program.helpers)),
        )
        self.processes.append(process)
        if self._alive[launch.unit]:
            self.doubled.add(launch.unit)
        self._alive[launch.unit] += 1
        if program.runs_for is not None:
            self._nursery.start_soon(self._end_later, process, program.runs_for, program.ends)
        return process

    def _deliver(self, process: FakeProcess, number: int, *, whole_group: bool) -> None:
        process.signals.append(number)
        program = process.program
        deadly = number == signal.SIGKILL or number not in program.ignores
        if program.unkillable or not deadly:
            return
        if whole_group:
            process.helpers.clear()
        if process.alive:
            by_code = number == signal.SIGTERM and program.code_on_term is not None
            status = ExitStatus(code=program.code_on_term) if by_code else ExitStatus(signal=number)
            after = 0.0 if number == signal.SIGKILL else program.ends_after
            self._nursery.start_soon(self._end_later, process, after, status)

    async def _end_later(self, process: FakeProcess, delay: float, status: ExitStatus) -> None:
        # Never from within the call that caused it: a kernel does not report an exit that way either.
        await trio.sleep(delay)
        self.end(process, status)


@define(eq=False)
class FakeIncarnation:
    """Implements :class:`supervisor.units.driver.Incarnation`."""

    _driver: FakeDriver
    process: FakeProcess

    @property
    def identity(self) -> Identity:
        """Who it is."""
        return self.process.identity

    def signal(self, number: int, *, whole_group: bool = True) -> None:
        """Send a signal, as the script of the program has it."""
        if not self.process.remains():
            return
        if self.process.program.refuses_signals:
            raise SignalFailed(f"not allowed to signal process {self.process.pid}")
        self._driver._deliver(self.process, number, whole_group=whole_group)  # noqa: SLF001 - two halves of one fake

    async def freeze(self, *, frozen: bool) -> None:
        """Take note of it."""
        await trio.lowlevel.checkpoint()
        if self.process.program.refuses_signals:
            raise SignalFailed(f"not allowed to signal process {self.process.pid}")
        self.process.frozen = frozen

    async def clear(self, *, deadline: float) -> tuple[int, ...]:
        """Kill what is left and wait for it, at the longest until ``deadline``."""
        await trio.lowlevel.checkpoint()
        program = self.process.program
        with trio.move_on_at(deadline):
            if self.process.remains() and (program.unkillable or program.refuses_signals):
                await trio.sleep_forever()
            if self.process.remains():
                self._driver._deliver(self.process, signal.SIGKILL, whole_group=True)  # noqa: SLF001
            while self.process.remains():
                # The end that the signal causes is reported in the next turns of the scheduler.
                await trio.lowlevel.checkpoint()
        return self.process.remains()

    def detach(self) -> None:
        """Stop looking after it."""
        self.process.on_exit = None


@asynccontextmanager
async def fake_driver(**programs: Script) -> AsyncIterator[FakeDriver]:
    """Open a fake computer with these programs; leaving the block switches it off, reporting nothing."""
    async with trio.open_nursery() as nursery:
        yield FakeDriver(nursery, programs)
        nursery.cancel_scope.cancel(reason="the fake computer is switched off")
