"""What a row of answers means, whatever the answers."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from supervisor.units.probes.machine import EARLY_INTERVAL, Gauge, Standing, observe, pause, row
from supervisor.units.probes.spec import Liveness, Probe, Readiness
from supervisor.units.quantities import Duration

ANSWERS = st.lists(st.booleans(), max_size=40)
COUNTS = st.integers(1, 4)


def probe(**changes: Any) -> Probe:
    return Probe(tcp="80", **changes)


def play(of: Probe, answers: list[bool], *, age: float = 1000.0) -> list[Gauge]:
    found = [Gauge()]
    for passed in answers:
        found.append(observe(found[-1], of, None if passed else "nobody listens", age=age))
    return found


def last_row(answers: list[bool]) -> int:
    """How many equal answers there are at the end."""
    count = 0
    for passed in reversed(answers):
        if passed is not answers[-1]:
            break
        count += 1
    return count


@given(answers=ANSWERS, successes=COUNTS, failures=COUNTS)
def test_a_verdict_changes_exactly_when_enough_answers_in_a_row_speak_for_it(
    answers: list[bool], successes: int, failures: int
) -> None:
    gauges = play(probe(successes=successes, failures=failures), answers)

    for index in range(1, len(gauges)):
        before, after, given_so_far = gauges[index - 1], gauges[index], answers[:index]
        in_a_row = last_row(given_so_far)
        if given_so_far[-1]:
            enough, verdict = in_a_row >= successes, Standing.PASSING
        else:
            enough, verdict = in_a_row >= failures, Standing.FAILING
        assert after.standing is (verdict if enough else before.standing)


@given(answers=ANSWERS, failures=COUNTS)
def test_within_the_start_period_failures_count_only_once_it_has_passed(answers: list[bool], failures: int) -> None:
    gauges = play(probe(failures=failures, start_period=Duration(10)), answers, age=5.0)

    first_pass = answers.index(True) if True in answers else len(answers)
    assert all(gauge.standing is Standing.UNKNOWN for gauge in gauges[: first_pass + 1])
    after_it = play(probe(failures=failures), answers[first_pass:])
    assert [gauge.standing for gauge in gauges[first_pass + 1 :]] == [gauge.standing for gauge in after_it[1:]]


@given(answers=ANSWERS)
def test_a_failure_within_the_start_period_is_told_though_it_does_not_count(answers: list[bool]) -> None:
    gauge = play(probe(start_period=Duration(10)), [*answers, False], age=5.0)[-1]

    assert gauge.detail == "nobody listens"


@given(answers=st.lists(st.just(False), min_size=3, max_size=9))
def test_failures_of_the_start_period_are_forgotten_at_its_end(answers: list[bool]) -> None:
    of = probe(start_period=Duration(10), failures=2)
    early = play(of, answers, age=9.9)[-1]

    late = observe(early, of, "nobody listens", age=10.0)

    assert late.standing is Standing.UNKNOWN
    assert observe(late, of, "nobody listens", age=11.0).standing is Standing.FAILING


def test_it_is_looked_more_often_until_it_has_passed_within_the_start_period() -> None:
    of = probe(interval=Duration(10), start_period=Duration(30))
    hasty = probe(interval=Duration(0.25), start_period=Duration(30))

    assert pause(Gauge(), of, age=0.0) == EARLY_INTERVAL
    assert pause(Gauge(), of, age=30.0) == 10
    assert pause(Gauge(Standing.PASSING), of, age=0.0) == 10
    assert pause(Gauge(), hasty, age=0.0) == 0.25


def test_how_often_it_failed_is_said_from_the_second_time_on() -> None:
    once, _, thrice = play(probe(), [False, False, False])[1:]

    assert row(once) == "nobody listens"
    assert row(thrice) == "nobody listens (3 times in a row)"


def test_the_defaults_suit_what_each_probe_is_for() -> None:
    readiness, liveness = Readiness(tcp="80"), Liveness(tcp="80")

    assert (readiness.interval, readiness.timeout, readiness.start_period) == (0.5, 1.0, 0.0)
    assert (liveness.interval, liveness.timeout, liveness.start_period) == (10.0, 2.0, 10.0)
    assert Liveness(heartbeat="beat").oldest == 10.0
    assert Readiness(heartbeat="beat").oldest is None
    assert Liveness(heartbeat="beat", max_age=Duration(3)).oldest == 3.0
