"""Every deadline in one heap and one task."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
import trio.testing

from supervisor.runtime.timers import Timers


@asynccontextmanager
async def serving() -> AsyncIterator[Timers]:
    timers = Timers()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(timers.run)
        yield timers
        timers.close()


async def test_timers_fire_in_the_order_of_their_times_and_then_of_their_making(autojump_clock: object) -> None:
    fired: list[tuple[str, float]] = []

    async with serving() as timers:
        for name, delay in [("late", 3.0), ("early", 1.0), ("late too", 3.0), ("at once", 0.0)]:
            timers.call_later(delay, lambda name=name: fired.append((name, trio.current_time())))
        await trio.sleep(5)

    assert [name for name, _ in fired] == ["at once", "early", "late", "late too"]
    assert [at for _, at in fired] == [pytest.approx(at, abs=1e-6) for at in (0, 1, 3, 3)]


async def test_a_timer_made_while_the_task_sleeps_for_a_later_one_is_in_time(autojump_clock: object) -> None:
    fired: list[float] = []

    async with serving() as timers:
        timers.call_later(100, lambda: fired.append(100))
        await trio.testing.wait_all_tasks_blocked()
        timers.call_later(1, lambda: fired.append(trio.current_time()))
        await trio.sleep(2)

    assert fired == [pytest.approx(1)]


async def test_a_cancelled_timer_never_fires(autojump_clock: object) -> None:
    fired: list[str] = []

    async with serving() as timers:
        timer = timers.call_later(1, lambda: fired.append("x"))
        timer.cancel()
        timer.cancel()
        assert timer.ended
        await trio.sleep(2)
        late = timers.call_later(1, lambda: fired.append("y"))
        await trio.sleep(2)
        late.cancel()

    assert fired == ["y"]


async def test_a_chain_of_zero_delays_does_not_hold_the_loop(autojump_clock: object) -> None:
    rounds = 0

    async with serving() as timers:

        def again() -> None:
            nonlocal rounds
            rounds += 1
            timers.call_later(0, again)

        again()
        for _ in range(10):
            await trio.lowlevel.checkpoint()

    assert 0 < rounds < 100


async def test_cancelled_timers_do_not_pile_up(autojump_clock: object) -> None:
    async with serving() as timers:
        keep = [timers.call_later(1000 + index, lambda: None) for index in range(10)]
        for _ in range(10_000):
            timers.call_later(500, lambda: None).cancel()

        assert len(timers) == 10
        assert timers.size < 300
        assert not any(timer.ended for timer in keep)


async def test_after_the_close_nothing_fires_and_whoever_waits_is_told(autojump_clock: object) -> None:
    told: list[str] = []

    class Waiting:
        ended = False

        def due(self) -> None:
            told.append("due")

        def dropped(self) -> None:
            told.append("dropped")

    async with serving() as timers:
        timers.add(trio.current_time() + 1, Waiting())
        timers.call_later(1, lambda: told.append("fired"))
    timers.add(0, Waiting())

    assert told == ["dropped", "dropped"]
