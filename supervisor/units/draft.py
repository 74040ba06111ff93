"""A condition being worked on: the vocabulary that the moves of a unit's machine are written in. Pure.

A draft lives for one step. It is the only mutable thing in the machine, and nothing outside of a step ever sees it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container
from datetime import datetime, timedelta
from typing import Final

from attrs import define, evolve, field, frozen

from supervisor.runtime.restart import Dice
from supervisor.units.condition import TIMERS, Alarm, Condition, Phase
from supervisor.units.effects import ArmTimer, CancelTimer, Clear, Effect, Note, Outcome, Tell
from supervisor.units.events import Timer
from supervisor.units.spec import UnitSpec

CLEAR_FIRST: Final = 0.5
CLEAR_LONGEST: Final = 60.0
"""Seconds between attempts to clear what does not go away: doubling from the first to the longest."""

SWEEP_AFTER: Final = 0.2
SWEEP_EVERY: Final = 1.0
"""From a restart to the sweep of what the last incarnation left beyond its process group: at least the former, and then
until the clock is at a multiple of the latter.

A sweep reads all of /proc, and the driver lets those that are asked for together share one. So whatever number of units
crash within a second, they cost one or two sweeps, and the restart of one does not compete with the sweep for another.
"""


@frozen
class Moment:
    """An instant by both clocks: ``mono`` for reckoning, ``wall`` for showing."""

    mono: float
    wall: datetime

    def after(self, seconds: float) -> datetime:
        """Return the wall time of an instant that many seconds later."""
        return self.wall + timedelta(seconds=seconds)


@frozen
class Setting:
    """What a step depends on beside the condition and the event."""

    spec: UnitSpec
    at: Moment
    dice: Dice


@define
class Draft:
    """The condition as far as this step has changed it, and the effects so far."""

    now: Condition
    setting: Setting
    effects: list[Effect] = field(factory=list)
    noted: bool = False

    @property
    def spec(self) -> UnitSpec:
        """The definition in force."""
        return self.setting.spec

    @property
    def at(self) -> Moment:
        """The instant of the step."""
        return self.setting.at

    def emit(self, *effects: Effect) -> None:
        """Ask for effects, in this order."""
        self.effects.extend(effects)

    def note(self) -> None:
        """Ask for one note to the store. It comes last, so that nothing waits for its being written down."""
        self.noted = True

    def outcome(self) -> tuple[Effect, ...]:
        """Return all effects of the step."""
        return (*self.effects, Note()) if self.noted else tuple(self.effects)

    def tell(self, outcome: Outcome, detail: str = "") -> None:
        """Answer those who wait."""
        self.emit(Tell(outcome, detail))

    def enter(self, phase: Phase, reason: str) -> None:
        """Go to another phase; the timers that have no business there are cancelled."""
        self.cancel_all_but(TIMERS[phase])
        self.now = evolve(self.now, phase=phase, reason=reason)

    def cancel_all_but(self, kept: Container[Timer]) -> None:
        """Cancel every other timer that is armed."""
        for alarm in self.now.alarms:
            if alarm.timer not in kept:
                self.cancel(alarm.timer)

    def armed(self, timer: Timer) -> bool:
        """Tell whether a timer is armed."""
        return any(alarm.timer is timer for alarm in self.now.alarms)

    def arm(self, timer: Timer, delay: float) -> None:
        """Arm a timer, replacing an earlier one of its kind."""
        token = self.now.tokens + 1
        others = tuple(alarm for alarm in self.now.alarms if alarm.timer is not timer)
        self.now = evolve(self.now, alarms=(*others, Alarm(timer, token)), tokens=token)
        self.emit(ArmTimer(timer, token, delay))

    def cancel(self, timer: Timer) -> None:
        """Cancel a timer if it is armed."""
        if self.armed(timer):
            self.disarm(timer)
            self.emit(CancelTimer(timer))

    def disarm(self, timer: Timer) -> None:
        """Remember that a timer is not armed any more, since it has fired."""
        self.now = evolve(self.now, alarms=tuple(alarm for alarm in self.now.alarms if alarm.timer is not timer))

    def leave_behind(self, incarnation: int) -> None:
        """Remember that an incarnation may have left processes."""
        if incarnation not in self.now.uncleared:
            self.now = evolve(self.now, uncleared=(*self.now.uncleared, incarnation))

    def sweep(self) -> None:
        """Clear every incarnation that may have left something, unless that is under way."""
        waiting = [number for number in self.now.uncleared if number not in self.now.clearing]
        if waiting:
            self.cancel(Timer.CLEAR)
            self.emit(*map(Clear, waiting))
            self.now = evolve(self.now, clearing=(*self.now.clearing, *waiting))

    def sweep_soon(self) -> None:
        """Arm the timer for the sweep of what earlier incarnations left."""
        if self.now.uncleared and not self.armed(Timer.CLEAR):
            due = math.ceil((self.at.mono + SWEEP_AFTER) / SWEEP_EVERY) * SWEEP_EVERY
            self.arm(Timer.CLEAR, due - self.at.mono)

    def sweep_later(self) -> float:
        """Arm the timer for another sweep, with a growing delay, and return the delay."""
        delay = min(CLEAR_LONGEST, CLEAR_FIRST * 2.0 ** min(self.now.clear_attempts, 10))
        self.now = evolve(self.now, clear_attempts=self.now.clear_attempts + 1)
        self.arm(Timer.CLEAR, delay)
        return delay


Move = Callable[[Draft], None]
