"""One function says what an exception means."""

from __future__ import annotations

import math

import pytest
import trio
import trio.lowlevel

from supervisor.runtime.exits import classify, contain
from supervisor.runtime.reasons import NORMAL, Cancelled, Crashed, Normal, Stopped, describe, failed


def a_cancelled() -> trio.Cancelled:
    """Catch a real one: trio does not let anybody make it."""
    caught: list[trio.Cancelled] = []

    async def main() -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            try:
                await trio.lowlevel.checkpoint()
            except trio.Cancelled as error:
                caught.append(error)
                raise

    trio.run(main)
    return caught[0]


VALUE = ValueError("x")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (VALUE, VALUE),
        (ExceptionGroup("one", [VALUE]), VALUE),
        (ExceptionGroup("one", [ExceptionGroup("in one", [VALUE])]), VALUE),
        (BaseExceptionGroup("mixed", [VALUE, a_cancelled()]), VALUE),
    ],
    ids=["plain", "group of one", "nested group of one", "a failing clean-up under cancellation"],
)
def test_an_exception_is_a_crash_unwrapped_for_people_and_kept_whole_for_the_log(
    error: BaseException, expected: Exception
) -> None:
    reason = classify(error)

    assert reason is not None
    assert reason.error is expected
    assert reason.origin is error


def test_a_group_of_several_stays_a_group() -> None:
    group = ExceptionGroup("two", [ValueError(), KeyError()])

    reason = classify(group)

    assert reason is not None
    assert isinstance(reason.error, ExceptionGroup)
    assert len(reason.error.exceptions) == 2


@pytest.mark.parametrize(
    "error",
    [
        KeyboardInterrupt(),
        SystemExit(1),
        GeneratorExit(),
        trio.TrioInternalError(),
        a_cancelled(),
        BaseExceptionGroup("cancelled only", [a_cancelled()]),
        BaseExceptionGroup("fatal beside a crash", [VALUE, KeyboardInterrupt()]),
        ExceptionGroup("internal", [VALUE, ExceptionGroup("deep", [trio.TrioInternalError()])]),
    ],
    ids=repr,
)
def test_what_is_not_the_childs_own_affair_is_not_classified(error: BaseException) -> None:
    assert classify(error) is None


async def test_contain_tells_the_four_ways_to_end(autojump_clock: object) -> None:
    async def returns() -> None:
        await trio.sleep(1)

    async def raises() -> None:
        await trio.sleep(1)
        raise VALUE

    async def raises_while_cancelled() -> None:
        try:
            await trio.sleep(math.inf)
        finally:
            raise VALUE

    cancelled = trio.CancelScope()
    cancelled.cancel()
    timed_out = trio.CancelScope(deadline=trio.current_time() + 5)

    assert await contain(trio.CancelScope(), returns) == NORMAL
    crashed = await contain(trio.CancelScope(), raises)
    assert isinstance(crashed, Crashed)
    assert isinstance(await contain(cancelled, trio.sleep, math.inf), Cancelled)
    assert isinstance(await contain(timed_out, raises_while_cancelled), Crashed)


async def test_the_cancellation_of_somebody_else_passes_through(autojump_clock: object) -> None:
    with trio.move_on_after(1) as outer:
        await contain(trio.CancelScope(), trio.sleep, math.inf)

    assert outer.cancelled_caught


async def test_what_ends_the_program_passes_through() -> None:
    async def interrupted() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await contain(trio.CancelScope(), interrupted)


def test_only_a_crash_is_a_failure() -> None:
    reasons = (Normal(), Stopped("x"), Cancelled("y"), Crashed.by(VALUE))

    assert [failed(reason) for reason in reasons] == [False, False, False, True]
    assert [describe(reason) for reason in reasons] == [
        "ended normally",
        "was stopped (x)",
        "was cancelled (y)",
        "crashed with ValueError: x",
    ]
