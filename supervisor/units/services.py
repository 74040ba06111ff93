"""What the keepers of all units of a kind share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import trio
from attrs import Factory, define, field, frozen

from supervisor.units.driver import Driver
from supervisor.units.log_keeping import LogKeeping, NoLogs
from supervisor.units.permission import AnythingGoes, Permits
from supervisor.units.probes.instruments import Instruments, NoInstruments
from supervisor.units.provision import AsDefined, Provision
from supervisor.units.relations import Relations
from supervisor.units.roster import Roster
from supervisor.units.status import Kind

STARTS_AT_ONCE: Final = 16
"""How many units are being started at the same time.

It keeps the start of a daemon with hundreds of units from taking every core and every page of memory in one instant,
and it is far above what one crashing unit needs.
"""


def _now() -> datetime:
    return datetime.now(UTC)


@define(eq=False)
class Departure:
    """Says what becomes of the units when the daemon goes down. The daemon sets it before it stops the tree.

    Unless somebody has said so, units are left running: a daemon that goes down for any other reason is followed by one
    that takes them up again.
    """

    take_units: bool = False
    """Stop them."""
    hurried: trio.Event = field(factory=trio.Event)
    """Somebody is out of patience: those that are still ending are killed."""


@frozen(kw_only=True, eq=False)
class UnitServices:
    """What it takes to keep units of one kind."""

    driver: Driver[Any]
    """Takes the specs of this kind; which those are, only the driver knows."""
    kind: Kind = Kind.AGENT
    roster: Roster = field(default=Factory(lambda self: Roster(self.kind), takes_self=True))
    departure: Departure = field(factory=Departure)
    relations: Relations = field(factory=Relations)
    """Who depends on whom: one for all kinds."""
    restored: trio.Event = field(factory=trio.Event)
    """Every unit on record has been given its keeper."""
    starts: trio.CapacityLimiter = field(factory=lambda: trio.CapacityLimiter(STARTS_AT_ONCE))
    wall: Callable[[], datetime] = _now
    permits: Permits = field(factory=AnythingGoes)
    """What this machine has to say against a definition."""
    instruments: Instruments = field(factory=NoInstruments)
    """What its units are probed with."""
    provision: Provision = field(factory=AsDefined)
    """What its units are given when they are started."""
    logs: LogKeeping = field(factory=NoLogs)

    def __attrs_post_init__(self) -> None:
        self.relations.attach(self.plural, self.roster)

    @property
    def plural(self) -> str:
        """The name of the kind's directory, and the first part of its units' names."""
        return f"{self.kind.value}s"

    @property
    def keepers_name(self) -> str:
        """The name of the supervisor of the units' keepers."""
        return f"{self.plural}-units"

    def actor_name(self, name: str) -> str:
        """Return the name under which the keeper of a unit is registered."""
        return f"{self.plural}/{name}"
