"""The store's actor: gathers what is asked, writes it in one transaction, and answers when it is on disk.

One worker thread writes; while it does, further requests gather and become the next transaction, so that a thousand
units that change at once cost a few forced writes and not a thousand.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, TypeVar, TypeVarTuple

import trio
from attrs import evolve

from supervisor.errors import HoodyBug, HoodyError, Overloaded, StorageError, TimedOut
from supervisor.runtime import Actor, ChildSpec, Context, ExitReason, Reply, Shutdown, actor
from supervisor.store.database import Database, Outcome
from supervisor.store.health import StoreReport
from supervisor.store.inbox import Inbox
from supervisor.store.messages import NoteProgress, StoreRequest

WRITE_DEADLINE: Final = 10.0
"""A disk that has not answered for so many seconds is told to the askers; what it was asked may still happen."""
GATHERING: Final = 0.02
"""How long notes alone wait for company, in seconds, unless one tells of a new process. Nobody waits for them."""
MOST_WAITING: Final = 10_000
RETRY_DELAYS: Final = (1.0, 2.0, 5.0, 10.0, 30.0)


_log = logging.getLogger("hoody.store")
R = TypeVar("R")
Ts = TypeVarTuple("Ts")


class StoreActor(Actor[StoreRequest]):
    """Keeps the state on disk. Registered as "store".

    It starts with a database that can be opened, or fails to start. Later on it outlives every trouble of the disk:
    requests are refused with ``StorageError`` and change nothing, notes are kept and written once the disk is well.
    """

    def __init__(self, database: Database, report: StoreReport) -> None:
        self._database = database
        self._report = report
        self._limiter = trio.CapacityLimiter(1)
        self._inbox = Inbox()
        self._writing = False
        self._asked = trio.Event()
        self._failures = 0

    async def pre_start(self, context: Context[StoreRequest]) -> None:  # noqa: ARG002 - the contract of Actor
        """Open the database, unless this is a later incarnation: then the disk may be in trouble, and that is told."""
        if self._report.opened:
            return
        await self._in_thread(self._database.open)
        self._report.opened = True

    async def handle(self, message: StoreRequest, context: Context[StoreRequest]) -> None:
        """Take the request in; the writer answers it."""
        if not isinstance(message, NoteProgress):
            if self._inbox.asked >= MOST_WAITING:
                message.reply_to.fail(Overloaded(f"the store has {self._inbox.asked} requests waiting"))
                return
            self._asked.set()
        self._inbox.add(message)
        if self._inbox.urgent and not self._failures:
            self._asked.set()
        if not self._writing:
            self._writing = True
            context.spawn(self._write_all)

    async def post_stop(self, context: Context[StoreRequest], reason: ExitReason) -> None:  # noqa: ARG002 - likewise
        """Write what still waits, then close."""
        while self._inbox:
            await self._write(self._inbox.take())
            if self._failures:
                break
        await self._in_thread(self._database.close)

    async def _write_all(self) -> None:
        while self._inbox or self._failures:
            if not (self._inbox.asked if self._failures else self._inbox.urgent):
                await self._pause()
            self._asked = trio.Event()
            await self._write(self._inbox.take())
        self._writing = False

    async def _pause(self) -> None:
        """Wait for company, or after a failure for better times; a request from somebody ends the wait."""
        delay = RETRY_DELAYS[min(self._failures, len(RETRY_DELAYS)) - 1] if self._failures else GATHERING
        with trio.move_on_after(delay):
            await self._asked.wait()

    async def _write(self, batch: list[StoreRequest]) -> None:
        try:
            if batch:
                outcomes = await self._in_thread(self._database.carry_out, batch)
            else:
                outcomes = []
                await self._in_thread(self._database.probe)
        except (StorageError, TimedOut) as error:
            self._failed(batch, error)
        except Exception as error:
            _answer_all(batch, HoodyBug(f"the store failed: {error!r}"))
            raise
        else:
            self._succeeded()
            for request, outcome in zip(batch, outcomes, strict=True):
                _answer(request, outcome)

    def _failed(self, batch: list[StoreRequest], error: StorageError | TimedOut) -> None:
        self._failures += 1
        if self._failures == 1:
            _log.error("the state cannot be written: %s", error, extra={"hint": error.hint})
        since = self._report.health.failing_since or datetime.now(UTC)
        self._report.health = evolve(self._report.health, failing_since=since, error=str(error))
        self._inbox.put_back([request for request in batch if isinstance(request, NoteProgress)])
        _answer_all(batch, error)

    def _succeeded(self) -> None:
        if self._failures:
            _log.warning("the state can be written again, after %d failures", self._failures)
            self._failures = 0
            self._report.health = evolve(self._report.health, failing_since=None, error="")

    async def _in_thread(self, call: Callable[[*Ts], R], *args: *Ts) -> R:
        """Run ``call`` in the one worker thread.

        Shielded, since a write under way is not undone by a cancellation and its asker deserves the answer. A call that
        outlives the deadline keeps the thread; later ones wait for it, each up to its own deadline.
        """
        begun = False

        def work() -> R:
            nonlocal begun
            begun = True
            return call(*args)

        try:
            with trio.move_on_after(WRITE_DEADLINE, shield=True):
                return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=self._limiter)
        finally:
            self._tell_findings()
        raise _no_answer(begun=begun)

    def _tell_findings(self) -> None:
        findings = self._database.findings
        while findings:
            finding = findings.popleft()
            _log.error("%s", finding.sentence)
            self._report.add(finding)


def _no_answer(*, begun: bool) -> StorageError | TimedOut:
    hint = "look at the load and the health of the disk"
    if begun:
        return TimedOut(
            f"the disk has not answered for {WRITE_DEADLINE:g} s; what was asked may be done yet", hint=hint
        )
    return StorageError(f"an earlier write has kept the disk for {WRITE_DEADLINE:g} s; nothing was done", hint=hint)


def _answer_all(batch: list[StoreRequest], error: HoodyError) -> None:
    for request in batch:
        _answer(request, error)


def _answer(request: StoreRequest, outcome: Outcome) -> None:
    if isinstance(request, NoteProgress):
        return
    if isinstance(outcome, HoodyError):
        request.reply_to.fail(outcome)
    else:
        # Which value belongs to which request is said by ``Database``; the union of all replies cannot say it.
        reply_to: Reply[Any] = request.reply_to
        reply_to.send(outcome)


def store_child(database: Callable[[], Database], report: StoreReport) -> ChildSpec:
    """Describe the store as a child of the tree; ``database`` makes one for each incarnation."""
    return actor(
        "store",
        lambda: StoreActor(database(), report),
        # Taking a request in is instant, and a note that finds no room would be lost.
        mailbox=4 * MOST_WAITING,
        # What was asked before the stop is still written, and a write under way may take its whole deadline.
        drain=True,
        shutdown=Shutdown.within(WRITE_DEADLINE),
        cleanup=2.5 * WRITE_DEADLINE,
    )
