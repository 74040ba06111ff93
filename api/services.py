"""What the handlers work with, and the one way in which they ask an actor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import trio
from attrs import field, frozen

from api.answers import LatestText, UnitTexts
from api.streams import Followers
from api.work import Work
from supervisor.agents.inputs import InputPipes
from supervisor.agents.meter import Meter
from supervisor.control import DaemonControl
from supervisor.errors import Overloaded
from supervisor.events import EventLog
from supervisor.health import HealthWatch
from supervisor.logs import LogReader
from supervisor.runtime import ActorRef, Reply, System

R = TypeVar("R")

PATIENCE: Final = 10.0
"""Seconds that an answer may take where the request does not say: actors answer in milliseconds, disks in seconds."""


@frozen(kw_only=True)
class Services:
    """One incarnation of the HTTP service, as its handlers see it."""

    system: System
    control: DaemonControl
    logs: LogReader
    health: HealthWatch
    meter: Meter
    inputs: InputPipes
    events: EventLog
    work: Work
    url: str
    stopping: trio.Event
    """Set when the service is about to end: whatever goes on without an end of its own says good-bye then."""
    followers: Followers = field(factory=Followers)
    texts: UnitTexts = field(factory=UnitTexts)
    health_text: LatestText = field(factory=LatestText)

    async def ask(self, actor: str, make: Callable[[Reply[R]], Any], *, timeout: float = PATIENCE) -> R:
        """Send one message to the actor of that name and wait for its reply. Raises ``HoodyError``.

        An ask within the tree waits for room in a full mailbox; at the edge that would only make the queue longer.
        """
        ref: ActorRef[Any] = self.system.registry.ref(actor)
        if ref.full:
            raise Overloaded(f"{actor!r} has as many requests waiting as it takes")
        return await ref.ask(make, timeout=timeout)
