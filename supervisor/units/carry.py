"""Work that is not dropped half way when its task is cancelled, and yet cannot keep a cancelled task for ever."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio


async def carried_through(work: Callable[[], Awaitable[None]], *, within: float) -> None:
    """Await ``work`` shielded from cancellation; once cancelled, it has ``within`` more seconds.

    After that the work is cancelled after all. Whether carried through or not, a cancellation that came is delivered.
    """
    shield = trio.CancelScope(shield=True)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_limit_when_cancelled, shield, within)
        with shield:
            await work()
        nursery.cancel_scope.cancel(reason="the work is done")


async def _limit_when_cancelled(shield: trio.CancelScope, within: float) -> None:
    try:
        await trio.sleep_forever()
    finally:
        shield.deadline = trio.current_time() + within
