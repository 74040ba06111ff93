"""Work that is carried through."""

from __future__ import annotations

import pytest
import trio

from supervisor.units.carry import carried_through
from supervisor.units.farewell import Farewell

pytestmark = pytest.mark.usefixtures("virtual_time")


async def test_work_is_done_as_if_nothing_were_around_it() -> None:
    done: list[float] = []

    async def work() -> None:
        await trio.sleep(60)
        done.append(trio.current_time())

    await carried_through(work, within=5)

    assert len(done) == 1


async def test_cancelled_work_that_is_quick_is_done_and_then_the_cancellation_is_delivered() -> None:
    done: list[str] = []

    async def work() -> None:
        await trio.sleep(4)
        done.append("done")

    with trio.move_on_after(1) as scope:
        await carried_through(work, within=5)
        done.append("not reached")

    assert done == ["done"]
    assert scope.cancelled_caught


async def test_cancelled_work_that_is_slow_is_given_up() -> None:
    begun = trio.current_time()

    with trio.move_on_after(1):
        await carried_through(trio.sleep_forever, within=5)

    assert trio.current_time() - begun == pytest.approx(6, abs=0.01)


async def test_an_error_of_the_work_comes_out() -> None:
    async def work() -> None:
        await trio.lowlevel.checkpoint()
        raise ValueError("boom")

    with pytest.RaisesGroup(ValueError):
        await carried_through(work, within=5)


async def test_a_farewell_delivers_messages_and_timers_in_their_order() -> None:
    async with trio.open_nursery() as nursery:
        stage: Farewell[str] = Farewell(nursery)
        stage.start_timer("late", 2, "late")
        stage.start_timer("replaced", 1, "never")
        stage.start_timer("replaced", 3, "replaced")
        stage.start_timer("cancelled", 1, "never")
        stage.cancel_timer("cancelled")
        stage.cancel_timer("unknown")
        stage.spawn(trio.sleep, 0)
        stage.post("first")

        assert [await stage.receive() for _ in range(3)] == ["first", "late", "replaced"]
        nursery.cancel_scope.cancel(reason="the test is over")
