"""The testing kit itself."""

from __future__ import annotations

import pytest
import trio

from supervisor.runtime import ChildState, StartFailed
from supervisor.runtime.testing import Behaviour, Opening, Probe, Scripted, run_with_clock, running
from tests.supervisor.runtime.parts import FOREVER, root


def test_a_long_wait_takes_no_time_and_the_result_comes_back() -> None:
    async def wait(seconds: float) -> float:
        await trio.sleep(seconds)
        return trio.current_time()

    assert run_with_clock(wait, 86_400.0) == pytest.approx(86_400)


async def test_what_the_block_raises_comes_out_as_it_is(autojump_clock: object) -> None:
    child = Scripted("a")

    with pytest.raises(KeyError):
        async with running(root(child.spec())):
            raise KeyError

    assert child.live == 0


async def test_a_tree_that_does_not_come_up_is_told_as_such(autojump_clock: object) -> None:
    with pytest.raises(StartFailed):
        async with running(root(Scripted("a", Behaviour(opening=Opening.FAILS)).spec())):
            raise AssertionError("it must not come up")


async def test_a_probe_keeps_what_it_gets_waits_for_it_and_knows_when_nothing_comes(autojump_clock: object) -> None:
    probe: Probe[str] = Probe()
    with pytest.raises(RuntimeError, match="not in a running tree"):
        _ = probe.ref

    async with running(root(probe.spec())), trio.open_nursery() as nursery:

        async def later() -> None:
            await trio.sleep(1)
            probe.ref.tell("late")

        nursery.start_soon(later)
        assert await probe.expect() == "late"
        await probe.expect_nothing()
        with pytest.raises(trio.TooSlowError):
            await probe.expect(within=1)
        probe.ref.tell("again")
        with pytest.raises(AssertionError, match="got 'again'"):
            await probe.expect_nothing()


async def test_a_scripted_child_behaves_as_written_one_behaviour_per_incarnation(autojump_clock: object) -> None:
    child = Scripted("a", Behaviour(after=1.0), Behaviour(opening=Opening.FAILS), Behaviour())

    async with running(root(child.spec(restart=FOREVER))) as system:
        await trio.sleep(2)
        assert child.starts == 3
        assert system.tree().children[0].state is ChildState.UP

    assert child.trace == ["+a", "-a"] * 3
    assert child.live == 0
