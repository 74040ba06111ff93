"""The brain of a static supervisor, case by case."""

from __future__ import annotations

import pytest

from supervisor.runtime.brain import (
    AllUp,
    Begin,
    CancelDelay,
    Delay,
    DelayOver,
    Ended,
    Finish,
    GivenUp,
    Restarting,
    StartChild,
    Started,
    StopAsked,
    StopChild,
    Stuck,
)
from supervisor.runtime.children import ChildState
from supervisor.runtime.core import Mode, SupervisorCore
from supervisor.runtime.errors import RestartsExhausted, SpecError, StartFailed, SupervisorBug, Unstoppable
from supervisor.runtime.policy import NO_BACKOFF, AutoShutdown, Backoff, OnGiveUp, RestartPolicy, RestartType, Strategy
from supervisor.runtime.reasons import NORMAL, Crashed, Stopped
from supervisor.runtime.spec import ChildSpec
from tests.supervisor.runtime.brain_world import World, crashed, never_run


def child(
    child_id: str,
    restart: RestartType = RestartType.PERMANENT,
    *,
    significant: bool = False,
    max_restarts: int = 3,
    on_give_up: OnGiveUp = OnGiveUp.ESCALATE,
    backoff: Backoff = NO_BACKOFF,
) -> ChildSpec:
    policy = RestartPolicy(
        restart=restart, backoff=backoff, max_restarts=max_restarts, period=5.0, on_give_up=on_give_up
    )
    return ChildSpec(child_id, never_run, restart=policy, significant=significant)


def up(strategy: Strategy, *specs: ChildSpec, auto_shutdown: AutoShutdown = AutoShutdown.NEVER) -> World:
    world = World(strategy, specs, auto_shutdown)
    world.begin()
    world.settle()
    world.starts.clear()
    return world


ABC = (child("a"), child("b"), child("c"))


def test_s3_children_start_in_order_each_after_the_one_before_is_up() -> None:
    core = SupervisorCore("sup", Strategy.ONE_FOR_ONE, ABC, dice=lambda: 0.5)

    assert core.handle(Begin(), 0) == (StartChild(ABC[0], 1),)
    assert core.handle(Started("a", 1), 0) == (StartChild(ABC[1], 2),)
    assert core.handle(Started("b", 2), 0) == (StartChild(ABC[2], 3),)
    assert core.handle(Started("c", 3), 0) == (AllUp(),)


def test_s3_a_stop_goes_one_by_one_in_reverse_start_order() -> None:
    world = up(Strategy.ONE_FOR_ONE, *ABC)

    world.drain()

    assert world.stops == ["c", "b", "a"]


def test_s3_the_stop_order_is_that_of_the_actual_starts_not_of_the_specs() -> None:
    world = up(Strategy.ONE_FOR_ONE, *ABC)
    world.ends_with("a", crashed())
    world.settle()

    world.drain()

    assert world.stops == ["a", "c", "b"]


@pytest.mark.parametrize(
    ("strategy", "stopped", "started"),
    [
        (Strategy.ONE_FOR_ONE, [], ["b"]),
        (Strategy.REST_FOR_ONE, ["c"], ["b", "c"]),
        (Strategy.ONE_FOR_ALL, ["c", "a"], ["a", "b", "c"]),
    ],
)
def test_s2_the_strategy_says_who_goes_down_with_a_child(
    strategy: Strategy, stopped: list[str], started: list[str]
) -> None:
    world = up(strategy, *ABC)

    world.ends_with("b", crashed())
    world.settle()

    assert (world.stops, world.starts) == (stopped, started)


def test_s2_a_child_that_stays_down_takes_nobody_with_it() -> None:
    world = up(Strategy.ONE_FOR_ALL, child("a"), child("b", RestartType.TEMPORARY), child("c", RestartType.TRANSIENT))

    world.ends_with("b", crashed())
    world.ends_with("c", NORMAL)

    assert world.stops == []


def test_s2_a_finished_sibling_is_started_with_its_group() -> None:
    world = up(Strategy.ONE_FOR_ALL, child("a"), child("b", RestartType.TRANSIENT))
    world.ends_with("b", NORMAL)

    world.ends_with("a", crashed())
    world.settle()

    assert world.starts == ["a", "b"]


def test_s2_a_sibling_that_was_given_up_is_not_started_with_its_group() -> None:
    world = up(Strategy.ONE_FOR_ALL, child("a"), child("b", max_restarts=0, on_give_up=OnGiveUp.FAIL))
    world.ends_with("b", crashed())

    world.ends_with("a", crashed())
    world.settle()

    assert world.starts == ["a"]


@pytest.mark.parametrize("strategy", [Strategy.REST_FOR_ONE, Strategy.ONE_FOR_ALL])
def test_s2_siblings_that_depend_on_a_waiting_child_wait_with_it(strategy: Strategy) -> None:
    slow = Backoff(initial=2.0, jitter=0.0)
    world = up(strategy, child("a"), child("b", backoff=slow), child("c"))
    world.ends_with("b", crashed())
    world.settle()
    world.ends_with("b", crashed())
    world.settle()
    world.starts.clear()

    assert world.up.keys() == ({"a"} if strategy is Strategy.REST_FOR_ONE else set())

    world.delay_passes("b")
    world.settle()

    assert world.up.keys() == {"a", "b", "c"}


def test_s4_the_restart_type_and_the_kind_of_end_decide() -> None:
    for restart in RestartType:
        for reason in (NORMAL, crashed(), Stopped("x")):
            world = up(Strategy.ONE_FOR_ONE, child("a", restart))

            world.ends_with("a", reason)

            wanted = restart is RestartType.PERMANENT or (
                restart is RestartType.TRANSIENT and isinstance(reason, Crashed)
            )
            assert world.starts == (["a"] if wanted else [])


def test_s5_one_restart_too_many_ends_the_supervisor_with_a_reason() -> None:
    world = up(Strategy.ONE_FOR_ONE, *ABC)

    for _ in range(4):
        world.ends_with("b", crashed("the disk"))
        world.settle()

    assert world.finish is not None
    reason = world.finish.reason
    assert isinstance(reason, Crashed)
    assert isinstance(reason.error, RestartsExhausted)
    assert "sup/b" in str(reason.error)
    assert "the disk" in str(reason.error)
    assert world.stops == ["c", "a"]


def test_s5_counters_are_per_child() -> None:
    world = up(Strategy.ONE_FOR_ONE, *ABC)

    for each in "abcabcabc":
        world.ends_with(each, crashed())
        world.settle()

    assert not world.ending


def test_s5_a_failed_child_stays_down_and_the_others_go_on() -> None:
    world = up(Strategy.ONE_FOR_ALL, child("a", max_restarts=0, on_give_up=OnGiveUp.FAIL), child("b"))

    effects = world.ends_with("a", crashed())

    assert effects == (GivenUp("a", 1, escalated=False),)
    assert world.core.books.children["a"].state is ChildState.FAILED
    assert set(world.up) == {"b"}


def test_a_failed_first_start_is_rolled_back_in_reverse_order() -> None:
    world = World(Strategy.ONE_FOR_ONE, ABC)
    world.begin()
    world.comes_up("a")
    world.comes_up("b")

    world.ends_with("c", crashed("no port"))
    world.settle()

    assert world.stops == ["b", "a"]
    assert world.finish is not None
    assert isinstance(world.finish.reason, Crashed)
    assert "no port" in str(world.finish.reason.error)


def test_a_first_start_that_ends_without_an_error_is_a_failed_start_too() -> None:
    world = World(Strategy.ONE_FOR_ONE, ABC)
    world.begin()

    world.ends_with("a", NORMAL)

    assert world.finish is not None
    assert isinstance(world.finish.reason, Crashed)
    assert isinstance(world.finish.reason.error, StartFailed)


def test_a_failed_restart_counts_as_an_end_and_is_tried_again() -> None:
    world = up(Strategy.ONE_FOR_ONE, *ABC)

    world.ends_with("a", crashed())
    world.ends_with("a", crashed("while starting"))

    assert world.starts == ["a", "a"]


def test_a_start_that_fails_is_no_healthy_run_however_long_ago_the_last_one_was() -> None:
    world = up(Strategy.ONE_FOR_ONE, child("a", max_restarts=2))
    for _ in range(2):
        world.ends_with("a", crashed())
        world.now += 100

    world.ends_with("a", crashed())

    assert world.ending


def test_while_one_child_restarts_slowly_others_restart_all_the_same() -> None:
    world = up(Strategy.ONE_FOR_ONE, *ABC)

    world.ends_with("a", crashed())
    world.ends_with("b", crashed())

    assert world.starting == {"a", "b"}


def test_a_crash_while_the_supervisor_comes_up_is_restarted_before_the_next_child_starts() -> None:
    world = World(Strategy.REST_FOR_ONE, ABC)
    world.begin()
    world.comes_up("a")

    world.ends_with("a", crashed())
    world.settle()

    assert world.starts == ["a", "b", "a", "b", "c"]
    assert world.stops == ["b"]


@pytest.mark.parametrize(
    ("auto_shutdown", "ended", "ends"),
    [
        (AutoShutdown.NEVER, ["plain"], False),
        (AutoShutdown.ANY_SIGNIFICANT, ["plain"], False),
        (AutoShutdown.ANY_SIGNIFICANT, ["first"], True),
        (AutoShutdown.ALL_SIGNIFICANT, ["first"], False),
        (AutoShutdown.ALL_SIGNIFICANT, ["second", "plain"], False),
        (AutoShutdown.ALL_SIGNIFICANT, ["second", "first"], True),
        (AutoShutdown.ALL_SIGNIFICANT, ["first", "second"], True),
    ],
)
def test_s10_significant_children_end_their_supervisor(
    auto_shutdown: AutoShutdown, ended: list[str], ends: bool
) -> None:
    significant = auto_shutdown is not AutoShutdown.NEVER
    world = up(
        Strategy.ONE_FOR_ONE,
        child("first", RestartType.TRANSIENT, significant=significant),
        child("plain", RestartType.TRANSIENT),
        child("second", RestartType.TEMPORARY, significant=significant),
        auto_shutdown=auto_shutdown,
    )

    for each in ended:
        world.ends_with(each, NORMAL)

    assert ends == world.ending
    if ends:
        world.settle()
        assert world.finish is not None
        assert isinstance(world.finish.reason, Stopped)


def test_s10_a_significant_child_that_is_given_up_has_ended_too() -> None:
    world = up(
        Strategy.ONE_FOR_ONE,
        child("a", RestartType.TRANSIENT, significant=True, max_restarts=0, on_give_up=OnGiveUp.FAIL),
        child("b"),
        auto_shutdown=AutoShutdown.ANY_SIGNIFICANT,
    )

    world.ends_with("a", crashed())

    assert world.ending


def test_s10_a_significant_child_that_will_start_again_keeps_the_supervisor_alive() -> None:
    slow = Backoff(initial=2.0, jitter=0.0)
    world = up(
        Strategy.ONE_FOR_ONE,
        child("a", RestartType.TRANSIENT, significant=True, backoff=slow),
        child("b", RestartType.TEMPORARY, significant=True),
        auto_shutdown=AutoShutdown.ALL_SIGNIFICANT,
    )
    world.ends_with("a", crashed())
    world.settle()
    world.ends_with("a", crashed())

    world.ends_with("b", NORMAL)

    assert "a" in world.delays
    assert not world.ending


def test_s10_a_significant_child_that_has_yet_to_start_keeps_the_supervisor_alive() -> None:
    both = [child(each, RestartType.TRANSIENT, significant=True) for each in ("a", "b")]
    world = World(Strategy.ONE_FOR_ONE, (both[0], child("slow"), both[1]), AutoShutdown.ALL_SIGNIFICANT)
    world.begin()
    world.comes_up("a")

    world.ends_with("a", NORMAL)

    assert not world.ending


def test_s10_a_stop_that_the_supervisor_caused_never_counts() -> None:
    world = up(
        Strategy.ONE_FOR_ALL,
        child("a"),
        child("b", RestartType.TEMPORARY, significant=True),
        auto_shutdown=AutoShutdown.ANY_SIGNIFICANT,
    )

    world.ends_with("a", crashed())
    world.settle()

    assert not world.ending
    assert world.forgotten == {"b"}


def test_s7_a_temporary_child_leaves_nothing_behind() -> None:
    world = up(Strategy.ONE_FOR_ONE, child("a", RestartType.TEMPORARY))

    world.ends_with("a", crashed())

    assert world.core.books.children == {}


def test_s6_a_stop_ends_every_wait_and_starts_nothing() -> None:
    slow = Backoff(initial=2.0, jitter=0.0)
    core = SupervisorCore("sup", Strategy.ONE_FOR_ONE, (child("a", backoff=slow),), dice=lambda: 0.5)
    core.handle(Begin(), 0)
    core.handle(Started("a", 1), 0)
    core.handle(Ended("a", 1, crashed()), 0)
    assert core.handle(Ended("a", 2, crashed()), 0) == (Restarting("a", 2.0, crash_loop=False), Delay("a", 2, 2.0))

    assert core.handle(StopAsked(Stopped("x")), 0) == (CancelDelay("a"), Finish(Stopped("x"), ()))

    assert core.mode is Mode.ENDED
    assert core.handle(Begin(), 0) == ()


def test_a_child_that_is_on_its_way_up_is_stopped_like_any_other() -> None:
    world = World(Strategy.ONE_FOR_ONE, ABC)
    world.begin()

    world.stop()

    assert world.stops == ["a"]
    world.settle()
    assert world.finish == Finish(Stopped("the test"), ())


def test_a_child_that_cannot_be_stopped_ends_the_supervisor_and_is_named() -> None:
    world = up(Strategy.REST_FOR_ONE, *ABC)
    world.ends_with("b", crashed())
    assert world.stops == ["c"]

    world.gets_stuck("c")
    world.settle()

    assert world.stops == ["c", "a"]
    assert world.finish is not None
    assert world.finish.stuck == ("sup/c",)
    assert isinstance(world.finish.reason, Crashed)
    assert isinstance(world.finish.reason.error, Unstoppable)


def test_the_end_of_a_stuck_child_after_all_is_taken_note_of() -> None:
    world = up(Strategy.ONE_FOR_ONE, child("a"))
    world.stop()
    world.gets_stuck("a")

    assert world.finish is not None
    world.ends_with("a", NORMAL)

    assert world.live == set()


def test_the_reason_of_the_first_end_stays_the_reason() -> None:
    world = up(Strategy.ONE_FOR_ONE, child("a"))
    world.stop()

    world.feed(StopAsked(Stopped("again")))
    world.settle()

    assert world.finish == Finish(Stopped("the test"), ())


def test_s8_late_reports_of_an_old_incarnation_change_nothing() -> None:
    world = up(Strategy.ONE_FOR_ONE, child("a"))
    world.ends_with("a", crashed())

    assert world.feed(Started("a", 1)) == ()
    assert world.feed(Ended("a", 1, crashed())) == ()
    assert world.core.books.children["a"].state is ChildState.STARTING
    assert world.feed(DelayOver("gone", 1)) == ()


@pytest.mark.parametrize(
    "event",
    [Started("a", 99), Started("a", 1), DelayOver("a", 1), Begin()],
    ids=["future", "twice", "no delay", "begun"],
)
def test_an_event_that_cannot_be_is_refused_and_changes_nothing(event: Started | DelayOver | Begin) -> None:
    world = up(Strategy.ONE_FOR_ONE, child("a"))

    with pytest.raises(SupervisorBug):
        world.core.handle(event, 0)

    assert world.core.books.children["a"].state is ChildState.UP
    assert world.core.handle(Stuck("a", 1, ("sup/a",)), 0) != ()


def test_a_supervisor_without_children_is_up_at_once_and_can_be_stopped() -> None:
    core = SupervisorCore("sup", Strategy.ONE_FOR_ALL, (), dice=lambda: 0.5)

    assert core.handle(Begin(), 0) == (AllUp(),)
    assert core.handle(StopAsked(Stopped("x")), 0) == (Finish(Stopped("x"), ()),)


def test_a_child_that_says_late_that_it_is_up_is_still_being_stopped() -> None:
    world = World(Strategy.ONE_FOR_ONE, (child("a"),))
    world.begin()
    world.stop()

    assert world.feed(Started("a", 1)) == ()
    assert world.stopping == {"a"}


def test_stopping_says_why() -> None:
    core = SupervisorCore("sup", Strategy.REST_FOR_ONE, ABC[:2], dice=lambda: 0.5)
    for event in (Begin(), Started("a", 1), Started("b", 2)):
        core.handle(event, 0)

    effects = core.handle(Ended("a", 1, crashed()), 0)

    assert effects == (Restarting("a", 0.0, crash_loop=False), StopChild("b", 2, "restart of 'a'"))


@pytest.mark.parametrize(
    ("specs", "auto_shutdown"),
    [
        ((child("a"), child("a")), AutoShutdown.NEVER),
        ((child("a", RestartType.TRANSIENT, significant=True),), AutoShutdown.NEVER),
    ],
    ids=["two of one id", "significant for nothing"],
)
def test_a_tree_that_cannot_be_is_refused_when_it_is_described(
    specs: tuple[ChildSpec, ...], auto_shutdown: AutoShutdown
) -> None:
    with pytest.raises(SpecError):
        SupervisorCore("sup", Strategy.ONE_FOR_ONE, specs, dice=lambda: 0.5, auto_shutdown=auto_shutdown)


def test_a_permanent_child_cannot_be_significant() -> None:
    with pytest.raises(SpecError):
        child("a", significant=True)
