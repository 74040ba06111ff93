"""The figures of the daemon's own process."""

from __future__ import annotations

import threading

import trio
from trio.testing import MockClock

from supervisor.runtime import Actor, Context, System, actor, run, supervisor
from supervisor.vitals import FRESH, TICK, Pulse


class Slow(Actor[int]):
    async def handle(self, message: int, context: Context[int]) -> None:
        await trio.sleep_forever()


async def test_what_waits_and_what_is_full_is_told(autojump_clock: MockClock) -> None:
    system = System()
    async with trio.open_nursery() as nursery:
        await nursery.start(
            lambda task_status: run(
                supervisor("root", children=[actor("slow", Slow, mailbox=2), actor("idle", Slow)]),
                system=system,
                task_status=task_status,
            )
        )
        pulse = Pulse(system)
        before = pulse.read()
        slow = system.registry.ref("slow")
        slow.tell(0)
        await trio.testing.wait_all_tasks_blocked()
        slow.tell(1)
        slow.tell(2)
        still = pulse.read()
        await trio.sleep(FRESH)
        after = pulse.read()
        nursery.cancel_scope.cancel()

    assert (before.messages_waiting, before.fullest_mailbox, before.full_mailboxes) == (0, "", ())
    assert still is before, "a reading is good for a second"
    assert (after.messages_waiting, after.fullest_mailbox, after.fullest_waiting) == (2, "slow", 2)
    assert after.full_mailboxes == ("slow",)


async def test_the_worst_lag_of_a_minute_is_told_and_forgotten_after_it(autojump_clock: MockClock) -> None:
    pulse = Pulse(System())

    async def is_late() -> None:
        await trio.sleep(TICK / 2)
        autojump_clock.jump(TICK / 2 + 3)  # nobody had a turn for so long

    async with trio.open_nursery() as nursery:
        nursery.start_soon(pulse.run)
        nursery.start_soon(is_late)
        await trio.sleep(10)
        late = pulse.read().loop_lag
        await trio.sleep(61)
        later = pulse.read().loop_lag
        nursery.cancel_scope.cancel()

    assert 2.9 < late < 3.1
    assert later < 0.01


async def test_each_tick_is_told(autojump_clock: MockClock) -> None:
    ticks: list[float] = []

    with trio.move_on_after(4.5 * TICK):
        await Pulse(System(), on_tick=lambda: ticks.append(trio.current_time())).run()

    assert len(ticks) == 5


async def test_the_figures_of_the_process_are_those_of_the_kernel() -> None:
    found = Pulse(System()).read()

    assert found.memory > 10_000_000
    assert 0 < found.descriptors <= found.descriptor_limit
    assert found.threads >= threading.active_count() > 0
