"""Run a tree in no time: on a clock that jumps to the next deadline whenever nothing else is left to do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar, TypeVarTuple

import trio
import trio.testing

from supervisor.runtime.spec import ChildSpec
from supervisor.runtime.system import System, run

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def run_with_clock(function: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> T:
    """Run an async function on a virtual clock and return its result.

    For tests without sockets, processes and threads: the clock does not wait for the outside world. Works under
    hypothesis, where a clock fixture does not.
    """
    return trio.run(function, *args, clock=trio.testing.MockClock(autojump_threshold=0))


@asynccontextmanager
async def running(root: ChildSpec, *, system: System | None = None) -> AsyncIterator[System]:
    """Have the tree below ``root`` up inside the block; stop it in order at the end of it.

    Raises ``StartFailed`` where the root does not come up. An exception of the block comes out as it is, not wrapped
    into the groups of the nursery that the tree runs in.
    """
    failure: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            started = await nursery.start(partial(run, root, system=system))
            try:
                yield started
            finally:
                started.shutdown("the block is over")
    except BaseExceptionGroup as group:
        failure = _only_member(group)
    if failure is not None:
        raise failure


def _only_member(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
