"""What a unit does, told by its machine: starts, ends, restarts, stops."""

from __future__ import annotations

import signal
from datetime import timedelta
from typing import Any

import pytest

from supervisor.errors import HoodyBug, InvalidTransition
from supervisor.runtime.policy import OnGiveUp, RestartType
from supervisor.units.condition import Phase, status_of
from supervisor.units.driver import ExitStatus
from supervisor.units.effects import Adopt, ArmTimer, CancelTimer, Clear, KillGroup, Note, Outcome, SendSignal, Spawn
from supervisor.units.events import (
    Adopted,
    AdoptionFailed,
    Condemned,
    DefinitionChanged,
    DependenciesMet,
    DependenciesUnmet,
    DependencyLost,
    EndDelayed,
    HealthChanged,
    MainExited,
    ReadyChanged,
    Recalled,
    Recorded,
    RestartAsked,
    SignalAsked,
    SignalRefused,
    Spawned,
    SpawnFailed,
    StartAsked,
    StopAsked,
    Timer,
    TimerFired,
)
from supervisor.units.quantities import Duration, SignalName
from supervisor.units.spec import BackoffSpec
from supervisor.units.status import Counters, Desired, EndReason, Health, State
from tests.supervisor.units.player import MORNING, Player, identity, spec

TERM, KILL = int(signal.SIGTERM), int(signal.SIGKILL)


def recorded(up_for: float = 5.0) -> Recalled:
    return Recalled(Recorded(incarnation=7, identity=identity(7), started_at=MORNING, up_for=up_for))


# ---- starting ----


def test_a_start_spawns_the_next_incarnation_and_notes_it() -> None:
    player = Player()

    player.send(StartAsked())

    assert player.starts() == [1]
    assert player.did(Note)
    assert (player.condition.state, player.condition.desired) == (State.STARTING, Desired.RUNNING)


def test_it_counts_as_running_after_start_seconds_and_not_before() -> None:
    player = Player().settle()
    assert player.phase is Phase.SETTLING
    assert not status_of(player.condition).ready

    player.fire(Timer.START)

    status = status_of(player.condition)
    assert (status.state, status.ready, status.pid, player.time) == (State.RUNNING, True, 1001, 1.0)
    assert player.told() == [Outcome.UP]


def test_without_start_seconds_it_is_running_at_once() -> None:
    player = Player(spec(start_seconds=Duration(0)))

    player.settle()

    assert player.phase is Phase.RUNNING
    assert player.timers == {}


def test_a_readiness_probe_that_passes_makes_start_seconds_moot() -> None:
    player = Player().settle()

    player.send(ReadyChanged(1, ready=True))

    assert player.phase is Phase.RUNNING
    assert player.timers == {}


def test_a_unit_that_is_not_ready_stays_running_and_says_so() -> None:
    player = Player().run()

    player.send(ReadyChanged(1, ready=False))

    status = status_of(player.condition)
    assert (status.state, status.ready) == (State.RUNNING, False)


def test_starting_what_runs_changes_nothing() -> None:
    player = Player().run()
    before = player.condition

    player.send(StartAsked())

    assert player.condition == before
    assert player.effects == []


def test_a_start_that_fails_says_why_in_words_and_tries_again_at_once_then_later() -> None:
    player = Player()
    player.send(StartAsked())

    player.send(SpawnFailed(1, "no such file: 'nope'"))
    assert player.starts() == [2]
    assert player.told() == [Outcome.NOT_STARTED]
    player.send(SpawnFailed(2, "no such file: 'nope'"))

    status = status_of(player.condition)
    assert (status.state, status.counters.spawn_failures) == (State.BACKOFF, 2)
    assert status.exit is not None
    assert (status.exit.reason, status.exit.code, status.exit.signal) == (EndReason.SPAWN_FAILED, None, None)
    assert status.reason == "could not start: no such file: 'nope'; next try in 0.5 s (2nd in a row)"


def test_a_system_that_takes_long_is_told_and_never_started_twice() -> None:
    player = Player()
    player.send(StartAsked())

    player.fire(Timer.SPAWN)

    assert player.starts() == []
    assert "has not answered for 30 s" in player.condition.reason
    assert Timer.SPAWN in player.timers
    player.spawned()
    assert player.phase is Phase.SETTLING


# ---- ends that nobody asked for ----


def test_the_first_restart_after_a_healthy_run_is_immediate() -> None:
    player = Player().run(seconds=3.2)

    player.exited(code=1)

    assert player.starts() == [2]
    assert isinstance(player.effects[0], KillGroup)
    assert (player.condition.restarts, player.phase) == (1, Phase.SPAWNING)
    assert player.condition.reason == "starting again: exited with code 1 after 4.2 s"


def test_what_the_last_incarnation_left_is_swept_soon_after_the_next_one_exists() -> None:
    player = Player().run()
    player.exited(code=1)
    assert player.sweeps() == []

    player.time = 7.3
    player.spawned()
    assert player.sweeps() == []
    player.fire(Timer.CLEAR)

    assert player.sweeps() == [1]
    assert player.time == 8.0
    player.cleared(1)
    assert player.condition.uncleared == ()


def test_from_the_second_end_in_a_row_it_waits_longer_and_longer() -> None:
    player = Player(spec(backoff=BackoffSpec(jitter=0.0))).run()
    delays = []
    for _ in range(5):
        player.exited(code=1)
        delays += [effect.delay for effect in player.did(ArmTimer) if effect.timer is Timer.RETRY]
        if player.phase is Phase.BACKOFF:
            player.fire(Timer.RETRY)
        player.spawned()

    assert delays == [0.5, 1.0, 2.0, 4.0]


def test_a_backoff_shows_when_the_next_try_is_due() -> None:
    player = Player(spec(backoff=BackoffSpec(jitter=0.0))).back_off()

    status = status_of(player.condition)

    assert MORNING + timedelta(seconds=player.time + 0.5) == status.next_retry_at
    assert status.reason.endswith("next try in 0.5 s (2nd in a row)")
    assert (status.pid, status.started_at) == (None, None)
    player.fire(Timer.RETRY)
    assert player.starts() == [3]
    assert status_of(player.condition).next_retry_at is None


def test_a_long_healthy_run_forgets_earlier_ends() -> None:
    player = Player().back_off()
    player.fire(Timer.RETRY)
    player.spawned()
    player.fire(Timer.START)
    player.time += 60

    player.exited(code=1)

    assert player.starts() == [4]


def test_time_that_was_not_healthy_does_not_count() -> None:
    player = Player().back_off()
    player.fire(Timer.RETRY)
    player.spawned()
    player.fire(Timer.START)
    player.time += 55
    player.send(HealthChanged(player.condition.incarnation, Health.UNHEALTHY))
    player.time += 10
    player.send(HealthChanged(player.condition.incarnation, Health.HEALTHY))
    player.time += 55

    player.exited(code=1)

    assert player.phase is Phase.BACKOFF


@pytest.mark.parametrize(
    ("restart", "status", "again"),
    [
        (RestartType.PERMANENT, ExitStatus(code=0), True),
        (RestartType.PERMANENT, ExitStatus(code=1), True),
        (RestartType.TRANSIENT, ExitStatus(code=0), False),
        (RestartType.TRANSIENT, ExitStatus(code=3), False),
        (RestartType.TRANSIENT, ExitStatus(code=1), True),
        (RestartType.TRANSIENT, ExitStatus(signal=signal.SIGHUP), False),
        (RestartType.TRANSIENT, ExitStatus(signal=KILL), True),
        (RestartType.TRANSIENT, ExitStatus(known=False), True),
        (RestartType.TEMPORARY, ExitStatus(code=1), False),
    ],
)
def test_whether_it_is_started_again_is_a_matter_of_type_and_success(
    restart: RestartType, status: ExitStatus, again: bool
) -> None:
    player = Player(
        spec(restart=restart, success_exit_codes=(0, 3), success_signals=(SignalName("HUP"),)),
    ).run()

    player.send(MainExited(1, status))

    assert ([2] if again else []) == player.starts()
    if not again:
        player.cleared()
        assert (player.phase, player.condition.desired) == (Phase.EXITED, Desired.RUNNING)


def test_a_wanted_end_comes_to_rest_only_when_nothing_is_left() -> None:
    player = Player(spec(restart=RestartType.TRANSIENT)).run()

    player.exited(code=0)
    assert player.sweeps() == [1]
    assert player.told() == []
    player.cleared()

    assert (player.phase, player.condition.reason) == (Phase.EXITED, "exited with code 0 after 1 s")
    assert player.told() == [Outcome.DOWN]
    assert player.timers == {}


def test_an_unwanted_end_before_it_counted_as_up_is_told_to_those_who_wait() -> None:
    player = Player().settle()

    player.exited(code=1)

    assert player.told() == [Outcome.ENDED_EARLY]


def test_a_job_that_is_done_before_it_counted_as_up_has_not_failed() -> None:
    player = Player(spec(restart=RestartType.TRANSIENT)).settle()

    player.exited(code=0)

    assert player.told() == []


@pytest.mark.parametrize(
    ("status", "reason", "sentence", "crashes"),
    [
        (ExitStatus(code=0), EndReason.EXITED, "exited with code 0 after 1 s", 0),
        (ExitStatus(code=9), EndReason.CRASHED, "exited with code 9 after 1 s", 1),
        (ExitStatus(signal=KILL), EndReason.CRASHED, "killed by SIGKILL from outside after 1 s", 1),
        (ExitStatus(signal=TERM), EndReason.CRASHED, "ended by SIGTERM from outside after 1 s", 1),
        (
            ExitStatus(signal=signal.SIGSEGV, core_dumped=True),
            EndReason.CRASHED,
            "crashed with SIGSEGV (core dumped) after 1 s",
            1,
        ),
        (
            ExitStatus(signal=KILL, out_of_memory=True),
            EndReason.OUT_OF_MEMORY,
            "killed by SIGKILL: out of memory after 1 s",
            1,
        ),
        (
            ExitStatus(known=False),
            EndReason.UNKNOWN,
            "ended while nobody was looking; how is not known",
            0,
        ),
    ],
)
def test_every_end_is_told_exactly(status: ExitStatus, reason: EndReason, sentence: str, crashes: int) -> None:
    player = Player().run()

    player.send(MainExited(1, status))

    found = player.condition.exit
    assert found is not None
    assert (reason, sentence, 1) == (
        found.reason,
        found.detail,
        found.incarnation,
    )
    assert crashes == player.condition.counters.crashes


# ---- crash loops ----


def crash_until_it_gives_up(player: Player) -> Player:
    player.run()
    for _ in range(4):
        player.exited(code=1)
        if player.phase is Phase.BACKOFF and not player.condition.history.crash_loop:
            player.fire(Timer.RETRY)
        if player.phase is Phase.SPAWNING:
            player.spawned()
    return player


def test_a_crash_loop_goes_on_slowly_and_is_visible() -> None:
    player = crash_until_it_gives_up(Player(spec(max_restarts=3)))

    status = status_of(player.condition)
    assert (status.state, status.crash_loop) == (State.BACKOFF, True)
    assert "next try in 60 s (4th in a row, a crash loop)" in status.reason
    player.fire(Timer.RETRY)
    assert player.starts() == [5]


def test_a_crash_loop_is_over_after_a_long_healthy_run() -> None:
    player = crash_until_it_gives_up(Player(spec(max_restarts=3)))
    player.fire(Timer.RETRY)
    player.spawned()
    player.fire(Timer.START)
    player.fire(Timer.CLEAR)
    player.clear_all()
    assert status_of(player.condition).crash_loop

    player.fire(Timer.STEADY)

    assert not status_of(player.condition).crash_loop
    assert player.timers == {}


def test_time_that_was_not_healthy_prolongs_a_crash_loop() -> None:
    player = crash_until_it_gives_up(Player(spec(max_restarts=3)))
    player.fire(Timer.RETRY)
    player.spawned()
    player.fire(Timer.START)
    number = player.condition.incarnation
    player.time += 30
    player.send(HealthChanged(number, Health.UNHEALTHY))

    player.fire(Timer.STEADY)
    assert status_of(player.condition).crash_loop
    player.send(HealthChanged(number, Health.HEALTHY))
    player.fire(Timer.STEADY)

    assert not status_of(player.condition).crash_loop


@pytest.mark.parametrize(
    ("on_give_up", "told"), [(OnGiveUp.FAIL, "in a row; find"), (OnGiveUp.ESCALATE, "told its group")]
)
def test_fatal_is_what_somebody_asked_for_and_says_what_to_do(on_give_up: OnGiveUp, told: str) -> None:
    player = crash_until_it_gives_up(Player(spec(max_restarts=3, on_give_up=on_give_up)))
    player.clear_all()

    assert Phase.FATAL is player.phase
    assert told in player.condition.reason
    assert "gave up after 4 failures in a row" in player.condition.reason
    assert player.condition.history.crash_loop
    assert player.timers == {}


@pytest.mark.parametrize("wish", [StartAsked(), RestartAsked()])
def test_a_person_ends_a_crash_loop(wish: StartAsked | RestartAsked) -> None:
    player = crash_until_it_gives_up(Player(spec(max_restarts=3)))

    player.send(wish)

    assert player.starts() == [5]
    assert (player.condition.restarts, player.condition.history.crash_loop) == (0, False)
    assert list(player.timers) == [Timer.SPAWN]


def test_a_new_definition_ends_a_backoff_and_a_failure() -> None:
    waiting = Player().back_off()
    failed = crash_until_it_gives_up(Player(spec(max_restarts=3, on_give_up=OnGiveUp.FAIL)))
    failed.clear_all()

    waiting.send(DefinitionChanged(respawn=True))
    failed.send(DefinitionChanged(respawn=True))

    assert waiting.starts() == [3]
    assert failed.starts() == [5]


# ---- stopping ----


def test_a_stop_asks_waits_and_verifies_before_it_says_stopped() -> None:
    player = Player().run()

    player.send(StopAsked())
    assert [SendSignal(1, TERM)] == player.did(SendSignal)
    assert (player.phase, list(player.timers)) == (Phase.ENDING, [Timer.STOP])
    player.exited(code=0)
    assert player.sweeps() == [1]
    assert player.did(KillGroup) == []
    player.cleared()

    status = status_of(player.condition)
    assert (status.state, status.desired, status.reason) == (State.STOPPED, Desired.STOPPED, "stopped")
    assert status.exit is not None
    assert (status.exit.reason, status.exit.detail) == (EndReason.STOPPED, "stopped: exited with code 0")
    assert player.told() == [Outcome.DOWN]
    assert player.timers == {}


def test_what_does_not_end_in_time_is_killed() -> None:
    player = Player(spec(stop_timeout=Duration(2))).run()
    player.send(StopAsked())

    player.fire(Timer.STOP)
    assert [KillGroup(1)] == player.did(KillGroup)
    assert player.sweeps() == [1]
    player.exited(signal=KILL)
    player.cleared()

    assert Phase.STOPPED is player.phase
    assert player.condition.exit is not None
    assert (
        player.condition.exit.reason,
        player.condition.exit.detail,
    ) == (EndReason.KILLED, "killed, since it did not end within 2 s of SIGTERM")


def test_a_stop_now_kills_at_once() -> None:
    player = Player().run()

    player.send(StopAsked(now=True))

    assert player.did(SendSignal) == []
    assert [KillGroup(1)] == player.did(KillGroup)
    player.exited(signal=KILL)
    player.cleared()
    assert player.condition.exit is not None
    assert EndReason.STOPPED is player.condition.exit.reason


def test_a_second_stop_with_now_hurries_the_first() -> None:
    player = Player().run()
    player.send(StopAsked())

    player.send(StopAsked(now=True))

    assert [KillGroup(1)] == player.did(KillGroup)
    assert player.timers == {}


def test_a_program_that_cannot_be_signalled_is_killed() -> None:
    player = Player().run()
    player.send(StopAsked())

    player.send(SignalRefused(1, "not allowed to signal process 1001"))

    assert (player.phase, player.sweeps()) == (Phase.CLEARING, [1])
    assert player.condition.reason == "killing it: not allowed to signal process 1001"


def test_survivors_are_named_and_killed_again_with_a_growing_delay() -> None:
    player = Player().run()
    player.send(StopAsked())
    player.exited(code=0)
    delays = []

    for _ in range(3):
        player.cleared(survivors=(12, 13))
        delays += [effect.delay for effect in player.did(ArmTimer)]
        reason = player.condition.reason
        player.fire(Timer.CLEAR)
        assert player.sweeps() == [1]

    assert delays == [0.5, 1.0, 2.0]
    assert reason == "processes 12, 13 still there after SIGKILL; next try in 2 s"
    player.cleared()
    assert Phase.STOPPED is player.phase


def test_the_report_of_the_end_may_come_after_that_of_the_sweep() -> None:
    player = Player().run()
    player.send(StopAsked(now=True))

    player.cleared()
    assert Phase.CLEARING is player.phase
    assert list(player.timers) == [Timer.CLEAR]
    player.exited(signal=KILL)

    assert Phase.STOPPED is player.phase
    assert player.timers == {}


def test_a_stop_during_a_start_ends_what_comes_of_it() -> None:
    player = Player()
    player.send(StartAsked())

    player.send(StopAsked())
    assert (player.condition.state, player.did(SendSignal)) == (State.STOPPING, [])
    player.spawned()

    assert (Phase.ENDING, [SendSignal(1, TERM)]) == (player.phase, player.did(SendSignal))


def test_a_stop_during_a_start_that_fails_is_done() -> None:
    player = Player()
    player.send(StartAsked())
    player.send(StopAsked())

    player.send(SpawnFailed(1, "no such file: 'nope'"))

    assert (player.phase, player.told()) == (Phase.STOPPED, [Outcome.DOWN])


def test_a_stop_during_a_backoff_is_done_once_the_last_sweep_is() -> None:
    player = Player().back_off()
    left = player.condition.uncleared

    player.send(StopAsked())
    for number in left:
        assert Phase.CLEARING is player.phase
        player.cleared(number)

    assert len(left) == 2
    assert (player.phase, player.timers) == (Phase.STOPPED, {})
    assert player.condition.history.in_a_row == 0


@pytest.mark.parametrize("phase", [Phase.STOPPED, Phase.EXITED, Phase.FATAL])
def test_stopping_what_is_at_rest_is_done_at_once(phase: Phase) -> None:
    player = Player()
    player.condition = player.condition.__class__(phase=phase, desired=Desired.RUNNING)

    player.send(StopAsked())

    assert (player.phase, player.condition.desired, player.told()) == (Phase.STOPPED, Desired.STOPPED, [Outcome.DOWN])


def test_when_the_daemon_takes_its_units_along_they_are_still_wanted() -> None:
    player = Player().run()

    player.send(StopAsked(lasting=False))
    player.exited(code=0)
    player.cleared()

    assert (player.phase, player.condition.desired) == (Phase.STOPPED, Desired.RUNNING)


def test_a_start_during_a_stop_follows_it() -> None:
    player = Player().run()
    player.send(StopAsked())

    player.send(StartAsked())
    player.exited(code=0)
    assert player.starts() == []
    player.cleared()

    assert player.starts() == [2]
    assert player.told() == [Outcome.DOWN]


def test_a_stop_during_a_restart_wins() -> None:
    player = Player().run()
    player.send(RestartAsked())

    player.send(StopAsked())
    player.exited(code=0)
    player.cleared()

    assert (player.phase, player.condition.desired) == (Phase.STOPPED, Desired.STOPPED)
    assert player.condition.exit is not None
    assert EndReason.STOPPED is player.condition.exit.reason


# ---- restarting by hand ----


def test_a_restart_ends_what_runs_then_starts_the_next() -> None:
    player = Player().run()

    player.send(RestartAsked())
    player.exited(signal=TERM)
    player.cleared()

    assert (player.starts(), player.condition.restarts, player.condition.counters.crashes) == ([2], 0, 0)
    assert player.condition.exit is not None
    assert (
        player.condition.exit.reason,
        player.condition.exit.detail,
    ) == (EndReason.RESTARTED, "stopped for a restart: ended by SIGTERM")


@pytest.mark.parametrize("respawn", [True, False])
def test_a_changed_definition_restarts_what_runs_only_where_it_must(respawn: bool) -> None:
    player = Player().run()

    player.send(DefinitionChanged(respawn=respawn))

    assert (Phase.ENDING if respawn else Phase.RUNNING) is player.phase


def test_a_changed_definition_replaces_what_a_start_under_way_brings() -> None:
    player = Player()
    player.send(StartAsked())

    player.send(DefinitionChanged(respawn=True))
    player.spawned()
    player.exited(signal=TERM)
    player.cleared()

    assert player.starts() == [2]


@pytest.mark.parametrize("phase", [Phase.STOPPED, Phase.EXITED])
def test_a_changed_definition_starts_nothing_that_is_at_rest(phase: Phase) -> None:
    player = Player()
    player.condition = player.condition.__class__(phase=phase, desired=Desired.RUNNING)

    player.send(DefinitionChanged(respawn=True))

    assert phase is player.phase


# ---- signals ----


def test_a_signal_is_passed_on_and_changes_nothing() -> None:
    player = Player().run()
    before = player.condition

    player.send(SignalAsked(int(signal.SIGHUP), whole_group=False))

    assert [SendSignal(1, int(signal.SIGHUP), whole_group=False)] == player.effects
    assert before == player.condition


def test_a_signal_without_a_process_is_refused_and_changes_nothing() -> None:
    player = Player().back_off()
    before = player.condition

    with pytest.raises(InvalidTransition, match="no process to signal: the unit is BACKOFF"):
        player.send(SignalAsked(KILL, whole_group=True))

    assert before is player.condition


# ---- judges ----


@pytest.mark.parametrize(
    ("cause", "counter"),
    [(EndReason.LIVENESS, "liveness_failures"), (EndReason.STALLED, "stalls"), (EndReason.LIMIT, "limits")],
)
def test_a_condemned_incarnation_is_ended_and_the_policy_decides(cause: EndReason, counter: str) -> None:
    player = Player().run()

    player.send(Condemned(1, cause, "3 probes in a row failed"))
    assert (Phase.ENDING, [SendSignal(1, TERM)]) == (player.phase, player.did(SendSignal))
    player.exited(code=0)
    player.cleared()

    assert player.starts() == [2]
    assert getattr(player.condition.counters, counter) == 1
    assert player.condition.exit is not None
    assert player.condition.exit.detail == "3 probes in a row failed: exited with code 0"


def test_the_cause_stays_true_when_a_stop_comes_between() -> None:
    player = Player().run()
    player.send(Condemned(1, EndReason.LIVENESS, "3 probes in a row failed"))

    player.send(StopAsked())
    player.exited(code=0)
    player.cleared()

    assert Phase.STOPPED is player.phase
    assert player.condition.counters.liveness_failures == 1


# ---- dependencies ----


def test_what_depends_on_others_waits_for_them_and_says_for_whom() -> None:
    player = Player()
    player.send(DependenciesUnmet(("db", "cache")))

    player.send(StartAsked())
    status = status_of(player.condition)
    assert (
        status.state,
        status.waiting_for,
        status.reason,
    ) == (State.STARTING, ("db", "cache"), "waiting for db, cache")
    player.send(DependenciesUnmet(("db",)))
    assert status_of(player.condition).waiting_for == ("db",)
    player.send(DependenciesMet())

    assert player.starts() == [1]
    assert status_of(player.condition).waiting_for == ()


def test_a_stop_ends_the_wait_for_a_dependency() -> None:
    player = Player()
    player.send(DependenciesUnmet(("db",)))
    player.send(StartAsked())

    player.send(StopAsked())

    assert Phase.STOPPED is player.phase
    player.send(DependenciesMet())
    assert Phase.STOPPED is player.phase


def test_a_dependency_that_turns_up_ends_a_backoff_early() -> None:
    player = Player().back_off()
    player.send(DependenciesUnmet(("db",)))

    player.send(DependenciesMet())

    assert player.starts() == [3]
    assert list(player.timers) == [Timer.SPAWN]


def test_a_dependency_that_goes_away_leaves_what_runs_running() -> None:
    player = Player().run()

    player.send(DependenciesUnmet(("db",)))

    assert Phase.RUNNING is player.phase
    player.exited(code=1)
    assert Phase.WAITING is player.phase


def test_a_unit_that_follows_what_it_depends_on_is_ended_and_waits_for_it_and_has_not_failed() -> None:
    player = Player().run()
    player.send(DependenciesUnmet(("db",), "waiting for db to be back"))

    player.send(DependencyLost("db"))
    assert Phase.ENDING is player.phase
    player.exited(signal=15)
    player.cleared()

    status = status_of(player.condition)
    assert (status.state, status.reason) == (State.STARTING, "waiting for db to be back")
    assert status.exit is not None
    assert status.exit.reason is EndReason.RESTARTED
    assert status.counters == Counters()
    player.send(DependenciesMet())
    assert player.starts() == [2]


def test_a_start_under_way_is_begun_anew_when_what_it_depends_on_goes() -> None:
    player = Player()
    player.send(StartAsked())
    player.send(DependenciesUnmet(("db",)))

    player.send(DependencyLost("db"))

    assert Phase.ABORTING is player.phase


def test_a_unit_says_which_others_are_ended_before_it() -> None:
    player = Player().run()

    player.send(EndDelayed(("web", "api")))

    assert Phase.RUNNING is player.phase
    assert status_of(player.condition).reason == "is ended once web, api is gone, which depends on it"


# ---- the process on record ----


def test_a_unit_that_should_run_is_started_when_its_keeper_begins() -> None:
    player = Player()
    player.condition = player.condition.__class__(desired=Desired.RUNNING, incarnation=4)

    player.send(Recalled())

    assert player.starts() == [5]
    assert player.condition.restarts == 0


@pytest.mark.parametrize("phase", [Phase.EXITED, Phase.FATAL])
def test_what_has_come_to_its_end_stays_there_when_its_keeper_begins(phase: Phase) -> None:
    player = Player()
    player.condition = player.condition.__class__(phase=phase, desired=Desired.RUNNING)

    player.send(Recalled())

    assert (phase, []) == (player.phase, player.effects)


@pytest.mark.parametrize(("up_for", "phase"), [(5.0, Phase.RUNNING), (0.25, Phase.SETTLING), (-9.0, Phase.SETTLING)])
def test_a_process_on_record_is_adopted_as_it_is(up_for: float, phase: Phase) -> None:
    player = Player(time=100.0)
    player.condition = player.condition.__class__(desired=Desired.RUNNING, incarnation=7)

    player.send(recorded(up_for))
    assert [Adopt(7, identity(7))] == player.did(Adopt)
    status = status_of(player.condition)
    assert (status.state, status.pid) == (State.UNKNOWN, None)
    player.send(Adopted(7))

    status = status_of(player.condition)
    assert (phase, 1007, 0, MORNING) == (player.phase, status.pid, status.restarts, status.started_at)
    if phase is Phase.SETTLING:
        player.fire(Timer.START)
        assert (Phase.RUNNING, 101.0 - max(0.0, up_for)) == (player.phase, player.time)


def test_a_process_on_record_that_is_gone_is_started_again() -> None:
    player = Player()
    player.condition = player.condition.__class__(desired=Desired.RUNNING, incarnation=7)
    player.send(recorded())

    player.send(AdoptionFailed(7))

    assert player.starts() == [8]
    assert player.condition.exit is not None
    assert EndReason.UNKNOWN is player.condition.exit.reason


def test_a_process_on_record_that_should_not_run_is_ended() -> None:
    player = Player()
    player.condition = player.condition.__class__(desired=Desired.STOPPED, incarnation=7)
    player.send(recorded())

    player.send(Adopted(7))

    assert (Phase.ENDING, [SendSignal(7, TERM)]) == (player.phase, player.did(SendSignal))


@pytest.mark.parametrize(
    ("wishes", "phase"),
    [
        ([StopAsked()], Phase.ENDING),
        ([StopAsked(now=True)], Phase.CLEARING),
        ([StopAsked(), StartAsked()], Phase.RUNNING),
        ([RestartAsked()], Phase.ENDING),
        ([DefinitionChanged(respawn=True)], Phase.ENDING),
        ([StopAsked(), DefinitionChanged(respawn=True)], Phase.ENDING),
        ([StartAsked()], Phase.RUNNING),
    ],
)
def test_what_is_asked_while_the_process_is_looked_for_is_done_once_it_is_found(
    wishes: list[Any], phase: Phase
) -> None:
    player = Player()
    player.condition = player.condition.__class__(desired=Desired.RUNNING, incarnation=7)
    player.send(recorded())
    for wish in wishes:
        player.send(wish)
        assert Phase.ADOPTING is player.phase

    player.send(Adopted(7))

    assert phase is player.phase


@pytest.mark.parametrize(
    ("wish", "phase"), [(StopAsked(), Phase.STOPPED), (RestartAsked(), Phase.SPAWNING), (StartAsked(), Phase.SPAWNING)]
)
def test_what_is_asked_while_the_process_is_looked_for_is_done_though_it_is_gone(wish: Any, phase: Phase) -> None:
    player = Player()
    player.condition = player.condition.__class__(desired=Desired.RUNNING, incarnation=7)
    player.send(recorded())
    player.send(wish)

    player.send(AdoptionFailed(7))

    assert phase is player.phase


# ---- what changes nothing ----


def test_late_news_of_an_earlier_incarnation_changes_nothing() -> None:
    player = Player().run()
    player.exited(code=1)
    player.spawned()
    before = player.condition

    for late in (
        MainExited(1, ExitStatus(code=3)),
        SpawnFailed(1, "late"),
        Spawned(1, identity(1)),
        ReadyChanged(1, ready=True),
        HealthChanged(1, Health.UNHEALTHY),
        Condemned(1, EndReason.STALLED, "late"),
        SignalRefused(1, "late"),
    ):
        assert player.send(late) == []

    assert before is player.condition


def test_a_timer_that_is_not_armed_any_more_changes_nothing() -> None:
    player = Player().settle()
    before = player.condition

    player.send(TimerFired(Timer.START, token=0))
    player.send(TimerFired(Timer.RETRY, token=1))

    assert before is player.condition


def test_a_fact_that_cannot_be_raises_and_changes_nothing() -> None:
    player = Player().run()
    before = player.condition

    with pytest.raises(HoodyBug, match="reported already"):
        player.send(Spawned(1, identity(1)))

    assert before is player.condition


def test_entering_a_phase_cancels_the_timers_of_the_last() -> None:
    player = Player().settle()

    player.exited(code=1)

    assert [CancelTimer(Timer.START)] == player.did(CancelTimer)
    assert [Spawn(2)] == player.did(Spawn)
    assert player.did(Clear) == []
