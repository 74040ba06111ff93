"""All groups, and what connects them to the units: views in, gates out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Protocol

import trio

from supervisor.groups.node import GroupNode
from supervisor.groups.spec import GROUPS, GroupDefinition
from supervisor.runtime.brain import DelayOver
from supervisor.runtime.restart import Dice
from supervisor.units.relations import Relations
from supervisor.units.roster import Roster
from supervisor.units.services import UnitServices
from supervisor.units.status import UnitView


class Clock(Protocol):
    """Delivers what is due later."""

    def start(self, key: tuple[str, str], seconds: float, event: DelayOver) -> None:
        """Deliver ``event`` to the group named first in ``key``."""

    def cancel(self, key: tuple[str, str]) -> None:
        """Do not."""


class GroupTable:
    """The groups by name, as the world in which each of them acts. To be used by one actor."""

    def __init__(
        self,
        relations: Relations,
        rosters: dict[str, Roster],
        *,
        clock: Clock,
        dice: Dice,
        settled: Callable[[GroupNode], None],
        revive: Callable[[str], None],
    ) -> None:
        self.dice = dice
        self.settled = settled
        self._revive = revive
        self._relations = relations
        self._rosters = rosters
        self._clock = clock
        self._nodes: dict[str, GroupNode] = {}
        self._owners: dict[str, GroupNode] = {}

    # ---- the groups ----

    def definitions(self) -> dict[str, GroupDefinition]:
        """Return every definition by name."""
        return {name: node.definition for name, node in self._nodes.items()}

    def nodes(self) -> Iterable[GroupNode]:
        """Return every group, ordered by name."""
        return [self._nodes[name] for name in sorted(self._nodes)]

    def find(self, name: str) -> GroupNode | None:
        """Return a group by name."""
        return self._nodes.get(name)

    def put(self, definition: GroupDefinition) -> GroupNode:
        """Add a group, in place of an earlier one of that name; it is not at work yet."""
        self.remove(definition.name)
        node = self._nodes[definition.name] = GroupNode(definition, self)
        self._connect()
        return node

    def remove(self, name: str) -> None:
        """Forget a group; its members go on by themselves."""
        node = self._nodes.pop(name, None)
        if node is not None:
            for address in node.members:
                self.cancel_delay(node.address, address)
            node.let_go()
            self._connect()

    def units_of(self, node: GroupNode) -> list[str]:
        """Return the addresses of all units in a group and the groups in it, in the order of their starts."""
        found: list[str] = []
        for address in node.members:
            nested = self.group(address)
            found += self.units_of(nested) if nested is not None else [address]
        return found

    def chains(self) -> list[list[str]]:
        """Return the units of each outermost group, in the order of their starts."""
        return [self.units_of(node) for node in self._nodes.values() if node.parent is None]

    def changed(self, address: str) -> None:
        """Let the group of a unit look at it."""
        owner = self._owners.get(address)
        if owner is not None:
            owner.changed(address)

    def delay_over(self, group: str, event: DelayOver) -> None:
        """Tell a group that a delay has passed."""
        node = self.group(group)
        if node is not None:
            node.delay_over(event)

    def _connect(self) -> None:
        self._owners = {address: node for node in self._nodes.values() for address in node.members}
        for node in self._nodes.values():
            node.parent = self._owners.get(node.address)

    # ---- the world of a group ----

    def now(self) -> float:
        """Return the time."""
        return trio.current_time()

    def view(self, address: str) -> UnitView | None:
        """Return how a unit is."""
        plural, _, name = address.partition("/")
        roster = self._rosters.get(plural)
        return None if roster is None else roster.view(name)

    def group(self, address: str) -> GroupNode | None:
        """Return a group by address."""
        plural, _, name = address.partition("/")
        return self._nodes.get(name) if plural == GROUPS else None

    def open(self, address: str) -> None:
        """Let a unit start."""
        self._relations.open(address)

    def shut(self, address: str, gate: str, sentence: str, *, end: bool) -> None:
        """Let a unit not start, and with ``end`` end what runs of it."""
        self._relations.shut(address, gate, sentence, end=end)

    def revive(self, address: str) -> None:
        """Have a unit started that has given up."""
        self._revive(address)

    def delay(self, address: str, event: DelayOver, seconds: float) -> None:
        """Report ``event`` to a group later."""
        self._clock.start((address, event.id), seconds, event)

    def cancel_delay(self, address: str, member: str) -> None:
        """Do not."""
        self._clock.cancel((address, member))


class GroupWatch:
    """Tells the present keeper of the groups of changes in the rosters. Made once; it outlives the keeper.

    The kinds share their relations.
    """

    def __init__(self, *kinds: UnitServices) -> None:
        self.relations = kinds[0].relations
        self.rosters = {kind.plural: kind.roster for kind in kinds}
        self.listener: Callable[[str], None] | None = None
        self.order: Callable[[], list[list[str]]] = list
        """The :meth:`GroupTable.chains` of the present keeper."""
        self._restored = [kind.restored for kind in kinds]
        for kind in kinds:
            kind.roster.watch(partial(self._changed, kind.plural))

    def chains(self) -> list[list[str]]:
        """Return the units of each outermost group, in the order of their starts."""
        return self.order()

    async def restored(self) -> None:
        """Wait until every unit on record has its keeper: before that, what is not there may only not be there yet."""
        for each in self._restored:
            await each.wait()

    def _changed(self, plural: str, name: str, _view: UnitView | None) -> None:
        if self.listener is not None:
            self.listener(f"{plural}/{name}")
