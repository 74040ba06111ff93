"""The table is total, says the truth, and is what the documentation shows."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from supervisor.errors import HoodyBug, InvalidTransition
from supervisor.units import events
from supervisor.units.condition import AT_REST, STATE, TIMERS, Condition, Phase
from supervisor.units.diagram import markdown
from supervisor.units.driver import ExitStatus
from supervisor.units.events import Event, Timer, TimerFired
from supervisor.units.machine import TABLE, Ignored, Rejected, Trigger, step
from supervisor.units.status import EndReason, Health, State
from tests.supervisor.units.player import Player, identity

PAGE = Path(__file__).parents[3] / "docs" / "unit-machine.md"
EXAMPLES: dict[Trigger, Event] = {
    type(event): event
    for event in (
        events.Recalled(),
        events.StartAsked(),
        events.StopAsked(),
        events.RestartAsked(),
        events.SignalAsked(1, whole_group=True),
        events.PauseAsked(),
        events.ResumeAsked(),
        events.DefinitionChanged(respawn=True),
        events.Adopted(1),
        events.AdoptionFailed(1),
        events.Spawned(1, identity(1)),
        events.SpawnFailed(1, "no such file"),
        events.MainExited(1, ExitStatus(code=0)),
        events.Cleared(1),
        events.SignalRefused(1, "not allowed"),
        events.FreezeRefused(1, "not allowed"),
        events.ReadyChanged(1, ready=True),
        events.HealthChanged(1, Health.HEALTHY),
        events.StartExtended(1, 30.0),
        events.Spoke(1, "warming up"),
        events.Condemned(1, EndReason.STALLED, "no output for 10 min"),
        events.DependenciesMet(),
        events.DependenciesUnmet(("db",)),
        events.DependencyLost("db"),
        events.EndDelayed(("web",)),
    )
}


def test_every_trigger_has_a_rule_in_every_phase() -> None:
    classes = set(get_args(Event)) - {TimerFired}

    assert set(TABLE) == classes | set(Timer)
    assert all(set(row) == set(Phase) for row in TABLE.values())


def test_every_phase_belongs_to_a_state_and_every_state_has_a_phase() -> None:
    assert set(STATE) == set(TIMERS) == set(Phase)
    assert set(STATE.values()) == set(State)


@pytest.mark.parametrize("trigger", [*EXAMPLES], ids=lambda trigger: trigger.__name__)
@pytest.mark.parametrize("phase", [*Phase])
def test_what_is_rejected_raises_and_what_is_ignored_changes_nothing(phase: Phase, trigger: Trigger) -> None:
    left = (1,) if trigger is events.Cleared else ()
    condition = Condition(phase=phase, incarnation=1, identity=identity(1), clearing=left, uncleared=left)
    rule = TABLE[trigger][phase]

    match rule:
        case Rejected():
            asked = {events.SignalAsked, events.PauseAsked, events.ResumeAsked}
            error = InvalidTransition if trigger in asked else HoodyBug
            with pytest.raises(error):
                step(condition, EXAMPLES[trigger], Player().setting)
        case Ignored():
            found = step(condition, EXAMPLES[trigger], Player().setting)
            assert found.condition is condition
            assert found.effects == ()
        case _:
            found = step(condition, EXAMPLES[trigger], Player().setting)
            assert found.condition.phase in {phase, *rule.to}


@pytest.mark.parametrize("timer", [*Timer])
def test_a_timer_is_handled_wherever_it_may_be_armed_and_nowhere_else(timer: Timer) -> None:
    row = TABLE[timer]

    assert {phase for phase in Phase if timer in TIMERS[phase]} == {
        phase for phase in Phase if not isinstance(row[phase], Rejected)
    }


def test_what_rests_waits_for_its_next_run_at_most() -> None:
    assert all(TIMERS[phase] == {Timer.RUN} for phase in AT_REST)


def test_the_page_about_the_machine_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == markdown(), "write it again: just docs"
