"""Changes are carried out apart from the connection that asked for them, so that a vanished client cancels nothing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

import trio
from attrs import frozen

from api.answers import Answer
from supervisor.errors import HoodyBug, InvalidInput

Job: TypeAlias = Callable[[], Awaitable[Answer]]

KEPT: Final = 1000
"""Idempotency keys remembered at most; older ones are forgotten first."""
KEPT_FOR: Final = 24 * 3600.0


class _Outcome:
    """How a job ended, for everybody who waits for it. Small once it has: many are remembered."""

    __slots__ = ("_answer", "_ended", "_error")

    def __init__(self) -> None:
        self._ended: trio.Event | None = trio.Event()
        self._answer: Answer | None = None
        self._error: Exception | None = None

    async def carry(self, job: Job) -> None:
        try:
            self._answer = await job()
        except Exception as error:  # noqa: BLE001 - not swallowed: raised again in whoever waits
            self._error = error
        finally:
            if self._ended is not None:
                self._ended.set()
                self._ended = None

    async def wait(self) -> Answer:
        if self._ended is not None:
            await self._ended.wait()
        if self._error is not None:
            raise self._error
        if self._answer is None:
            raise HoodyBug("the daemon ended before the request was carried out", hint="ask what became of it")
        return self._answer

    @property
    def failed(self) -> bool:
        return self._ended is None and self._answer is None


@frozen
class _Remembered:
    digest: bytes
    outcome: _Outcome
    at: float


class Work:
    """Runs the jobs of one incarnation of the HTTP service in a nursery of its own."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self._nursery = nursery
        self._remembered: OrderedDict[str, _Remembered] = OrderedDict()

    async def carry_out(self, job: Job, *, accepted: Callable[[], None]) -> Answer:
        """Run ``job`` to its end even when the caller is cancelled; ``accepted`` is called once that is sure."""
        return await self._begin(job, accepted).wait()

    async def carry_out_once(self, key: str, digest: bytes, job: Job, *, accepted: Callable[[], None]) -> Answer:
        """Do the same, once per ``key``: a repetition waits for, or gets, the first answer.

        ``digest`` stands for what is asked; the same key for something else raises ``InvalidInput``. A job that failed
        is forgotten, so that it can be tried again under its key.
        """
        self._forget_old()
        known = self._remembered.get(key)
        if known is None or known.outcome.failed:
            known = _Remembered(digest, self._begin(job, accepted), trio.current_time())
            self._remembered[key] = known
        elif known.digest != digest:
            raise InvalidInput("this Idempotency-Key was used for another request", hint="make a new key per request")
        accepted()
        return await known.outcome.wait()

    def _begin(self, job: Job, accepted: Callable[[], None]) -> _Outcome:
        outcome = _Outcome()
        self._nursery.start_soon(outcome.carry, job)
        accepted()
        return outcome

    def _forget_old(self) -> None:
        now = trio.current_time()
        while self._remembered:
            key, oldest = next(iter(self._remembered.items()))
            if len(self._remembered) < KEPT and now - oldest.at < KEPT_FOR:
                return
            del self._remembered[key]
