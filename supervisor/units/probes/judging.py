"""Judge one incarnation: look at it as its definition says, and report what is found. One task, while it runs.

Everything in here belongs to the one incarnation of the docket: verdicts, counts and times begin anew with the next.
What it finds is reported as events of the unit's machine, which decides what follows.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Final

import trio
from attrs import define, evolve, field, frozen

from supervisor.errors import DriverError, TimedOut, Unavailable
from supervisor.units.ends import span
from supervisor.units.events import Condemned, Event, HealthChanged, ReadyChanged, Spoke, StartExtended
from supervisor.units.probes.instruments import Instruments
from supervisor.units.probes.looks import (
    command_failure,
    look_at_heartbeat,
    look_at_http,
    look_at_tcp,
    start_failure,
)
from supervisor.units.probes.machine import Gauge, Standing, observe, pause, row
from supervisor.units.probes.notify import NotifySocket
from supervisor.units.probes.pattern import compile_pattern, matches
from supervisor.units.probes.spec import OnUnhealthy, Probe
from supervisor.units.probes.target import parse_tcp, parse_url
from supervisor.units.spec import AgentSpec
from supervisor.units.status import EndReason, Health

_STATUS_PAUSE: Final = 1.0
"""Seconds between two status texts that are shown: a program that talks without a pause is to be no load."""
_DETAIL_PAUSE: Final = 10.0
"""Seconds between two reports that differ only in why it fails: many an error message has the time of day in it."""

Look = Callable[[], Awaitable[str | None]]


@frozen(kw_only=True, eq=False)
class Docket:
    """The incarnation to be judged, and what is known of it."""

    unit: str
    incarnation: int
    pid: int
    spec: AgentSpec
    born: float
    """When it started, by trio's clock; before this daemon, perhaps."""
    launched_at: float
    """The same in seconds of the wall clock, just before its first instruction."""
    was_ready: bool
    instruments: Instruments
    report: Callable[[Event], None]
    socket: NotifySocket | None = None


@define(eq=False)
class _Signs:
    """Signs of a program, for one probe that waits for them: how many came, and until when none is needed."""

    count: int = 0
    excused_until: float = -math.inf
    failed: bool = False
    changed: trio.Event = field(factory=trio.Event)

    def give(self) -> None:
        """Take note of a sign."""
        self.count += 1
        self._wake()

    def excuse(self, until: float) -> None:
        """Need none before ``until``."""
        self.excused_until = max(self.excused_until, until)
        self._wake()

    def fail(self) -> None:
        """Take note that the program says itself that it does not work."""
        self.failed = True
        self._wake()

    def _wake(self) -> None:
        self.changed.set()
        self.changed = trio.Event()


async def judge(docket: Docket) -> None:
    """Judge until cancelled, or until there is nothing more to find."""
    await Judging(docket).run()


class Judging:
    """The judging of one incarnation."""

    def __init__(self, docket: Docket) -> None:
        self._docket = docket
        self._report = docket.report
        self._number = docket.incarnation
        self._began = trio.current_time()
        self._ready = trio.Event()
        """Set from the first time on that it was ready: liveness is judged from then on."""
        self._told: dict[type[Event], tuple[float, str]] = {}
        """When it was last told why something fails, and what."""
        self._readiness_signs = _Signs()
        self._liveness_signs = _Signs()

    async def run(self) -> None:
        """Judge until cancelled, or until there is nothing more to find."""
        spec = self._docket.spec
        async with trio.open_nursery() as nursery:
            if self._docket.socket is not None:
                nursery.start_soon(self._listen, self._docket.socket)
            if spec.readiness is None or self._docket.was_ready:
                self._ready.set()
            if spec.readiness is not None:
                nursery.start_soon(self._judge_readiness, spec.readiness)
            if spec.liveness is not None:
                nursery.start_soon(self._judge_liveness, spec.liveness)
            if spec.limits.runtime is not None:
                nursery.start_soon(self._limit_runtime, spec.limits.runtime)
            if spec.limits.silence is not None:
                nursery.start_soon(self._limit_silence, spec.limits.silence)
            if spec.limits.bounds_a_group:
                nursery.start_soon(self._limit_usage, spec)

    # ---- readiness ----

    async def _judge_readiness(self, probe: Probe) -> None:
        first = Gauge(Standing.PASSING if self._docket.was_ready else Standing.UNKNOWN)
        if probe.awaits_signs:
            await self._await_readiness(probe, first)
        else:
            await self._look_again_and_again(probe, first, self._readiness_found)

    async def _await_readiness(self, probe: Probe, gauge: Gauge) -> None:
        """Wait for the signs that make it ready. What takes that back is told by :meth:`_listen`."""
        if gauge.standing is Standing.PASSING:
            return
        self._report(ReadyChanged(self._number, ready=False, detail=f"waiting for {_sign_of(probe)}"))
        async with trio.open_nursery() as nursery:
            if probe.log is not None:
                nursery.start_soon(self._read_output, probe.log, self._readiness_signs, False)  # noqa: FBT003 - trio takes no names
            while self._readiness_signs.count < probe.successes:
                await self._readiness_signs.changed.wait()
            nursery.cancel_scope.cancel(reason="it is ready")
        self._readiness_found(gauge, Gauge(Standing.PASSING))

    def _readiness_found(self, before: Gauge, after: Gauge) -> None:
        if after.standing is Standing.PASSING:
            if before.standing is not Standing.PASSING:
                self._ready.set()
                self._report(ReadyChanged(self._number, ready=True))
        elif after.standing is not before.standing or self._is_news(ReadyChanged, after.detail):
            self._tell(ReadyChanged(self._number, ready=False, detail=after.detail), after.detail)

    # ---- liveness ----

    async def _judge_liveness(self, probe: Probe) -> None:
        await self._ready.wait()
        if probe.awaits_signs:
            async with trio.open_nursery() as nursery:
                if probe.log is not None:
                    nursery.start_soon(self._read_output, probe.log, self._liveness_signs, True)  # noqa: FBT003 - likewise
                await self._await_signs_of_life(probe)
        else:
            await self._look_again_and_again(probe, Gauge(), self._liveness_found)

    async def _await_signs_of_life(self, probe: Probe) -> None:
        signs, gauge, began = self._liveness_signs, Gauge(), trio.current_time()
        last, seen = began, 0
        while True:
            due = max(trio.current_time() + probe.interval, signs.excused_until)
            if signs.count == seen and not signs.failed:
                with trio.move_on_at(due):
                    await signs.changed.wait()
            now = trio.current_time()
            if signs.failed:
                detail = "it says itself that it does not work"
                after = Gauge(Standing.FAILING, failures=1, detail=detail)
                self._liveness_found(gauge, after)
                return
            if signs.count != seen:
                last, seen = now, signs.count
                after = observe(gauge, probe, None, age=now - began)
            elif now >= due:
                failure = f"no {_sign_of(probe)} for {span(now - last)}"
                after = observe(gauge, probe, failure, age=now - began)
            else:
                continue  # it has asked for more time
            self._liveness_found(gauge, after)
            gauge = after

    def _liveness_found(self, before: Gauge, after: Gauge) -> None:
        if after.standing is Standing.PASSING:
            if before.standing is not Standing.PASSING:
                self._report(HealthChanged(self._number, Health.HEALTHY))
        elif after.standing is Standing.FAILING:
            turned = before.standing is not Standing.FAILING
            if turned or self._is_news(HealthChanged, after.detail):
                self._tell(HealthChanged(self._number, Health.UNHEALTHY, row(after)), after.detail)
            if turned and self._docket.spec.on_unhealthy is OnUnhealthy.RESTART:
                self._condemn(EndReason.LIVENESS, f"liveness probe: {row(after)}")

    def _is_news(self, of: type[Event], detail: str) -> bool:
        told_at, told = self._told.get(of, (-math.inf, ""))
        return detail != told and trio.current_time() >= told_at + _DETAIL_PAUSE

    def _tell(self, event: Event, detail: str) -> None:
        self._told[type(event)] = trio.current_time(), detail
        self._report(event)

    # ---- looking ----

    async def _look_again_and_again(self, probe: Probe, gauge: Gauge, told: Callable[[Gauge, Gauge], None]) -> None:
        look, began = self._way_of_looking(probe), trio.current_time()
        while True:
            failure: str | None = f"no answer within {span(probe.timeout)}"
            # Waiting for its turn is no fault of the unit's, so the time of the look begins after that.
            async with nullcontext() if probe.exec is None else self._docket.instruments.turns:
                with trio.move_on_after(probe.timeout):
                    failure = await look()
            age = trio.current_time() - began
            after = observe(gauge, probe, failure, age=age)
            told(gauge, after)
            gauge = after
            await trio.sleep(pause(gauge, probe, age=age))

    def _way_of_looking(self, probe: Probe) -> Look:
        docket = self._docket
        if probe.http is not None:
            return partial(look_at_http, parse_url(probe.http, allow_remote=probe.allow_remote))
        if probe.tcp is not None:
            return partial(look_at_tcp, parse_tcp(str(probe.tcp), allow_remote=probe.allow_remote))
        if probe.heartbeat is not None:
            path = Path(docket.instruments.directory(docket.spec), Path(probe.heartbeat).expanduser())
            return partial(look_at_heartbeat, path, since=docket.launched_at, oldest=probe.oldest)
        return partial(self._look_by_command, _beside(docket.spec, probe.argv))

    async def _look_by_command(self, spec: AgentSpec) -> str | None:
        try:
            finished = await self._docket.instruments.run(self._docket.unit, spec)
        except (DriverError, TimedOut, Unavailable) as error:
            return start_failure(error)
        return command_failure(finished)

    async def _read_output(self, pattern: str, signs: _Signs, only_new: bool) -> None:  # noqa: FBT001 - likewise
        wanted = partial(matches, compile_pattern(pattern))
        docket = self._docket
        await docket.instruments.watch_lines(docket.unit, self._number, wanted, signs.give, only_new=only_new)

    # ---- what the program tells ----

    async def _listen(self, socket: NotifySocket) -> None:
        spec, shown, said = self._docket.spec, "", -math.inf
        speaks_of_readiness = spec.readiness is not None and spec.readiness.notify
        pending: str | None = None
        while True:
            notice = None
            with trio.move_on_at(math.inf if pending is None else said + _STATUS_PAUSE):
                notice = await socket.receive(self._is_of_ours)
            now = trio.current_time()
            if notice is not None:
                if notice.ready:
                    self._readiness_signs.give()
                if notice.stopping and speaks_of_readiness:
                    self._report(ReadyChanged(self._number, ready=False, detail="it says that it is stopping"))
                if notice.alive:
                    self._liveness_signs.give()
                if notice.failed:
                    self._liveness_signs.fail()
                if notice.extension is not None:
                    self._report(StartExtended(self._number, notice.extension))
                    self._liveness_signs.excuse(now + notice.extension)
                pending = notice.text if notice.text is not None else pending
            if pending is not None and now >= said + _STATUS_PAUSE:
                if pending != shown:
                    self._report(Spoke(self._number, pending))
                shown, said, pending = pending, now, None

    def _is_of_ours(self, pid: int) -> bool:
        docket = self._docket
        return pid == docket.pid or docket.instruments.belongs(pid, docket.unit, self._number)

    # ---- limits ----

    async def _limit_runtime(self, limit: float) -> None:
        await trio.sleep_until(self._docket.born + limit)
        self._condemn(EndReason.LIMIT, f"it ran for {span(limit)}, which is its limit")

    async def _limit_silence(self, limit: float) -> None:
        while True:
            quiet = min(self._docket.instruments.quiet_for(self._docket.unit), trio.current_time() - self._began)
            # What is left is never rounded down to nothing: the clocks of the logs and of trio are not the same.
            if quiet >= limit - 0.001:
                break
            await trio.sleep(limit - quiet)
        self._condemn(EndReason.STALLED, f"it wrote nothing for {span(limit)}")

    async def _limit_usage(self, spec: AgentSpec) -> None:
        exceeded = partial(self._condemn, EndReason.LIMIT)
        await self._docket.instruments.watch_usage(self._docket.unit, self._number, spec, exceeded)

    def _condemn(self, cause: EndReason, detail: str) -> None:
        self._report(Condemned(self._number, cause, detail))


def _sign_of(probe: Probe) -> str:
    if probe.log is not None:
        return f"line like {probe.log[:60]!r}"
    return "sign of life"


def _beside(spec: AgentSpec, argv: tuple[str, ...]) -> AgentSpec:
    """Return the spec of a command that runs as the unit does, and is itself neither probed nor timed."""
    # Nor counted: its memory is not the unit's, and a group of its own per look would be the dearer part of it.
    limits = evolve(spec.limits, runtime=None, silence=None, memory=None, cpu=None, processes=None)
    return evolve(spec, command=argv, shell=False, readiness=None, liveness=None, limits=limits)
