"""Threads that start processes: few, and as long-lived as the daemon.

Trio's own worker threads end after some idle seconds. The kernel takes the *thread* that made a child for its parent
where ``PR_SET_PDEATHSIG`` is concerned, so a program that wants to die with its parent (a sandbox, a browser) would be
killed by an idle thread. These threads never end. They are daemon threads, so that a start that hangs on a dead network
disk does not keep the daemon from ending.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import outcome
import trio
from attrs import define

T = TypeVar("T")


@define(eq=False)
class _Job(Generic[T]):
    work: Callable[[], T]
    late: Callable[[T | None], None]
    task: trio.lowlevel.Task
    token: trio.lowlevel.TrioToken
    abandoned: bool = False

    def carry_out(self) -> None:
        """Do the work in a thread, unless nobody wants it any more, and hand the result to the trio thread."""
        result: outcome.Outcome[T] | None = None
        if not self.abandoned:
            result = outcome.capture(self.work)
        try:
            self.token.run_sync_soon(self._deliver, result)
        except trio.RunFinishedError:
            # The daemon has ended meanwhile: nobody is there to be told, and what was started stays as it is.
            return

    def _deliver(self, result: outcome.Outcome[T] | None) -> None:
        if not self.abandoned and result is not None:
            trio.lowlevel.reschedule(self.task, result)
        else:
            self.late(result.value if isinstance(result, outcome.Value) else None)


class LastingThreads:
    """A pool whose threads are made on demand, up to ``size``, and never end."""

    def __init__(self, name: str, size: int) -> None:
        self._name = name
        self._size = size
        self._jobs: queue.SimpleQueue[_Job[object]] = queue.SimpleQueue()
        self._idle = threading.Semaphore(0)
        self._count = 0

    async def run(self, work: Callable[[], T], late: Callable[[T | None], None]) -> T:
        """Run ``work`` in a thread and return or raise what it does.

        Cancellable at once. The work itself cannot be stopped; after a cancel, ``late`` is called exactly once on the
        trio thread with its result, or with None where it was never begun or failed.
        """
        job = _Job(work, late, trio.lowlevel.current_task(), trio.lowlevel.current_trio_token())
        self._submit(job)  # type: ignore[arg-type]  # a job takes back only what it made itself

        def abandon(_: object) -> trio.lowlevel.Abort:
            job.abandoned = True
            return trio.lowlevel.Abort.SUCCEEDED

        result: T = await trio.lowlevel.wait_task_rescheduled(abandon)
        return result

    def _submit(self, job: _Job[object]) -> None:
        self._jobs.put(job)
        if not self._idle.acquire(blocking=False) and self._count < self._size:
            self._count += 1
            threading.Thread(target=self._work, name=f"{self._name}-{self._count}", daemon=True).start()

    def _work(self) -> None:
        while True:
            self._jobs.get().carry_out()
            self._idle.release()
