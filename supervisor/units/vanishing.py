"""The end of a keeper whose unit was deleted on behalf of a directory that has ended meanwhile."""

from __future__ import annotations

from typing import Any, Final

import trio

from supervisor.errors import HoodyError, NotFound
from supervisor.runtime import ActorRef, Registry
from supervisor.units.messages import DeleteUnit

LOOK_AGAIN: Final = 0.5
"""Seconds until the directory is asked again, while it is being replaced."""
PATIENCE: Final = 30.0


async def vanish(registry: Registry, directory: str, name: str) -> None:
    """Have the present directory remove the keeper of ``name``, which runs this, and what is shown of its unit.

    Whoever runs it is cancelled by that; it returns where somebody else was quicker.
    """
    while True:
        found: ActorRef[Any] | None = registry.whereis(directory)
        try:
            if found is not None:
                await found.ask(
                    lambda reply: DeleteUnit(name=name, force=True, expected_revision=None, reply_to=reply),
                    timeout=PATIENCE,
                )
                return
        except NotFound:
            return
        except HoodyError:
            pass  # it is being replaced, or the name is busy: asked again
        await trio.sleep(LOOK_AGAIN)
