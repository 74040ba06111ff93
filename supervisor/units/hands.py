"""The calls to the driver: everything that touches a process, and the facts that come of it."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable, Container
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeAlias, assert_never

import trio

from supervisor.errors import DriverError, HoodyError, SignalFailed, StorageError, TimedOut, Unavailable
from supervisor.units.carry import carried_through
from supervisor.units.driver import Driver, ExitStatus, Identity, Incarnation, Launch
from supervisor.units.effects import Clear, Freeze
from supervisor.units.events import (
    Adopted,
    AdoptionFailed,
    Cleared,
    Event,
    FreezeRefused,
    MainExited,
    Spawned,
    SpawnFailed,
)

CLEAR_TIME: Final = 5.0
"""Seconds that one attempt to clear may take; what is left then is told, and tried again later."""
CARRY_TIME: Final = 5.0
"""Seconds that a start under way is given when its keeper ends: what it brings has to be written down."""


Prepare: TypeAlias = Callable[[Any], Awaitable[Any]]
"""Completes a definition for a start. Raises what a driver's ``spawn`` raises, and ``StorageError``."""


class Hands:
    """Starts, signals and clears the incarnations of one unit, and reports every fact exactly once.

    The order of reports is the machine's: ``Spawned`` or ``Adopted`` before ``MainExited`` of the same incarnation,
    even where the driver learns of the end first.
    """

    __slots__ = ("_driver", "_early", "_freezing", "_held", "_report", "_started", "_starts", "_unit")

    def __init__(
        self, unit: str, driver: Driver[Any], starts: trio.CapacityLimiter, report: Callable[[Event], None]
    ) -> None:
        self._unit = unit
        self._driver = driver
        self._starts = starts
        self._report = report
        self._held: dict[int, Incarnation] = {}
        self._freezing = trio.Lock()
        self._early: tuple[int, ExitStatus] | None = None
        self._started = 0
        """The last incarnation whose start was reported on."""

    def holds(self, number: int) -> bool:
        """Tell whether an incarnation is at hand."""
        return number in self._held

    async def start(self, number: int, spec: object, prepare: Prepare | None = None) -> None:
        """Start an incarnation. Once begun it is carried through, also while the keeper is being cancelled."""
        turn = object()
        try:
            # Without the turn of the scheduler that ``async with`` takes: a restart is not to wait for anything.
            try:
                self._starts.acquire_on_behalf_of_nowait(turn)
            except trio.WouldBlock:
                await self._starts.acquire_on_behalf_of(turn)
            try:
                await carried_through(partial(self._start, number, spec, prepare), within=CARRY_TIME)
            finally:
                self._starts.release_on_behalf_of(turn)
        except trio.Cancelled:
            if self._started != number:
                self._report(SpawnFailed(number, "its keeper has ended meanwhile"))
            raise

    async def _start(self, number: int, spec: object, prepare: Prepare | None) -> None:
        try:
            given = spec if prepare is None else await prepare(spec)
            launch = Launch(unit=self._unit, incarnation=number, spec=given)
            incarnation = await self._driver.spawn(launch, partial(self._exited, number))
        except (DriverError, StorageError, TimedOut, Unavailable) as error:
            self._started = number
            self._report(SpawnFailed(number, _words(error)))
            return
        self._started = number
        self._hold(number, incarnation, Spawned(number, incarnation.identity))

    async def adopt(self, number: int, identity: Identity, spec: object) -> None:
        """Look for the process on record."""
        launch = Launch(unit=self._unit, incarnation=number, spec=spec)
        found = await self._driver.adopt(identity, launch, partial(self._exited, number))
        if found is None:
            self._report(AdoptionFailed(number))
        else:
            self._hold(number, found, Adopted(number))

    def signal(self, number: int, signal_number: int, *, whole_group: bool) -> None:
        """Send a signal. Raises ``SignalFailed``."""
        self._held[number].signal(signal_number, whole_group=whole_group)

    async def carry_out(self, effect: Clear | Freeze) -> None:
        """Do what takes time, and report what came of it."""
        match effect:
            case Clear(incarnation=number):
                await self.clear(number)
            case Freeze(incarnation=number, frozen=frozen):
                # Carried through, so that it is as it is on record: whoever comes next believes the record.
                await carried_through(partial(self._freeze, number, frozen=frozen), within=CARRY_TIME)
            case _:
                assert_never(effect)

    async def _freeze(self, number: int, *, frozen: bool) -> None:
        # One after the other, in the order in which they were asked for: what was asked for last is what holds.
        async with self._freezing:
            held = self._held.get(number)
            if held is None:
                return
            try:
                await held.freeze(frozen=frozen)
            except SignalFailed as error:
                verb = "paused" if frozen else "resumed"
                self._report(FreezeRefused(number, f"it could not be {verb}: {error}"))

    def kill(self, number: int) -> None:
        """Kill the group at once."""
        # Whether it worked is found out by the clearing that follows every kill.
        with suppress(SignalFailed):
            self._held[number].signal(signal.SIGKILL)

    async def clear(self, number: int) -> None:
        """Kill everything that is left of an incarnation, within :data:`CLEAR_TIME`."""
        survivors = await self._held[number].clear(deadline=trio.current_time() + CLEAR_TIME)
        self._report(Cleared(number, survivors))

    def release(self, kept: Container[int]) -> None:
        """Let go of the incarnations that are over."""
        for number in [number for number in self._held if number not in kept]:
            del self._held[number]

    def detach(self) -> None:
        """Leave everything running and hear of it no more."""
        for incarnation in self._held.values():
            incarnation.detach()
        self._held.clear()

    def _hold(self, number: int, incarnation: Incarnation, fact: Event) -> None:
        self._held[number] = incarnation
        self._report(fact)
        early, self._early = self._early, None
        if early is not None and early[0] == number:
            self._report(MainExited(number, early[1]))

    def _exited(self, number: int, status: ExitStatus) -> None:
        if number in self._held:
            self._report(MainExited(number, status))
        else:
            self._early = (number, status)


def _words(error: HoodyError) -> str:
    return str(error) if error.hint is None else f"{error} ({error.hint})"
