"""What is true of a unit whatever happens to it, and in whatever order."""

from __future__ import annotations

import signal
from typing import Any

from attrs import evolve
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from supervisor.runtime.policy import OnGiveUp, RestartType
from supervisor.units.condition import AT_REST, TIMERS, Condition, Phase, status_of
from supervisor.units.draft import Draft
from supervisor.units.driver import ExitStatus
from supervisor.units.effects import Adopt, Clear, Effect, KillGroup, SendSignal, Spawn
from supervisor.units.events import (
    Adopted,
    AdoptionFailed,
    Cleared,
    Condemned,
    DefinitionChanged,
    DependenciesMet,
    DependenciesUnmet,
    DependencyLost,
    EndDelayed,
    Event,
    HealthChanged,
    MainExited,
    ReadyChanged,
    Recalled,
    Recorded,
    RestartAsked,
    SignalRefused,
    Spawned,
    SpawnFailed,
    Spoke,
    StartAsked,
    StartExtended,
    StopAsked,
    Timer,
    TimerFired,
)
from supervisor.units.machine import TABLE, Handled, step, trigger_of
from supervisor.units.probes.spec import Liveness, Readiness
from supervisor.units.quantities import Duration
from supervisor.units.schedule import Missed, Overlap, Schedule
from supervisor.units.spec import AgentSpec, BackoffSpec
from supervisor.units.status import Desired, EndReason, Health
from tests.supervisor.units.player import MORNING, Player, identity, spec

STATUSES = st.sampled_from(
    [
        ExitStatus(code=0),
        ExitStatus(code=1),
        ExitStatus(signal=int(signal.SIGKILL)),
        ExitStatus(signal=int(signal.SIGTERM)),
        ExitStatus(known=False),
    ]
)
SCHEDULES = st.builds(
    Schedule,
    cron=st.sampled_from(["* * * * * *", "*/5 * * * *", "0 3 29 2 *"]),
    timezone=st.just("Europe/Berlin"),
    overlap=st.sampled_from(Overlap),
    missed=st.sampled_from(Missed),
)


def any_spec(restart: RestartType, schedule: Schedule | None, **more: Any) -> AgentSpec:
    return spec(restart=RestartType.TEMPORARY if schedule is not None else restart, schedule=schedule, **more)


SPECS = st.builds(
    any_spec,
    restart=st.sampled_from(RestartType),
    schedule=st.none() | SCHEDULES,
    on_give_up=st.sampled_from(OnGiveUp),
    max_restarts=st.integers(0, 3),
    start_seconds=st.sampled_from([Duration(0), Duration(1)]),
    stop_timeout=st.sampled_from([Duration(0), Duration(10)]),
    readiness=st.sampled_from([None, Readiness(tcp=80)]),
    liveness=st.sampled_from([None, Liveness(tcp=80)]),
    start_timeout=st.sampled_from([Duration(0), Duration(60)]),
    backoff=st.sampled_from([BackoffSpec(), BackoffSpec(initial=Duration(0), max=Duration(0))]),
)


class UnitWorld(RuleBasedStateMachine):
    """A world that answers the machine's effects in any order, late, twice, or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.player = Player()
        self.live: set[int] = set()
        """Main processes that exist."""
        self.starting: set[int] = set()
        self.looking: set[int] = set()
        self.sweeping: set[int] = set()
        self.left: set[int] = set()
        """Incarnations of which something may be left."""
        self.verified: set[int] = set()
        """Incarnations of which nothing is left, although the end of the main process may not be reported yet."""
        self.history: list[tuple[Event, float]] = []
        self.hurried = False
        self.first = Condition()

    @initialize(spec=SPECS, desired=st.sampled_from(Desired), phase=st.sampled_from([*AT_REST]), live=st.booleans())
    def begin(self, spec: Any, desired: Desired, phase: Phase, live: bool) -> None:
        self.player.spec = spec
        first = Phase.STOPPED if live else phase
        self.first = Condition(desired=desired, reason="as it was", phase=first, incarnation=3)
        self.player.condition = self.first
        self.send(
            Recalled(Recorded(incarnation=3, identity=identity(3), started_at=MORNING, up_for=2) if live else None)
        )

    # ---- every event goes through here ----

    def send(self, event: Event) -> None:
        before = self.player.condition
        self.history.append((event, self.player.time))
        effects = self.player.send(event)
        self.check_table(before, event)
        for effect in effects:
            self.obey(effect, before, event)

    def check_table(self, before: Condition, event: Event) -> None:
        found = TABLE[trigger_of(event)][before.phase]
        after = self.player.phase
        if after is not before.phase:
            assert isinstance(found, Handled)
            assert after in found.to

    def obey(self, effect: Effect, before: Condition, event: Event) -> None:
        match effect:
            case Spawn(incarnation=number):
                assert not self.live, "never two live incarnations"
                assert not self.starting
                assert not self.looking
                assert self.player.condition.desired is Desired.RUNNING, "no spawn unless it is wanted"
                self.starting.add(number)
                self.hurried = False
            case Adopt(incarnation=number):
                self.looking.add(number)
            case KillGroup(incarnation=number):
                allowed = (
                    isinstance(event, MainExited | SignalRefused)
                    or (isinstance(event, TimerFired) and event.timer is Timer.STOP)
                    or (isinstance(event, StopAsked) and event.now)
                    or self.hurried
                )
                assert allowed, "killed only when its time is over, unless somebody asked for it"
            case Clear(incarnation=number):
                assert number not in self.sweeping
                self.sweeping.add(number)
            case SendSignal(incarnation=number):
                assert number in self.live
            case _:
                pass

    # ---- wishes ----

    @rule()
    def start(self) -> None:
        self.send(StartAsked())

    @rule(now=st.booleans(), lasting=st.sampled_from([True, True, False]))
    def stop(self, now: bool, lasting: bool) -> None:
        self.hurried = self.hurried or now
        self.send(StopAsked(now=now, lasting=lasting))

    @rule()
    def restart(self) -> None:
        self.send(RestartAsked())

    @rule(respawn=st.booleans())
    def redefine(self, respawn: bool) -> None:
        self.send(DefinitionChanged(respawn=respawn))

    @rule(names=st.sampled_from([("db",), ("db", "cache")]))
    def block(self, names: tuple[str, ...]) -> None:
        self.send(DependenciesUnmet(names))

    @rule()
    def unblock(self) -> None:
        self.send(DependenciesMet())

    @rule()
    def lose_a_dependency(self) -> None:
        self.send(DependencyLost("db"))

    @rule()
    def delay_an_end(self) -> None:
        self.send(EndDelayed(("web",)))

    # ---- the world ----

    @precondition(lambda self: self.starting)
    @rule(works=st.booleans())
    def spawn_returns(self, works: bool) -> None:
        number = self.starting.pop()
        if works:
            self.live.add(number)
            self.send(Spawned(number, identity(number)))
        else:
            self.send(SpawnFailed(number, "no such file: 'nope'"))

    @precondition(lambda self: self.looking)
    @rule(found=st.booleans())
    def adoption_returns(self, found: bool) -> None:
        number = self.looking.pop()
        if found:
            self.live.add(number)
            self.send(Adopted(number))
        else:
            self.send(AdoptionFailed(number))

    @precondition(lambda self: self.live)
    @rule(status=STATUSES)
    def main_exits(self, status: ExitStatus) -> None:
        self.main_is_gone(status)

    def main_is_gone(self, status: ExitStatus) -> None:
        number = self.live.pop()
        if number not in self.verified:
            self.left.add(number)
        self.send(MainExited(number, status))

    @precondition(lambda self: self.sweeping)
    @rule(gone=st.booleans(), data=st.data())
    def sweep_returns(self, gone: bool, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(sorted(self.sweeping)))
        self.sweeping.remove(number)
        if gone:
            self.left.discard(number)
            self.verified.add(number)
        self.send(Cleared(number, () if gone else (4711,)))

    @precondition(lambda self: self.player.timers)
    @rule(data=st.data())
    def timer_fires(self, data: st.DataObject) -> None:
        timer = data.draw(st.sampled_from(sorted(self.player.timers)))
        due, token = self.player.timers.pop(timer)
        self.player.time = max(self.player.time, due)
        self.send(TimerFired(timer, token))

    @rule(seconds=st.sampled_from([0.1, 5.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.player.time += seconds

    # ---- judges, and news that comes late ----

    @rule(ready=st.booleans(), health=st.sampled_from(Health))
    def probes_report(self, ready: bool, health: Health) -> None:
        number = self.player.condition.incarnation
        self.send(ReadyChanged(number, ready, "" if ready else "nobody listens"))
        self.send(HealthChanged(number, health, "no answer"))

    @rule(seconds=st.sampled_from([0.0, 30.0, 300.0]))
    def program_speaks(self, seconds: float) -> None:
        number = self.player.condition.incarnation
        self.send(StartExtended(number, seconds))
        self.send(Spoke(number, "still warming up"))

    @rule(cause=st.sampled_from([EndReason.LIVENESS, EndReason.STALLED, EndReason.LIMIT]))
    def condemn(self, cause: EndReason) -> None:
        self.send(Condemned(self.player.condition.incarnation, cause, "3 probes in a row failed"))

    @precondition(lambda self: self.player.phase is Phase.ENDING)
    @rule()
    def signal_is_refused(self) -> None:
        self.send(SignalRefused(self.player.condition.incarnation, "not allowed"))

    @rule(status=STATUSES, back=st.integers(1, 3))
    def late_news(self, status: ExitStatus, back: int) -> None:
        before = self.player.condition
        old = before.incarnation - back
        self.send(MainExited(old, status))
        self.send(SpawnFailed(old, "late"))
        self.send(TimerFired(Timer.START, token=-1))

        assert self.player.condition is before

    # ---- what is always true ----

    @invariant()
    def one_process_at_most(self) -> None:
        assert len(self.live) + len(self.starting) + len(self.looking) <= 1

    @invariant()
    def what_rests_holds_nothing(self) -> None:
        if self.player.condition.at_rest:
            assert set(self.player.timers) <= {Timer.RUN}
            assert not self.live
            assert not self.starting
            assert not self.left, "at rest only when everything was verified to be gone"

    @invariant()
    def timers_fit_the_phase(self) -> None:
        condition = self.player.condition
        assert {alarm.timer for alarm in condition.alarms} == set(self.player.timers)
        assert set(self.player.timers) <= TIMERS[condition.phase]

    @invariant()
    def a_planned_run_is_wanted_and_has_its_timer(self) -> None:
        condition = self.player.condition
        planned = Timer.RUN in self.player.timers
        assert planned == (condition.next_run_at is not None)
        assert not planned or (condition.desired is Desired.RUNNING and self.player.spec.schedule is not None)
        if condition.at_rest and condition.desired is Desired.RUNNING and self.player.spec.schedule is not None:
            assert planned
            assert condition.next_run_at is not None
            assert status_of(condition).next_run_at == condition.next_run_at

    @invariant()
    def every_wait_has_an_end(self) -> None:
        """What is on its way somewhere has a timer, or a call under way that ends by its own deadline."""
        phase = self.player.phase
        waits_for = {
            Phase.SPAWNING: Timer.SPAWN in self.player.timers and bool(self.starting),
            Phase.ADOPTING: Timer.SPAWN in self.player.timers and bool(self.looking),
            Phase.ABORTING: Timer.SPAWN in self.player.timers and bool(self.starting),
            Phase.SETTLING: Timer.START in self.player.timers,
            Phase.BACKOFF: Timer.RETRY in self.player.timers,
            Phase.ENDING: Timer.STOP in self.player.timers,
            Phase.CLEARING: bool(self.sweeping) or Timer.CLEAR in self.player.timers,
        }
        assert waits_for.get(phase, True), phase

    @invariant()
    def nothing_left_is_forgotten(self) -> None:
        """What may be left is being swept, will be swept by a timer, or is swept once the start under way is done."""
        condition = self.player.condition
        assert self.left <= set(condition.uncleared)
        assert set(condition.clearing) == self.sweeping
        if set(condition.uncleared) - self.sweeping and not self.starting:
            assert Timer.CLEAR in self.player.timers

    @invariant()
    def the_status_fits_the_world(self) -> None:
        status = status_of(self.player.condition)
        assert (status.pid is not None) == bool(self.live)
        assert (status.next_retry_at is not None) == (self.player.phase is Phase.BACKOFF)
        assert status.reason or self.player.phase is Phase.RUNNING or not self.history
        assert not status.ready or self.player.phase is Phase.RUNNING
        assert not status.says or self.player.condition.identity is not None
        if self.player.phase is Phase.RUNNING and self.player.spec.readiness is not None:
            assert self.player.condition.was_ready

    def teardown(self) -> None:
        self.replay_gives_the_same()
        self.a_stop_always_comes_to_its_end()

    def replay_gives_the_same(self) -> None:
        again = Player(spec=self.player.spec, condition=self.first)
        for event, time in self.history:
            again.time = time
            again.send(event)

        assert again.condition == self.player.condition

    def a_stop_always_comes_to_its_end(self) -> None:
        """From any condition: with a world that answers, a stop is done in a few steps, and nothing starts after it."""
        self.send(StopAsked())
        for _ in range(20 + 3 * len(self.player.condition.uncleared)):
            if self.player.condition.at_rest:
                break
            if self.starting or self.looking:
                (number,) = self.starting or self.looking
                event = Spawned(number, identity(number)) if self.starting else Adopted(number)
                self.starting.clear()
                self.looking.clear()
                self.live.add(number)
                self.send(event)
            elif self.live:
                self.main_is_gone(ExitStatus(code=0))
            elif self.sweeping:
                number = self.sweeping.pop()
                self.left.discard(number)
                self.send(Cleared(number))
            else:
                timer = min(self.player.timers, key=lambda found: self.player.timers[found])
                self.player.time, token = self.player.timers.pop(timer)
                self.send(TimerFired(timer, token))

        assert self.player.phase is Phase.STOPPED
        assert self.player.condition.desired is Desired.STOPPED


TestUnit = UnitWorld.TestCase
TestUnit.settings = settings(stateful_step_count=40)


def test_a_draft_never_changes_the_condition_it_was_made_of() -> None:
    """The machine is a function: an event may be tried on a condition and thrown away."""
    player = Player().run()
    before = evolve(player.condition)

    first = step(player.condition, MainExited(1, ExitStatus(code=1)), player.setting)
    second = step(player.condition, MainExited(1, ExitStatus(code=1)), player.setting)

    assert player.condition == before
    assert first == second
    assert isinstance(Draft(before, player.setting).now, Condition)
