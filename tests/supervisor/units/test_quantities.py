"""Durations, sizes and signal names, as people write them."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.units.quantities import (
    format_duration,
    format_size,
    parse_duration,
    parse_signal,
    parse_size,
    signal_number,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("500ms", 0.5),
        ("10s", 10),
        ("1h30m", 5400),
        ("1d", 86400),
        (" 2 ", 2),
        ("1.5", 1.5),
        (3, 3),
        (0.25, 0.25),
        ("1w", 604800),
    ],
)
def test_a_duration_takes_units_or_plain_seconds(text: object, seconds: float) -> None:
    assert seconds == parse_duration(text)


@pytest.mark.parametrize(
    "wrong",
    [
        "",
        "s",
        "10 parsecs",
        "-1s",
        "1e9",
        "ten",
        True,
        None,
        [],
        -1,
        float("nan"),
        float("inf"),
        10**400,
        "9" * 400,
        "1s2",
    ],
)
def test_a_bad_duration_is_refused_with_the_rule_or_the_bounds(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"expected a number of seconds|must be between"):
        parse_duration(wrong)


@given(st.one_of(st.integers(0, 10**9), st.floats(0, 10**9).map(lambda value: round(value, 3))))
def test_a_written_duration_reads_back_as_itself(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds, rel=1e-12)


@given(st.text(max_size=20))
def test_any_text_is_a_duration_or_a_value_error(text: str) -> None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return

    assert seconds >= 0


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("512MiB", 512 * 2**20),
        ("10MB", 10**7),
        ("2G", 2 * 2**30),
        (4096, 4096),
        ("1.5KiB", 1536),
        ("7", 7),
        ("1k", 1024),
    ],
)
def test_a_size_takes_binary_and_decimal_units(text: object, amount: int) -> None:
    assert amount == parse_size(text)


@pytest.mark.parametrize("wrong", ["", "MiB", "1 XB", -1, 1.5, True, None, "1e3", 2**63])
def test_a_bad_size_is_refused_with_the_rule_or_the_bounds(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"expected a number of bytes|must be between"):
        parse_size(wrong)


@given(st.integers(0, 2**62))
def test_a_written_size_reads_back_as_itself(amount: int) -> None:
    assert amount == parse_size(format_size(amount))


@pytest.mark.parametrize("text", ["TERM", "term", "SIGTERM", 15, "15"])
def test_a_signal_has_many_spellings_and_one_name(text: object) -> None:
    assert parse_signal(text) == "TERM"


@pytest.mark.parametrize("wrong", ["TERMINATE", 0, 9999, True, None, "", [], 10**30])
def test_a_signal_that_does_not_exist_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"no such signal|expected a signal"):
        parse_signal(wrong)


@given(st.sampled_from(list(signal.Signals)))
def test_every_signal_of_the_system_keeps_its_number(number: signal.Signals) -> None:
    assert signal_number(parse_signal(number.name)) == number
