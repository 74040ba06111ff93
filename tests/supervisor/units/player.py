"""Plays events to the machine of a unit, and keeps what came of them: the shell of the machine's own tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from attrs import define, evolve, field

from supervisor.units.condition import Condition, Phase
from supervisor.units.draft import Moment, Setting
from supervisor.units.driver import ExitStatus, Identity
from supervisor.units.effects import ArmTimer, CancelTimer, Clear, Effect, Outcome, Spawn, Tell
from supervisor.units.events import Cleared, Event, MainExited, Spawned, StartAsked, Timer, TimerFired
from supervisor.units.machine import step
from supervisor.units.spec import AgentSpec

MORNING = datetime(2026, 1, 2, 8, 0, tzinfo=UTC)
E = TypeVar("E", bound=Effect)


def identity(incarnation: int) -> Identity:
    return Identity(pid=1000 + incarnation, start_time=incarnation, boot_id="boot")


def spec(**changes: Any) -> AgentSpec:
    return evolve(AgentSpec(command=("program",)), **changes)


@define
class Player:
    spec: AgentSpec = field(factory=spec)
    condition: Condition = field(factory=Condition)
    time: float = 0.0
    dice: Callable[[], float] = lambda: 0.5
    effects: list[Effect] = field(factory=list)
    """Those of the last event."""
    timers: dict[Timer, tuple[float, int]] = field(factory=dict)
    """When the armed ones are due, and their tokens."""

    @property
    def setting(self) -> Setting:
        return Setting(self.spec, Moment(self.time, MORNING + timedelta(seconds=self.time)), self.dice)

    @property
    def phase(self) -> Phase:
        return self.condition.phase

    def send(self, event: Event) -> list[Effect]:
        found = step(self.condition, event, self.setting)
        self.condition = found.condition
        self.effects = list(found.effects)
        for effect in found.effects:
            if isinstance(effect, ArmTimer):
                self.timers[effect.timer] = (self.time + effect.delay, effect.token)
            elif isinstance(effect, CancelTimer):
                del self.timers[effect.timer]
        return self.effects

    def did(self, kind: type[E]) -> list[E]:
        return [effect for effect in self.effects if isinstance(effect, kind)]

    def told(self) -> list[Outcome]:
        return [effect.outcome for effect in self.did(Tell)]

    def fire(self, timer: Timer) -> list[Effect]:
        """Let time pass until a timer is due, and let it fire."""
        due, token = self.timers.pop(timer)
        self.time = max(self.time, due)
        return self.send(TimerFired(timer, token))

    # ---- the ways of a unit, as its shell and driver would walk them ----

    def spawned(self) -> list[Effect]:
        return self.send(Spawned(self.condition.incarnation, identity(self.condition.incarnation)))

    def exited(self, code: int | None = None, signal: int | None = None, **more: Any) -> list[Effect]:
        return self.send(MainExited(self.condition.incarnation, ExitStatus(code=code, signal=signal, **more)))

    def cleared(self, incarnation: int | None = None, survivors: tuple[int, ...] = ()) -> list[Effect]:
        return self.send(Cleared(incarnation or self.condition.incarnation, survivors))

    def clear_all(self) -> None:
        for number in self.condition.clearing:
            self.cleared(number)

    def settle(self) -> Player:
        """Start it and let the process exist."""
        self.send(StartAsked())
        self.spawned()
        return self

    def run(self, seconds: float = 0.0) -> Player:
        """Start it, let it come up, and let it run for some time."""
        self.settle()
        self.fire(Timer.START)
        self.time += seconds
        return self

    def back_off(self) -> Player:
        """Bring it into a backoff: two ends in a row."""
        self.run()
        self.exited(code=1)
        self.spawned()
        self.exited(code=1)
        assert self.phase is Phase.BACKOFF
        return self

    def starts(self) -> list[int]:
        return [effect.incarnation for effect in self.did(Spawn)]

    def sweeps(self) -> list[int]:
        return [effect.incarnation for effect in self.did(Clear)]
