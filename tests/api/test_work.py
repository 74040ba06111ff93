"""Changes go on without the client that asked for them, and once per key."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from api.answers import Answer
from api.work import KEPT, KEPT_FOR, Work
from supervisor.errors import Conflict, HoodyBug, InvalidInput


class Job:
    """A job that waits to be let go on, and counts how often it ran."""

    def __init__(self, *, error: Exception | None = None) -> None:
        self.go_on = trio.Event()
        self.begun = 0
        self.done = 0
        self.error = error

    async def __call__(self) -> Answer:
        self.begun += 1
        await self.go_on.wait()
        self.done += 1
        if self.error is not None:
            raise self.error
        return Answer(body=b"%d" % self.done)


def nothing() -> None:
    """Take note of nothing."""


async def test_a_job_goes_on_when_its_client_is_cancelled(nursery: trio.Nursery) -> None:
    work, job = Work(nursery), Job()
    with trio.move_on_after(0):
        await work.carry_out(job, accepted=nothing)
    job.go_on.set()
    await wait_all_tasks_blocked()

    assert job.done == 1


async def test_an_error_of_the_job_is_raised_in_the_client(nursery: trio.Nursery) -> None:
    job = Job(error=Conflict("no"))
    job.go_on.set()

    with pytest.raises(Conflict):
        await Work(nursery).carry_out(job, accepted=nothing)


async def test_a_job_is_accepted_before_anything_can_cancel_it(nursery: trio.Nursery) -> None:
    job, accepted = Job(), trio.Event()
    with trio.CancelScope() as scope:
        scope.cancel()
        await Work(nursery).carry_out(job, accepted=accepted.set)
    await wait_all_tasks_blocked()

    assert accepted.is_set()
    assert job.begun == 1
    job.go_on.set()


async def test_a_job_that_the_end_of_the_daemon_cuts_off_is_told_as_such() -> None:
    failures: list[Exception] = []

    async def ask(work: Work) -> None:
        try:
            await work.carry_out(Job(), accepted=nothing)
        except HoodyBug as error:
            failures.append(error)

    async with trio.open_nursery() as clients, trio.open_nursery() as jobs:
        clients.start_soon(ask, Work(jobs))
        await wait_all_tasks_blocked()
        jobs.cancel_scope.cancel()

    assert len(failures) == 1


async def test_clients_of_one_key_share_one_job_even_while_it_runs(nursery: trio.Nursery) -> None:
    work, job, answers = Work(nursery), Job(), []

    async def ask() -> None:
        answers.append(await work.carry_out_once("k", b"d", job, accepted=nothing))

    async with trio.open_nursery() as clients:
        for _ in range(3):
            clients.start_soon(ask)
        await wait_all_tasks_blocked()
        job.go_on.set()

    assert [answer.body for answer in answers] == [b"1", b"1", b"1"]
    assert job.begun == 1


async def test_a_key_for_something_else_is_refused(nursery: trio.Nursery) -> None:
    work = Work(nursery)
    await work.carry_out_once("k", b"d", _ready(), accepted=nothing)

    with pytest.raises(InvalidInput):
        await work.carry_out_once("k", b"e", _ready(), accepted=nothing)


async def test_a_key_is_forgotten_after_a_day(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    work, job = Work(nursery), _ready()
    await work.carry_out_once("k", b"d", job, accepted=nothing)
    await trio.sleep(KEPT_FOR - 1)
    await work.carry_out_once("k", b"d", job, accepted=nothing)
    within_a_day = job.begun
    await trio.sleep(1)
    await work.carry_out_once("k", b"d", job, accepted=nothing)

    assert (within_a_day, job.begun) == (1, 2)


async def test_the_oldest_keys_are_forgotten_when_there_are_many(nursery: trio.Nursery) -> None:
    work, job = Work(nursery), _ready()
    for number in range(KEPT + 1):
        await work.carry_out_once(str(number), b"d", job, accepted=nothing)
    await work.carry_out_once(str(KEPT), b"d", job, accepted=nothing)
    kept = job.begun
    await work.carry_out_once("0", b"d", job, accepted=nothing)

    assert (kept, job.begun) == (KEPT + 1, KEPT + 2)


def _ready() -> Job:
    job = Job()
    job.go_on.set()
    return job
