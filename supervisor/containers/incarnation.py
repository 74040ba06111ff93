"""One run of a container, as units see it: the counterpart of a process with its group."""

from __future__ import annotations

import logging
import signal
from functools import partial
from typing import Final

import trio
from attrs import define, field

from supervisor.containers.client import Client
from supervisor.containers.errors import ContainerNotFound, ContainerNotRunning, ContainerPaused
from supervisor.containers.events import Died
from supervisor.containers.exits import KILLED, UNKNOWN_EXIT, exit_status
from supervisor.containers.facts import ContainerFacts
from supervisor.containers.live import Table
from supervisor.containers.output import Reader
from supervisor.containers.spec import ContainerSpec
from supervisor.errors import HoodyError, SignalFailed
from supervisor.units.driver import ExitStatus, Identity, Launch, OnExit
from supervisor.units.quantities import parse_signal, signal_number

_log = logging.getLogger("hoody.containers")

_CALL_WITHIN: Final = 10.0
_LOOK_AGAIN: Final = 1.0
_DRAIN_WITHIN: Final = 3.0
_LATE_REASON: Final = 0.1
"""How long the word of an out-of-memory kill may be behind that of the end, in seconds."""


@define(eq=False, kw_only=True)
class LiveContainer:
    """A run that is looked after. ``over`` once it has ended or was detached."""

    table: Table
    launch: Launch[ContainerSpec]
    identity: Identity
    output: Reader
    on_exit: OnExit
    id: str
    stop_signal: int | None
    """The image's own, where it is to stand for TERM."""
    _ended: trio.Event = field(factory=trio.Event, init=False)
    _over: bool = field(default=False, init=False)
    _out_of_memory: bool = field(default=False, init=False)
    _dying: bool = field(default=False, init=False)
    _in_turn: trio.Lock = field(factory=trio.Lock, init=False)

    # ---- what units ask for ----

    def signal(self, number: int, *, whole_group: bool = True) -> None:  # noqa: ARG002 - a container is one group
        """Have a signal sent to the first process, in turn with those asked for before. Raises ``SignalFailed``.

        With an init as first process (the default) that is passed on to the program. Where the engine refuses later,
        it is logged: whoever wants the container gone asks for :meth:`clear`, which verifies.
        """
        if self._over:
            return
        if not 1 <= number <= signal.SIGRTMAX:
            raise SignalFailed(f"there is no signal {number}")
        self.table.submit(partial(self._send, number))

    async def freeze(self, *, frozen: bool) -> None:
        """Have the engine pause the container, or let it run on. Raises ``SignalFailed``."""
        async with self._in_turn:
            if self._over:
                return
            try:
                await self.table.engine.call(partial(_freeze, self.id, frozen), within=_CALL_WITHIN)
            except (ContainerNotFound, ContainerNotRunning):
                return  # it has ended meanwhile; the event that tells is on its way
            except HoodyError as error:
                verb = "paused" if frozen else "resumed"
                raise SignalFailed(f"container {self.id[:12]} could not be {verb}: {error}") from error

    async def clear(self, *, deadline: float) -> tuple[int, ...]:
        """Kill the container and wait until it is down and its output is read.

        Nothing in a container outlives its first process, so once that has ended there is nothing left to kill. An
        engine that does not answer leaves the question open: then the process is returned as still there.
        """
        with trio.CancelScope(deadline=deadline):
            while not self._over:
                await self._kill_and_look()
            with trio.move_on_after(_DRAIN_WITHIN):
                await self.output.finish()
        return () if self._over else (self.identity.pid,)

    def detach(self) -> None:
        """Leave the container running and hear no more of it."""
        if not self._over:
            self._over = True
            self.table.remove(self)
            self.output.leave()

    # ---- what the service tells ----

    async def watch(self) -> None:
        """Read its output. Run by the service."""
        if not (self._over and not self._ended.is_set()):
            await self.output.run()

    def ran_out_of_memory(self, at: int) -> None:
        """Note that the kernel killed something in it."""
        self._out_of_memory = self._out_of_memory or at >= self.identity.start_time

    def died(self, death: Died) -> None:
        """Take note of an end. One of an earlier run of the same container is not ours."""
        if self._over or self._dying or death.at < self.identity.start_time:
            return
        if death.code == KILLED and not self._out_of_memory and self.launch.spec.limits.memory is not None:
            self._dying = True
            self.table.submit(partial(self._end_for_a_reason, death.code))
        else:
            self._end(self._status(death.code))

    def compare(self, found: ContainerFacts | None) -> None:
        """Take note of what an inspection says: the run may have ended while no event could tell."""
        if self._over or self._dying:
            return
        if found is None:
            _log.warning("container %s of unit %r is gone, and nobody saw how", self.id[:12], self.launch.unit)
            self._end(UNKNOWN_EXIT)
        elif found.state.started_at != self.identity.start_time:
            # Somebody has ended it and started it again, so the code that is told belongs to another run.
            self._end(UNKNOWN_EXIT)
        elif not found.state.running:
            self._out_of_memory = self._out_of_memory or found.state.out_of_memory
            self._end(self._status(found.state.exit_code))

    # ---- within ----

    def _status(self, code: int) -> ExitStatus:
        return exit_status(code, out_of_memory=self._out_of_memory, success_codes=self.launch.spec.success_exit_codes)

    def _end(self, status: ExitStatus) -> None:
        if self._over:
            return
        self._over = True
        self.table.remove(self)
        self.output.ended()
        self._ended.set()
        self.on_exit(status)

    async def _end_for_a_reason(self, code: int) -> None:
        """Find out whether a KILL was the kernel's, for want of memory; its word of that may come late."""
        for attempt in range(2):
            if attempt:
                await trio.sleep(_LATE_REASON)
            if self._out_of_memory:
                break
            try:
                found = await self.table.engine.call(lambda client: client.find(self.id), within=_CALL_WITHIN)
            except HoodyError as error:
                _log.warning("cannot tell why container %s was killed: %s", self.id[:12], error)
                break
            if found is not None and found.state.out_of_memory:
                self._out_of_memory = True
        self._end(self._status(code))

    async def _send(self, number: int) -> None:
        async with self._in_turn:
            if self._over:
                return
            try:
                await self.table.engine.call(partial(_signal, self.id, self._meant(number)), within=_CALL_WITHIN)
            except (ContainerNotFound, ContainerNotRunning):
                # It has ended meanwhile; the event that tells is on its way.
                return
            except HoodyError as error:
                _log.warning("signal %d did not reach container %s: %s", number, self.id[:12], error)

    def _meant(self, number: int) -> int:
        """Put the image's own stop signal for TERM, which is what units send where nothing else was defined."""
        return self.stop_signal if number == signal.SIGTERM and self.stop_signal is not None else number

    async def _kill_and_look(self) -> None:
        """Kill, and wait a while for the end; look for oneself when nothing is told."""
        try:
            await self.table.engine.call(partial(_signal, self.id, signal.SIGKILL), within=_CALL_WITHIN)
        except (ContainerNotFound, ContainerNotRunning):
            pass
        except HoodyError as error:
            _log.warning("container %s cannot be killed: %s", self.id[:12], error)
        with trio.move_on_after(_LOOK_AGAIN):
            await self._ended.wait()
        if self._over:
            return
        try:
            self.compare(await self.table.engine.call(lambda client: client.find(self.id), within=_CALL_WITHIN))
        except HoodyError as error:
            _log.warning("container %s cannot be looked at: %s", self.id[:12], error)
            await trio.sleep(_LOOK_AGAIN)


def _freeze(container: str, frozen: bool, client: Client) -> None:  # noqa: FBT001 - partial takes it by place
    if client.inspect(container).state.paused is frozen:
        return
    if frozen:
        client.pause(container)
    else:
        client.unpause(container)


def _signal(container: str, number: int, client: Client) -> None:
    try:
        client.kill(container, number)
    except ContainerPaused:
        # A frozen container takes no signal. Whoever signals it wants it to act, and so to go on.
        client.unpause(container)
        client.kill(container, number)


def image_stop_signal(spec: ContainerSpec, facts: ContainerFacts) -> int | None:
    """Return the signal that the image wants to be stopped with, where the definition leaves it to the image."""
    if spec.stop_signal != "TERM" or facts.stop_signal is None:
        return None
    try:
        return signal_number(parse_signal(facts.stop_signal))
    except ValueError:
        return None
