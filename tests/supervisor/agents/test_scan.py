"""Pictures of the process table, and how they are shared."""

from __future__ import annotations

import os
import subprocess
import threading

import pytest
import trio

from supervisor.agents.children import direct_children
from supervisor.agents.marks import Mark
from supervisor.agents.scan import Shared, look_at, take_picture


def test_a_picture_shows_this_process_and_its_family() -> None:
    mark = Mark("a", 2, "i")
    # The shell has read its first line, so the kernel has finished with its environment.
    shell = subprocess.Popen(["sh"], env=mark.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with shell:
        assert shell.stdin is not None
        assert shell.stdout is not None
        shell.stdin.write(b"echo up\n")
        shell.stdin.flush()
        shell.stdout.readline()
        picture = take_picture()
        child = picture.processes[shell.pid]

    assert picture.taken_by == os.getpid()
    assert os.getpid() == child.stat.parent
    assert child.seal is None
    assert child.mark == mark
    assert {shell.pid, os.getpid(), os.getppid()} <= picture.lineage(shell.pid)


def test_nobody_is_seen_where_nobody_is() -> None:
    process = subprocess.Popen(["true"])
    process.wait()

    assert look_at(process.pid) is None


def test_children_of_every_thread_are_listed_and_zombies_too() -> None:
    made: list[subprocess.Popen[bytes]] = []

    def make() -> None:
        made.append(subprocess.Popen(["true"]))

    thread = threading.Thread(target=make)
    thread.start()
    thread.join()
    make()
    try:
        assert {process.pid for process in made} <= set(direct_children())
    finally:
        for process in made:
            process.wait()
    assert not {process.pid for process in made} & set(direct_children())


class Looks:
    """Looks that take as long as the test wants."""

    def __init__(self) -> None:
        self.begun = 0
        self.gate = threading.Semaphore(0)

    def __call__(self) -> int:
        self.begun += 1
        number = self.begun
        self.gate.acquire(timeout=10)
        return number


async def begun(looks: Looks, number: int) -> None:
    with trio.fail_after(30):
        while looks.begun < number:  # noqa: ASYNC110 - a thread makes it true
            await trio.sleep(0.001)


async def test_all_who_come_during_a_look_share_the_next_one() -> None:
    looks = Looks()
    shared = Shared(looks)
    results: list[int] = []

    async def one() -> None:
        results.append(await shared.fresh())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(one)
        await begun(looks, 1)
        for _ in range(50):
            nursery.start_soon(one)
        await trio.testing.wait_all_tasks_blocked()
        looks.gate.release(2)

    assert [1, *[2] * 50] == results


async def test_a_look_that_began_before_the_question_is_no_answer_to_it() -> None:
    looks = Looks()
    shared = Shared(looks)
    looks.gate.release(2)

    assert [await shared.fresh(), await shared.fresh()] == [1, 2]


async def test_when_the_one_who_looks_is_cancelled_another_takes_over() -> None:
    looks = Looks()
    shared = Shared(looks)
    results: list[int] = []

    async def one() -> None:
        results.append(await shared.fresh())

    async with trio.open_nursery() as others, trio.open_nursery() as nursery:
        nursery.start_soon(one)
        await begun(looks, 1)
        others.start_soon(one)
        others.start_soon(one)
        await trio.testing.wait_all_tasks_blocked()
        nursery.cancel_scope.cancel(reason="the test wants it so")
        looks.gate.release(2)

    assert results.count(2) == 2


async def test_a_look_that_fails_fails_for_the_one_who_took_it_and_the_others_try_again() -> None:
    calls = 0

    def look() -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise OSError("no descriptor left")
        return calls

    shared = Shared(look)

    with pytest.raises(OSError, match="no descriptor left"):
        await shared.fresh()
    assert await shared.fresh() == 2
