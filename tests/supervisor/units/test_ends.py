"""Ends in words."""

from __future__ import annotations

import pytest

from supervisor.units.driver import ExitStatus
from supervisor.units.ends import count, how, ordinal, processes, signal_name, span
from supervisor.units.status import Counters, EndReason


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 s"),
        (0.004, "0 s"),
        (0.25, "0.25 s"),
        (0.5, "0.5 s"),
        (3.21, "3.2 s"),
        (10.0, "10 s"),
        (119.9, "120 s"),
        (150.0, "2.5 min"),
        (5400.0, "90 min"),
        (7200.0, "2 h"),
        (180000.0, "2.1 days"),
    ],
)
def test_lengths_of_time_are_short_and_readable(seconds: float, words: str) -> None:
    assert span(seconds) == words


def test_numbers_in_a_row() -> None:
    said = [ordinal(number) for number in (1, 2, 3, 4, 11, 12, 13, 21, 101, 111)]

    assert said == ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "101st", "111th"]


def test_one_process_and_several() -> None:
    assert processes((7,)) == "process 7"
    assert processes((7, 8)) == "processes 7, 8"


def test_a_signal_without_a_name_is_told_by_its_number() -> None:
    assert signal_name(9) == "SIGKILL"
    assert how(ExitStatus(signal=41)) == "ended by SIG41"


def test_what_is_not_known_is_not_guessed() -> None:
    assert how(ExitStatus(known=False)) == "ended in a way that is not known"


@pytest.mark.parametrize("reason", [*EndReason])
def test_each_end_is_counted_by_its_cause_or_not_at_all(reason: EndReason) -> None:
    counted = count(Counters(), reason)

    wanted = {EndReason.EXITED, EndReason.STOPPED, EndReason.RESTARTED, EndReason.KILLED, EndReason.UNKNOWN}
    total = counted.spawn_failures + counted.crashes + counted.liveness_failures + counted.stalls + counted.limits
    assert total == (0 if reason in wanted else 1)
