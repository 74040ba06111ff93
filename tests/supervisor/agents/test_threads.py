"""Threads that never end, and work that is not lost track of."""

from __future__ import annotations

import threading

import pytest
import trio

from supervisor.agents.threads import LastingThreads


def nothing_late(_: object) -> None:
    raise AssertionError("nobody was cancelled")


async def test_work_is_done_in_a_thread_and_its_result_returned() -> None:
    threads = LastingThreads("test", 2)

    name = await threads.run(lambda: threading.current_thread().name, nothing_late)

    assert name == "test-1"


async def test_a_failure_is_raised_where_the_work_was_asked_for() -> None:
    threads = LastingThreads("test", 1)

    with pytest.raises(ZeroDivisionError):
        await threads.run(lambda: 1 // 0, nothing_late)
    assert await threads.run(lambda: 5, nothing_late) == 5


async def test_idle_threads_are_used_again_before_new_ones_are_made() -> None:
    threads = LastingThreads("test", 4)

    names = set()
    for _ in range(20):
        names.add(await threads.run(lambda: threading.current_thread().name, nothing_late))
        with trio.fail_after(30):
            while not threads._idle._value:  # noqa: ASYNC110 - just after it has handed over its result
                await trio.sleep(0.001)

    assert names == {"test-1"}


async def test_there_are_never_more_threads_than_allowed() -> None:
    threads = LastingThreads("test", 3)
    together, most, lock = 0, 0, threading.Lock()

    def work() -> None:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        threading.Event().wait(0.005)
        with lock:
            together -= 1

    async with trio.open_nursery() as nursery:
        for _ in range(12):
            nursery.start_soon(threads.run, work, nothing_late)

    assert most == 3


async def test_after_a_cancel_the_result_goes_to_the_one_for_late_ones() -> None:
    threads = LastingThreads("test", 1)
    begun, release, late = threading.Event(), threading.Event(), []
    arrived = trio.Event()

    def work() -> str:
        begun.set()
        release.wait(10)
        return "made"

    def deal(result: str | None) -> None:
        late.append(result)
        arrived.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(threads.run, work, deal)
        await trio.to_thread.run_sync(begun.wait)
        nursery.cancel_scope.cancel(reason="the test wants it so")
    assert late == []
    release.set()

    with trio.fail_after(30):
        await arrived.wait()
    assert late == ["made"]


async def test_work_that_nobody_wants_any_more_is_not_begun() -> None:
    threads = LastingThreads("test", 1)
    begun, release = threading.Event(), threading.Event()
    done, late = [], []
    arrived = trio.Event()

    def hold() -> None:
        begun.set()
        release.wait(10)

    def deal(result: object) -> None:
        late.append(result)
        arrived.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(threads.run, hold, nothing_late)
        await trio.to_thread.run_sync(begun.wait)
        with trio.CancelScope() as scope:
            scope.cancel(reason="the test wants it so")
            await threads.run(lambda: done.append("done"), deal)
        release.set()

    with trio.fail_after(30):
        await arrived.wait()
    assert late == [None]
    assert done == []


async def test_a_late_failure_counts_as_nothing_made() -> None:
    threads = LastingThreads("test", 1)
    begun, release, late = threading.Event(), threading.Event(), []
    arrived = trio.Event()

    def fail() -> None:
        begun.set()
        release.wait(10)
        raise ZeroDivisionError

    def deal(result: object) -> None:
        late.append(result)
        arrived.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(threads.run, fail, deal)
        await trio.to_thread.run_sync(begun.wait)
        nursery.cancel_scope.cancel(reason="the test wants it so")
    release.set()

    with trio.fail_after(30):
        await arrived.wait()
    assert late == [None]


def test_work_that_ends_after_the_program_troubles_nobody() -> None:
    threads = LastingThreads("test", 1)
    begun, release = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        release.wait(10)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(threads.run, work, nothing_late)
            await trio.to_thread.run_sync(begun.wait)
            nursery.cancel_scope.cancel(reason="the test wants it so")

    trio.run(main)
    release.set()

    async def again() -> int:
        return await threads.run(lambda: 3, nothing_late)

    assert trio.run(again) == 3
