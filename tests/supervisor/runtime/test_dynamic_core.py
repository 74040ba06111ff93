"""The brain of a dynamic supervisor: case by case, and over any sequence of events."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from supervisor.runtime.brain import (
    AddAsked,
    Answer,
    CancelDelay,
    Delay,
    DelayOver,
    DynamicEvent,
    Effect,
    Ended,
    Finish,
    GivenUp,
    RemoveAsked,
    Restarting,
    StartChild,
    Started,
    StopAsked,
    StopChild,
    Stuck,
)
from supervisor.runtime.dynamic_core import DynamicCore
from supervisor.runtime.errors import (
    ActorStopped,
    ChildNotFound,
    DuplicateChild,
    RestartsExhausted,
    SpecError,
    StartFailed,
    SupervisorBug,
    TooManyChildren,
    Unstoppable,
)
from supervisor.runtime.policy import NO_BACKOFF, Backoff, OnGiveUp, RestartPolicy, RestartType
from supervisor.runtime.reasons import NORMAL, Crashed, ExitReason, Stopped
from supervisor.runtime.spec import ChildSpec
from tests.supervisor.runtime.brain_world import crashed, never_run

SLOW = Backoff(initial=1.0, jitter=0.0)


def child(
    child_id: str,
    restart: RestartType = RestartType.PERMANENT,
    *,
    backoff: Backoff = NO_BACKOFF,
    max_restarts: int = 3,
    on_give_up: OnGiveUp = OnGiveUp.FAIL,
) -> ChildSpec:
    policy = RestartPolicy(restart=restart, backoff=backoff, max_restarts=max_restarts, on_give_up=on_give_up)
    return ChildSpec(child_id, never_run, restart=policy)


class DynamicWorld:
    """Children and requests on paper; every effect is carried out at once and checked."""

    def __init__(self, max_children: int = 10) -> None:
        self.core = DynamicCore("dyn", max_children=max_children, dice=lambda: 0.5)
        self.now = 0.0
        self.specs: dict[str, ChildSpec] = {}
        self.incarnation: dict[str, int] = {}
        self.starting: set[str] = set()
        self.up: set[str] = set()
        self.stopping: set[str] = set()
        self.stuck: set[str] = set()
        self.delays: dict[str, int] = {}
        self.requests = 0
        self.answers: dict[int, Exception | None] = {}
        self.ending = False
        self.finish: Finish | None = None

    @property
    def live(self) -> set[str]:
        return self.starting | self.up | self.stopping | self.stuck

    @property
    def unanswered(self) -> set[int]:
        return set(range(1, self.requests + 1)) - set(self.answers)

    def feed(self, event: DynamicEvent) -> tuple[Effect, ...]:
        effects = self.core.handle(event, self.now)
        for effect in effects:
            self._obey(effect)
        return effects

    def add(self, spec: ChildSpec) -> int:
        self.requests += 1
        self.specs.setdefault(spec.id, spec)
        self.feed(AddAsked(self.requests, spec))
        return self.requests

    def remove(self, child_id: str) -> int:
        self.requests += 1
        self.feed(RemoveAsked(self.requests, child_id))
        return self.requests

    def comes_up(self, child_id: str) -> None:
        self.starting.discard(child_id)
        self.up.add(child_id)
        self.feed(Started(child_id, self.incarnation[child_id]))

    def ends(self, child_id: str, reason: ExitReason) -> tuple[Effect, ...]:
        for where in (self.starting, self.up, self.stopping, self.stuck):
            where.discard(child_id)
        return self.feed(Ended(child_id, self.incarnation[child_id], reason))

    def gets_stuck(self, child_id: str) -> None:
        for where in (self.starting, self.up, self.stopping):
            where.discard(child_id)
        self.stuck.add(child_id)
        self.feed(Stuck(child_id, self.incarnation[child_id], (f"dyn/{child_id}",)))

    def delay_passes(self, child_id: str) -> None:
        self.feed(DelayOver(child_id, self.delays.pop(child_id)))

    def stop(self) -> None:
        self.ending = True
        self.feed(StopAsked(Stopped("the test")))

    def _obey(self, effect: Effect) -> None:
        match effect:
            case Answer(request, error):
                assert request not in self.answers, "S12: exactly one answer"
                self.answers[request] = error
            case StartChild(spec, incarnation):
                assert not self.ending, "S6"
                assert spec.id not in self.live, "S1"
                assert spec.id not in self.delays
                self.incarnation[spec.id] = incarnation
                self.starting.add(spec.id)
            case StopChild(child_id, incarnation, _):
                assert incarnation == self.incarnation[child_id]
                assert child_id in self.starting | self.up
                self.starting.discard(child_id)
                self.up.discard(child_id)
                self.stopping.add(child_id)
            case Delay(child_id, incarnation, seconds):
                assert seconds > 0
                self.delays[child_id] = incarnation
            case CancelDelay(child_id):
                del self.delays[child_id]
            case Finish(_, stuck):
                assert self.finish is None
                assert not self.delays
                assert self.live == self.stuck == {path.removeprefix("dyn/") for path in stuck}
                self.finish = effect
            case GivenUp(_, _, escalated):
                self.ending = self.ending or escalated
            case Restarting():
                pass
            case _:
                raise AssertionError(effect)


def test_a_start_is_answered_once_the_child_is_up() -> None:
    world = DynamicWorld()
    request = world.add(child("a"))
    assert request in world.unanswered

    world.comes_up("a")

    assert world.answers[request] is None


def test_children_start_side_by_side() -> None:
    world = DynamicWorld()

    world.add(child("a"))
    world.add(child("b"))

    assert world.starting == {"a", "b"}


def test_a_failed_first_start_is_the_answer_and_leaves_nothing_behind() -> None:
    world = DynamicWorld()
    request = world.add(child("a"))

    world.ends("a", crashed("no such file"))

    assert "no such file" in str(world.answers[request])
    assert world.core.books.children == {}


def test_a_first_start_that_ends_without_an_error_is_a_failed_start() -> None:
    world = DynamicWorld()
    request = world.add(child("a"))

    world.ends("a", NORMAL)

    assert isinstance(world.answers[request], StartFailed)


def test_an_id_that_is_taken_a_full_supervisor_and_a_wrong_spec_are_refused() -> None:
    world = DynamicWorld(max_children=2)
    world.add(child("a"))
    taken = world.add(child("a"))
    world.add(child("b"))
    full = world.add(child("c"))

    assert isinstance(world.answers[taken], DuplicateChild)
    assert isinstance(world.answers[full], TooManyChildren)
    assert world.starting == {"a", "b"}


def test_a_significant_child_is_refused() -> None:
    world = DynamicWorld()
    transient = RestartPolicy(restart=RestartType.TRANSIENT)

    request = world.add(ChildSpec("a", never_run, restart=transient, significant=True))

    assert isinstance(world.answers[request], SpecError)


def test_a_removal_is_answered_once_nothing_runs_and_frees_the_id() -> None:
    world = DynamicWorld()
    world.add(child("a"))
    world.comes_up("a")
    first, second = world.remove("a"), world.remove("a")
    assert world.unanswered == {first, second}

    world.ends("a", NORMAL)

    assert world.answers[first] is None
    assert world.answers[second] is None
    world.add(child("a"))
    assert world.starting == {"a"}


def test_a_removal_of_what_is_not_there_is_refused() -> None:
    world = DynamicWorld()

    assert isinstance(world.answers[world.remove("a")], ChildNotFound)


def test_a_removal_while_the_child_comes_up_answers_both() -> None:
    world = DynamicWorld()
    start = world.add(child("a"))
    stop = world.remove("a")

    world.ends("a", Stopped("its removal"))

    assert isinstance(world.answers[start], StartFailed)
    assert world.answers[stop] is None


def test_s12_a_removal_in_the_middle_of_failing_restarts_is_answered() -> None:
    world = DynamicWorld()
    world.add(child("a", backoff=SLOW, on_give_up=OnGiveUp.RETRY))
    world.comes_up("a")
    world.ends("a", crashed())
    world.ends("a", crashed("while starting"))
    assert "a" in world.delays

    request = world.remove("a")

    assert world.answers[request] is None
    assert world.delays == {}
    assert world.core.books.children == {}


def test_a_child_that_ends_for_good_is_forgotten() -> None:
    world = DynamicWorld()
    for each, restart, reason in [
        ("a", RestartType.TEMPORARY, crashed()),
        ("b", RestartType.TRANSIENT, NORMAL),
    ]:
        world.add(child(each, restart))
        world.comes_up(each)
        world.ends(each, reason)

    assert world.core.books.children == {}


def test_a_child_that_was_given_up_stays_in_the_books_until_it_is_removed() -> None:
    world = DynamicWorld()
    world.add(child("a", max_restarts=0))
    world.comes_up("a")

    assert world.ends("a", crashed()) == (GivenUp("a", 1, escalated=False),)
    assert list(world.core.books.children) == ["a"]

    assert world.answers[world.remove("a")] is None
    assert world.core.books.children == {}


def test_an_escalation_stops_everybody_side_by_side_and_says_why() -> None:
    world = DynamicWorld()
    for each in ("a", "b"):
        world.add(child(each))
        world.comes_up(each)
    world.add(child("c", max_restarts=0, on_give_up=OnGiveUp.ESCALATE))
    world.comes_up("c")

    world.ends("c", crashed())

    assert world.stopping == {"a", "b"}
    world.ends("a", NORMAL)
    world.ends("b", NORMAL)
    assert world.finish is not None
    assert isinstance(world.finish.reason, Crashed)
    assert isinstance(world.finish.reason.error, RestartsExhausted)


def test_a_stop_goes_to_all_at_once_and_ends_every_wait() -> None:
    world = DynamicWorld()
    world.add(child("a", backoff=SLOW))
    world.comes_up("a")
    world.ends("a", crashed())
    world.ends("a", crashed())
    start = world.add(child("b"))
    world.add(child("c"))
    world.comes_up("c")

    world.stop()

    assert world.stopping == {"b", "c"}
    assert world.delays == {}
    refused = world.add(child("d"))
    assert isinstance(world.answers[refused], ActorStopped)
    world.ends("b", Stopped("x"))
    world.ends("c", Stopped("x"))
    assert isinstance(world.answers[start], StartFailed)
    assert world.finish == Finish(Stopped("the test"), ())


def test_a_stuck_child_is_the_answer_to_its_removal_and_does_not_hold_the_stop() -> None:
    world = DynamicWorld()
    for each in ("a", "b"):
        world.add(child(each))
        world.comes_up(each)
    removal = world.remove("a")

    world.gets_stuck("a")

    assert isinstance(world.answers[removal], Unstoppable)
    assert isinstance(world.answers[world.remove("a")], Unstoppable)
    world.stop()
    world.ends("b", NORMAL)
    assert world.finish == Finish(Stopped("the test"), ("dyn/a",))
    world.ends("a", NORMAL)
    assert world.core.books.children == {}


def test_s8_old_events_change_nothing_and_impossible_ones_are_refused() -> None:
    world = DynamicWorld()
    world.add(child("a"))
    world.comes_up("a")
    world.ends("a", crashed())

    assert world.core.handle(Started("a", 1), 0) == ()
    assert world.core.handle(Ended("gone", 1, NORMAL), 0) == ()
    with pytest.raises(SupervisorBug):
        world.core.handle(Started("a", 7), 0)
    with pytest.raises(SupervisorBug):
        world.core.handle(DelayOver("a", 2), 0)


POLICIES = st.builds(
    child,
    st.sampled_from(["a", "b", "c", "d"]),
    st.sampled_from(RestartType),
    backoff=st.sampled_from([NO_BACKOFF, SLOW]),
    max_restarts=st.sampled_from([0, 1, 5]),
    on_give_up=st.sampled_from(OnGiveUp),
)


class DynamicMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order, every request gets exactly one answer (S12)."""

    @initialize(max_children=st.integers(0, 4))
    def set_up(self, max_children: int) -> None:
        self.world = DynamicWorld(max_children)

    def pick(self, data: st.DataObject, among: set[str]) -> str:
        return data.draw(st.sampled_from(sorted(among)))

    @rule(spec=POLICIES)
    def somebody_adds(self, spec: ChildSpec) -> None:
        self.world.add(spec)

    @rule(child_id=st.sampled_from(["a", "b", "c", "d"]))
    def somebody_removes(self, child_id: str) -> None:
        self.world.remove(child_id)

    @precondition(lambda self: self.world.starting)
    @rule(data=st.data())
    def a_child_comes_up(self, data: st.DataObject) -> None:
        self.world.comes_up(self.pick(data, self.world.starting))

    @precondition(lambda self: self.world.live)
    @rule(data=st.data(), crashes=st.booleans())
    def a_child_ends(self, data: st.DataObject, crashes: bool) -> None:
        self.world.ends(self.pick(data, self.world.live), crashed() if crashes else NORMAL)

    @precondition(lambda self: self.world.delays)
    @rule(data=st.data())
    def a_delay_passes(self, data: st.DataObject) -> None:
        self.world.delay_passes(self.pick(data, set(self.world.delays)))

    @precondition(lambda self: self.world.stopping)
    @rule(data=st.data(), dice=st.integers(0, 9))
    def a_stopping_child_gets_stuck(self, data: st.DataObject, dice: int) -> None:
        if dice == 9:
            self.world.gets_stuck(self.pick(data, self.world.stopping))

    @rule(seconds=st.sampled_from([0.1, 10.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds

    @rule(dice=st.integers(0, 30))
    def somebody_asks_for_a_stop(self, dice: int) -> None:
        if dice == 30:
            self.world.stop()

    def teardown(self) -> None:
        """S9 and S12: a stop, and one end of each child, answer everybody and reach the end."""
        if not hasattr(self, "world"):
            return
        self.world.stop()
        for child_id in sorted(self.world.live):
            self.world.ends(child_id, NORMAL)

        assert self.world.unanswered == set()
        assert self.world.finish is not None
        assert self.world.core.books.children == {}


TestDynamicMachine = DynamicMachine.TestCase
TestDynamicMachine.settings = settings(stateful_step_count=50)
