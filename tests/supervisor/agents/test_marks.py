"""How a process is recognised."""

from __future__ import annotations

import resource
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from supervisor.agents.marks import Mark, mark_from, mark_from_block, seal_from

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
MARKS = st.builds(Mark, TEXT, st.integers(min_value=1), TEXT)


@given(MARKS)
def test_a_mark_can_be_read_back_from_the_environment_it_makes(mark: Mark) -> None:
    assert mark == mark_from(mark.environment())


@given(MARKS, TEXT)
def test_a_mark_is_found_among_other_variables_of_a_process(mark: Mark, other: str) -> None:
    pairs = {"PATH": other, **mark.environment(), "HOODY_HOME": other}
    block = b"".join(f"{name}={value}\0".encode() for name, value in pairs.items())

    assert mark == mark_from_block(block)


@given(st.binary())
def test_an_environment_that_a_program_has_overwritten_carries_no_mark(block: bytes) -> None:
    assert mark_from_block(block) is None


def test_a_damaged_mark_counts_as_none() -> None:
    assert mark_from_block(b"HOODY_UNIT=web\0HOODY_INCARNATION=one\0HOODY_INSTANCE=home\0") is None
    assert mark_from_block(b"HOODY_INCARNATION=1\0HOODY_INSTANCE=home\0") is None


@given(MARKS, MARKS)
def test_different_marks_have_different_seals(one: Mark, other: Mark) -> None:
    assert (one == other) == (one.seal == other.seal)


@given(MARKS)
def test_a_seal_is_a_limit_that_the_kernel_takes_and_is_read_back_from_what_it_shows(mark: Mark) -> None:
    shown = (
        f"Max realtime priority     0                    0\nMax realtime timeout      {mark.seal:<20} unlimited us\n"
    )

    assert 0 < mark.seal < 2**63 - 1
    assert mark.seal == seal_from(shown.encode())


def test_what_the_kernel_shows_of_this_process_is_understood() -> None:
    before = resource.getrlimit(resource.RLIMIT_RTTIME)
    mark = Mark("web", 1, "home")
    resource.setrlimit(resource.RLIMIT_RTTIME, (mark.seal, before[1]))
    try:
        assert mark.seal == seal_from(Path("/proc/self/limits").read_bytes())
    finally:
        resource.setrlimit(resource.RLIMIT_RTTIME, before)


def test_a_limit_that_somebody_else_has_set_is_no_seal() -> None:
    for value in ("unlimited", "200000", str(2**62 + 5), "0"):
        shown = f"Max realtime timeout      {value:<20} unlimited            us        \n"

        assert seal_from(shown.encode()) is None
