"""The one place that decides about restarts."""

from __future__ import annotations

import random

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from supervisor.runtime.policy import Backoff, OnGiveUp, RestartPolicy, RestartType
from supervisor.runtime.restart import (
    FRESH,
    Again,
    Decision,
    Finished,
    GaveUp,
    History,
    backoff_delay,
    decide,
    forget,
    wants_restart,
)

POLICY = RestartPolicy(backoff=Backoff(jitter=0.0))


def ends(policy: RestartPolicy, times: list[float], *, healthy_for: float = 0.0) -> list[Decision]:
    """Decide for a series of failures at the given times, one after another."""
    history, decisions = FRESH, []
    for now in times:
        history, decision = decide(policy, history, failed=True, healthy_for=healthy_for, now=now, dice=lambda: 0.5)
        decisions.append(decision)
    return decisions


@pytest.mark.parametrize(
    ("restart", "failed", "expected"),
    [
        (RestartType.PERMANENT, True, True),
        (RestartType.PERMANENT, False, True),
        (RestartType.TRANSIENT, True, True),
        (RestartType.TRANSIENT, False, False),
        (RestartType.TEMPORARY, True, False),
        (RestartType.TEMPORARY, False, False),
    ],
)
def test_the_restart_type_decides_as_in_otp(restart: RestartType, failed: bool, expected: bool) -> None:
    assert expected is wants_restart(restart, failed=failed)


def test_the_first_restart_is_immediate_and_the_next_ones_double_up_to_the_cap() -> None:
    policy = evolve(POLICY, max_restarts=20)

    delays = [decision.delay for decision in ends(policy, [float(i) for i in range(10)]) if isinstance(decision, Again)]

    assert delays == [0, 0.5, 1, 2, 4, 8, 16, 32, 60, 60]


def test_a_long_healthy_run_forgets_all_earlier_ends() -> None:
    assert all(d == Again(0.0) for d in ends(POLICY, [float(i) for i in range(50)], healthy_for=60.0))


def test_a_short_success_forgets_nothing() -> None:
    assert ends(POLICY, [0.0, 30.0], healthy_for=29.0)[1] == Again(0.5)


def test_a_crash_loop_goes_on_at_the_longest_delay() -> None:
    decisions = ends(POLICY, [i * 0.1 for i in range(12)])

    assert decisions[10:] == [Again(60.0, crash_loop=True)] * 2


def test_a_crash_loop_fails_or_escalates_where_that_was_asked_for() -> None:
    times = [i * 0.1 for i in range(11)]

    assert ends(evolve(POLICY, on_give_up=OnGiveUp.FAIL), times)[-1] == GaveUp(escalate=False, restarts=11)
    assert ends(evolve(POLICY, on_give_up=OnGiveUp.ESCALATE), times)[-1] == GaveUp(escalate=True, restarts=11)


def test_growing_delays_do_not_hide_a_crash_loop_from_the_window() -> None:
    decisions = ends(evolve(POLICY, period=1.0, on_give_up=OnGiveUp.FAIL), [i * 100.0 for i in range(11)])

    assert isinstance(decisions[-1], GaveUp)


def test_a_wanted_end_of_a_transient_child_is_the_end() -> None:
    policy = evolve(POLICY, restart=RestartType.TRANSIENT)

    assert decide(policy, FRESH, failed=False, healthy_for=1, now=0, dice=random.random)[1] == Finished()


def test_a_start_by_hand_ends_a_crash_loop() -> None:
    looping = History(in_a_row=40, recent=(1.0, 2.0), crash_loop=True)

    assert forget(looping) == FRESH


@given(
    st.builds(
        Backoff,
        initial=st.floats(0, 100),
        factor=st.floats(1, 1e6),
        max=st.floats(0, 1000),
        jitter=st.floats(0, 1),
        reset_after=st.just(60.0),
    ),
    st.integers(0, 10_000),
    st.floats(0, 0.999999),
)
def test_s11_a_delay_is_never_negative_and_never_above_the_cap(backoff: Backoff, in_a_row: int, dice: float) -> None:
    assert 0 <= backoff_delay(backoff, in_a_row, lambda: dice) <= backoff.max


@given(st.floats(0, 10), st.floats(1, 10), st.floats(0, 100), st.integers(1, 200))
def test_s11_without_jitter_a_later_delay_is_never_shorter(initial: float, factor: float, cap: float, n: int) -> None:
    backoff = Backoff(initial=initial, factor=factor, max=cap, jitter=0)

    assert backoff_delay(backoff, n, random.random) <= backoff_delay(backoff, n + 1, random.random)


@given(
    st.lists(st.floats(0, 30), max_size=60),
    st.integers(0, 8),
    st.floats(0, 60),
)
def test_s5_giving_up_agrees_with_counting_by_hand(gaps: list[float], limit: int, period: float) -> None:
    """More than the limit within the period, or in a row: the same answer as a count over the whole past."""
    policy = RestartPolicy(max_restarts=limit, period=period, on_give_up=OnGiveUp.FAIL, backoff=Backoff(jitter=0))
    now, past, history = 0.0, [], FRESH
    for gap in gaps:
        now += gap
        past.append(now)
        history, decision = decide(policy, history, failed=True, healthy_for=0, now=now, dice=lambda: 0.0)
        within = sum(1 for at in past if now - at <= period)

        assert isinstance(decision, GaveUp) == (within > limit or len(past) > limit)


@given(st.lists(st.tuples(st.floats(-1e6, 1e6), st.booleans(), st.floats(0, 100)), max_size=100), st.integers(0, 12))
def test_what_is_remembered_stays_small_whatever_the_clock_does(
    ends_: list[tuple[float, bool, float]], limit: int
) -> None:
    history = FRESH
    for now, failed, healthy_for in ends_:
        history, _ = decide(
            evolve(POLICY, max_restarts=limit),
            history,
            failed=failed,
            healthy_for=healthy_for,
            now=now,
            dice=random.random,
        )
        assert len(history.recent) <= limit + 1
