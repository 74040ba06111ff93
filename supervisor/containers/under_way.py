"""Work in a thread that may outlive whoever asked for it, so that the next one to ask can wait for it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import trio
from attrs import define, field

T = TypeVar("T")


class Dropped(Exception):
    """The work was given up before it began; nobody hears of it."""


@define(eq=False)
class UnderWay:
    """One piece of work: not begun, begun, or ended. Either it is never carried out, or it is waited for."""

    _token: trio.lowlevel.TrioToken = field(factory=trio.lowlevel.current_trio_token)
    _deciding: threading.Lock = field(factory=threading.Lock, init=False)
    _begun: bool = field(default=False, init=False)
    _dropped: bool = field(default=False, init=False)
    _ended: trio.Event = field(factory=trio.Event, init=False)

    def carry_out(self, work: Callable[[], T]) -> T:
        """Do the work, in a thread. Raises ``Dropped`` where it was given up before."""
        with self._deciding:
            if self._dropped:
                raise Dropped
            self._begun = True
        try:
            return work()
        finally:
            self._tell()

    def drop(self) -> None:
        """Give it up: work that has not begun never does. On the trio thread."""
        with self._deciding:
            self._dropped = True
            begun = self._begun
        if not begun:
            self._ended.set()

    async def settled(self) -> None:
        """Wait until it has ended, or never will begin."""
        await self._ended.wait()

    def _tell(self) -> None:
        try:
            self._token.run_sync_soon(self._ended.set)
        except trio.RunFinishedError:
            # The program is at its end, and nobody waits any more.
            return
