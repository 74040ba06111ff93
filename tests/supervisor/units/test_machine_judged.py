"""Readiness, ill health and what a program says of itself, in the machine alone."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.units.condition import Phase, status_of
from supervisor.units.effects import Note, Outcome, SendSignal
from supervisor.units.events import (
    Adopted,
    Condemned,
    HealthChanged,
    ReadyChanged,
    Recalled,
    Recorded,
    Spoke,
    StartExtended,
    Timer,
)
from supervisor.units.memory import progress_of
from supervisor.units.probes.spec import Liveness, Readiness
from supervisor.units.quantities import Duration
from supervisor.units.status import Desired, EndReason, Health
from tests.supervisor.units.player import MORNING, Player, identity, spec


def probed(**more: Any) -> Player:
    return Player(spec=spec(readiness=Readiness(tcp=80), start_timeout=Duration(60), **more))


def test_with_a_readiness_probe_start_seconds_do_not_make_it_running() -> None:
    player = probed(start_seconds=Duration(0)).settle()

    assert player.phase is Phase.SETTLING
    assert player.timers[Timer.START][0] == 60


def test_it_is_running_from_the_moment_on_that_it_is_ready_and_that_is_noted() -> None:
    player = probed().settle()

    player.send(ReadyChanged(1, ready=True))

    assert player.phase is Phase.RUNNING
    assert player.told() == [Outcome.UP]
    assert player.did(Note)
    live = progress_of(player.condition).live
    assert live is not None
    assert live.was_ready


def test_what_is_not_ready_in_time_is_ended_and_tried_again() -> None:
    player = probed().settle()
    player.send(ReadyChanged(1, ready=False, detail="nobody listens at 127.0.0.1:80"))

    player.fire(Timer.START)

    assert player.phase is Phase.ENDING
    assert player.did(SendSignal)
    assert player.told() == [Outcome.NOT_STARTED]
    player.exited(signal=15)
    player.clear_all()
    status = status_of(player.condition)
    assert player.starts() == [2]
    assert status.exit is not None
    assert status.exit.reason is EndReason.NOT_READY
    assert status.exit.detail == ("did not become ready within 60 s (nobody listens at 127.0.0.1:80): ended by SIGTERM")
    assert status.counters.spawn_failures == 1


def test_more_time_replaces_the_deadline_and_less_time_does_not() -> None:
    player = probed().settle()
    player.time = 50.0

    player.send(StartExtended(1, 100.0))
    assert player.timers[Timer.START][0] == 150
    player.send(StartExtended(1, 5.0))
    assert player.timers[Timer.START][0] == 150


def test_without_a_readiness_probe_nobody_gets_more_time() -> None:
    player = Player().settle()

    player.send(StartExtended(1, 100.0))

    assert player.timers[Timer.START][0] == 1


def test_both_shortcomings_are_told_each_as_long_as_it_lasts() -> None:
    player = probed(liveness=Liveness(tcp=80)).settle()
    player.send(ReadyChanged(1, ready=True))

    player.send(ReadyChanged(1, ready=False, detail="busy"))
    player.send(HealthChanged(1, Health.UNHEALTHY, "no answer"))
    assert status_of(player.condition).reason == "not ready: busy; unhealthy: no answer"
    player.send(ReadyChanged(1, ready=True))
    assert status_of(player.condition).reason == "unhealthy: no answer"
    player.send(HealthChanged(1, Health.HEALTHY))
    assert status_of(player.condition).reason == ""


def test_its_health_is_starting_from_the_first_instant_and_gone_with_the_process() -> None:
    player = Player(spec=spec(liveness=Liveness(tcp=80))).settle()
    assert status_of(player.condition).health is Health.STARTING

    player.send(HealthChanged(1, Health.HEALTHY))
    player.fire(Timer.START)
    player.exited(code=1)

    assert status_of(player.condition).health is Health.NONE


def test_while_it_is_ended_it_is_said_why() -> None:
    player = Player(spec=spec(liveness=Liveness(tcp=80))).run()

    player.send(Condemned(1, EndReason.LIVENESS, "liveness probe: no answer"))

    assert status_of(player.condition).reason == "liveness probe: no answer; asked to end with SIGTERM; has 10 s"


def test_what_a_program_says_goes_with_it() -> None:
    player = Player().run()

    player.send(Spoke(1, "serving 3 clients"))
    assert status_of(player.condition).says == "serving 3 clients"
    player.exited(code=1)
    assert status_of(player.condition).says == ""


@pytest.mark.parametrize(("was_ready", "phase"), [(True, Phase.RUNNING), (False, Phase.SETTLING)])
def test_what_is_found_again_is_taken_to_be_as_it_was(was_ready: bool, phase: Phase) -> None:
    player = probed(liveness=Liveness(tcp=80))
    player.time = 1000.0
    player.condition = type(player.condition)(desired=Desired.RUNNING, incarnation=3, reason="as it was")
    live = Recorded(incarnation=3, identity=identity(3), started_at=MORNING, up_for=500, was_ready=was_ready)

    player.send(Recalled(live))
    player.send(Adopted(3))

    assert player.phase is phase
    assert player.condition.ready is was_ready
    assert player.condition.health is Health.STARTING
    if not was_ready:
        assert player.timers[Timer.START][0] == 1060, "its time to become ready begins anew"
