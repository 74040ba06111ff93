"""One container engine, as the rest of the daemon uses it: asynchronous, with a deadline on every call.

Short calls run in worker threads with a limiter of their own, so that a hung engine can never take the threads that
others need; long answers are trio streams (:mod:`supervisor.containers.wire`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

import trio

from supervisor.containers import wire
from supervisor.containers.addresses import EngineAddress, discover
from supervisor.containers.client import Client
from supervisor.containers.errors import EngineTimedOut, EngineUnavailable
from supervisor.containers.facts import EngineFacts

T = TypeVar("T")

CALL_WITHIN: Final = 30.0
"""The deadline of a call that names none, in seconds."""
_CALLS_AT_ONCE: Final = 8


def find_engine() -> EngineAddress:
    """Find the engine by this process' environment."""
    return discover(os.environ, Path.home())


class Engine:
    """The engine at the address that ``find`` returns; found anew whenever the connection to it was lost."""

    def __init__(self, find: Callable[[], EngineAddress] = find_engine, *, calls_at_once: int = _CALLS_AT_ONCE) -> None:
        self._find = find
        self._limiter = trio.CapacityLimiter(calls_at_once)
        self._connecting = threading.Lock()
        self._client: Client | None = None

    async def call(self, work: Callable[[Client], T], *, within: float = CALL_WITHIN) -> T:
        """Run ``work`` in a worker thread and return what it returns.

        Raises ``EngineTimedOut`` after ``within`` seconds. When the deadline passes or the caller is cancelled, what
        the engine was asked goes on, and its outcome is dropped.
        """
        try:
            with trio.fail_after(within):
                return await trio.to_thread.run_sync(self._work, work, abandon_on_cancel=True, limiter=self._limiter)
        except trio.TooSlowError:
            raise EngineTimedOut(f"the container engine did not answer within {within:g} s") from None

    async def facts(self, *, within: float = CALL_WITHIN) -> tuple[EngineAddress, EngineFacts]:
        """Say which engine it is."""
        return await self.call(lambda client: (client.address, client.facts), within=within)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any] | None = None,
        *,
        what: str,
        within: float = CALL_WITHIN,
        headers: Mapping[str, str] | None = None,
        body: wire.Body = b"",
    ) -> AsyncIterator[wire.Answer]:
        """Ask for something whose answer is long; see :func:`supervisor.containers.wire.ask`."""
        client = await self.call(lambda client: client, within=within)
        target = f"/v{client.api_version}{path}" + (f"?{urlencode(query)}" if query else "")
        try:
            async with wire.ask(
                client.address, method, target, what=what, within=within, headers=headers, body=body
            ) as answer:
                yield answer
        except EngineUnavailable:
            self._drop(client)
            raise

    def close(self) -> None:
        """Close the connections that are idle. A later call opens new ones."""
        if self._client is not None:
            self._drop(self._client)

    def _work(self, work: Callable[[Client], T]) -> T:
        client = self._connected()
        try:
            return work(client)
        except EngineUnavailable:
            self._drop(client)
            raise

    def _connected(self) -> Client:
        with self._connecting:
            if self._client is None:
                self._client = Client(self._find())
            return self._client

    def _drop(self, client: Client) -> None:
        # The next call looks for the engine anew: it may have come back as another version, or somewhere else.
        if self._client is client:
            self._client = None
        client.close()
