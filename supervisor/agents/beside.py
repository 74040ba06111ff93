"""Run a command beside a unit: a probe looks at it from outside, and is no part of it.

It runs where and as the unit runs, with a mark of its own, so that ending the one never touches the other. It ends with
everything that it has started: by itself, when its time is up, and when whoever waits for it goes away.
"""

from __future__ import annotations

import itertools
import os
from functools import partial
from typing import Final

import trio
from attrs import define, field, frozen

from supervisor.agents.output import Stream
from supervisor.agents.process import ProcessDriver, ProcessIncarnation
from supervisor.descriptors import lift
from supervisor.errors import HoodyError, SpawnFailed
from supervisor.units.carry import carried_through
from supervisor.units.driver import ExitStatus, Launch
from supervisor.units.probes.instruments import Finished
from supervisor.units.probes.notify import clean
from supervisor.units.spec import AgentSpec

_BESIDE: Final = "~"
"""No unit's name has it."""
_CARRY_TIME: Final = 5.0
"""Seconds that a start under way is given when its caller goes away: what it brings has to be ended."""
_CLEAR_TIME: Final = 5.0
_LAST_WORDS_TIME: Final = 0.1
"""Seconds to read what is still in the pipe when everybody who could have written to it is gone."""
_KEPT: Final = 1000
_numbers = itertools.count(1)


def is_beside(unit: str) -> bool:
    """Tell whether the unit named by a mark is a command that ran beside one."""
    return _BESIDE in unit


@frozen
class _Pipe:
    """An output that leads into a pipe."""

    descriptor: int

    def open(self, unit: str, stream: Stream, incarnation: int) -> int:  # noqa: ARG002 - the protocol names them
        """Return a copy of the pipe's end."""
        return os.dup(self.descriptor)

    def begun(self, unit: str) -> None:
        """Do nothing."""


@define(eq=False)
class _Run:
    """One command under way."""

    ended: trio.Event = field(factory=trio.Event)
    silent: trio.Event = field(factory=trio.Event)
    status: ExitStatus = ExitStatus(known=False)
    written: bytes = b""
    incarnation: ProcessIncarnation | None = None
    failure: HoodyError | None = None

    def exited(self, status: ExitStatus) -> None:
        """Take the end in."""
        self.status = status
        self.ended.set()

    async def listen(self, descriptor: int) -> None:
        """Keep the end of what is written, and let nothing block the writer."""
        async with trio.lowlevel.FdStream(descriptor) as stream:
            while piece := await stream.receive_some():
                self.written = (self.written + piece)[-_KEPT:]
        self.silent.set()

    def last_words(self) -> str:
        """Return the last line that says something."""
        lines = [line.strip() for line in self.written.decode(errors="replace").splitlines()]
        return clean(next((line for line in reversed(lines) if line), ""))


async def run_beside(driver: ProcessDriver, unit: str, spec: AgentSpec, *, purpose: str) -> Finished:
    """Run the command of ``spec`` beside a unit; see ``Instruments.run``."""
    run = _Run()
    try:
        reading, writing = map(lift, os.pipe2(os.O_CLOEXEC))
    except OSError as error:
        raise SpawnFailed(f"{spec.argv[0]} could not be started: {error.strerror}") from error
    async with trio.open_nursery() as nursery:
        nursery.start_soon(run.listen, reading)
        launch = Launch(unit=f"{unit}{_BESIDE}{purpose}", incarnation=next(_numbers), spec=spec)
        try:
            try:
                await carried_through(partial(_start, run, driver, launch, _Pipe(writing)), within=_CARRY_TIME)
            finally:
                os.close(writing)
            if run.incarnation is not None:
                await run.ended.wait()
        finally:
            if run.incarnation is not None:
                with trio.CancelScope(shield=True):
                    await run.incarnation.clear(deadline=trio.current_time() + _CLEAR_TIME)
                    run.incarnation.detach()
        with trio.move_on_after(_LAST_WORDS_TIME):
            await run.silent.wait()
        nursery.cancel_scope.cancel(reason="the command has ended")
    if run.failure is not None:
        raise run.failure
    return Finished(status=run.status, words=run.last_words())


async def _start(run: _Run, driver: ProcessDriver, launch: Launch[AgentSpec], output: _Pipe) -> None:
    try:
        run.incarnation = await driver.spawn(launch, run.exited, output=output)
    except HoodyError as error:
        run.failure = error  # raised where no nursery wraps it up
