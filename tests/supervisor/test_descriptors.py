"""Where long-lived descriptors go."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

import pytest

from supervisor.descriptors import LIFTED, current_limits, lift, raise_descriptor_limit


@pytest.fixture
def limit() -> Iterator[tuple[int, int]]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_a_lifted_descriptor_is_the_same_file_at_a_high_number_and_not_inherited() -> None:
    reading, writing = os.pipe()
    lifted = lift(writing)
    os.write(lifted, b"x")

    assert lifted >= LIFTED
    assert lift(lifted) == lifted
    assert os.read(reading, 1) == b"x"
    assert not os.get_inheritable(lifted)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(writing)
    os.close(reading)
    os.close(lifted)


def test_where_there_is_no_room_above_a_descriptor_stays_where_it_is(limit: tuple[int, int]) -> None:
    reading, writing = os.pipe()
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIFTED, limit[1]))

    assert lift(writing) == writing
    os.close(reading)
    os.close(writing)


def test_the_limit_is_raised_as_far_as_wanted_and_allowed_and_never_lowered(limit: tuple[int, int]) -> None:
    hard = limit[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))

    first = raise_descriptor_limit(500)
    second = raise_descriptor_limit(400)
    third = raise_descriptor_limit()

    assert (first.inherited, first.raised) == (300, 500)
    assert (second.inherited, second.raised) == (500, 500)
    assert third.raised == min(hard, 1 << 20) == current_limits().raised
