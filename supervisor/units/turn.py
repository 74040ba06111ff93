"""The turn of a unit that is to be ended while others depend on it: these go first.

Only the ends that somebody plans wait for their turn. What fails, and what is in a hurry, ends at once, and those that
follow it learn of it afterwards.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from attrs import frozen

from supervisor.units.events import (
    DefinitionChanged,
    DependencyLost,
    EndDelayed,
    Event,
    RestartAsked,
    StartAsked,
    StopAsked,
)
from supervisor.units.farewell import Stage
from supervisor.units.relations import Relations

Ending: TypeAlias = StopAsked | RestartAsked | DefinitionChanged | DependencyLost | StartAsked


@frozen
class TurnCame:
    """Those that had to go first are gone, or have had their time."""


_CAME: Final = TurnCame()


class Turn:
    """Holds one end back until its turn has come, at most as long as those before it may take.

    ``happen`` lets the event happen; ``stage`` is where the news that the turn has come are posted.
    """

    __slots__ = ("_happen", "_held", "_relations", "_stage", "address")

    def __init__(
        self, address: str, relations: Relations, happen: Callable[[Event], None], stage: Callable[[], Stage[Any]]
    ) -> None:
        self.address = address
        self._relations = relations
        self._happen = happen
        self._stage = stage
        self._held: Ending | None = None

    @property
    def waits(self) -> bool:
        """Whether an end is held back."""
        return self._held is not None

    def end(self, event: Ending) -> None:
        """Let ``event`` happen once its turn has come. An earlier one that is held back happens now, before it."""
        self.come()
        if not _can_wait(event):
            self._happen(event)
            return
        first = self._relations.leaving(self.address, self._tell)
        if not first:
            self._happen(event)
            return
        self._held = event
        self._happen(EndDelayed(tuple(address.partition("/")[2] for address in first)))
        self._stage().start_timer(_CAME, self._relations.patience(self.address), _CAME)

    def come(self) -> None:
        """Let happen what was held back, if anything was."""
        event, self._held = self._held, None
        if event is not None:
            self._stage().cancel_timer(_CAME)
            self._happen(event)

    def _tell(self) -> None:
        self._stage().post(_CAME)


def _can_wait(event: Ending) -> bool:
    match event:
        case StopAsked(now=now):
            return not now
        case DefinitionChanged(respawn=respawn):
            return respawn
        case StartAsked():
            return False
        case RestartAsked() | DependencyLost():
            return True
