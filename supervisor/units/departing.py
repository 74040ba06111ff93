"""The end of all units in their order, when the daemon goes down and takes them along: dependents first.

A service behind the directories in the tree, so that it is asked to stop before the keepers are. While nothing
depends on anything it has nothing to do: the supervisor of the keepers ends independent units side by side.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import trio

from supervisor.runtime import ActorRef, ServiceContext, System
from supervisor.units.actor import Depart, UnitMessage
from supervisor.units.graph import free_to_end, with_chains
from supervisor.units.relations import ENDING_SPARE
from supervisor.units.services import UnitServices
from supervisor.units.status import State, UnitView

_AT_REST: Final = frozenset({State.STOPPED, State.EXITED, State.FATAL})


class Departing:
    """Ends units from the last dependent to the first dependency. The kinds share their relations and departure.

    ``chains`` returns units that are ended in the reverse of an order that does not come from their definitions.
    One that does not end within its stop timeout and little more is not waited for any longer; its keeper goes on.
    """

    def __init__(self, *kinds: UnitServices, chains: Callable[[], Iterable[Sequence[str]]] = tuple) -> None:
        self._kinds = kinds
        self._chains = chains
        self._changed = trio.Event()
        for kind in kinds:
            kind.roster.watch(self._note)

    async def __call__(self, context: ServiceContext) -> None:
        """Wait for the end, then go through with it."""
        context.started()
        await context.stopping.wait()
        departure = self._kinds[0].departure
        graph = with_chains(self._kinds[0].relations.graph(), self._chains())
        if not graph or not departure.take_units:
            return
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_cancel_when, departure.hurried, nursery.cancel_scope)
            await self._end_all(context.system, graph)
            nursery.cancel_scope.cancel(reason="everything has ended in its order")

    async def _end_all(self, system: System, graph: dict[str, tuple[str, ...]]) -> None:
        related = {*graph, *(needed for all_needed in graph.values() for needed in all_needed)}
        due: dict[str, float] = {}
        while True:
            self._changed = trio.Event()
            now = trio.current_time()
            live = {at: view for at, view in self._live() if due.get(at, now + 1) > now}
            if related.isdisjoint(live):
                return
            for address in free_to_end(live, graph):
                if address not in due:
                    due[address] = now + _ask_to_end(system, address, live[address])
            asked = [due[address] for address in live if address in due]
            if not asked:
                # In a circle nobody is first; the supervisor of the keepers ends them all at once.
                return
            with trio.move_on_at(min(asked)):
                await self._changed.wait()

    def _live(self) -> Iterable[tuple[str, UnitView]]:
        for kind in self._kinds:
            for view in kind.roster.views():
                if view.status.state not in _AT_REST:
                    yield kind.actor_name(view.name), view

    def _note(self, _name: str, _view: UnitView | None) -> None:
        self._changed.set()


def _ask_to_end(system: System, address: str, view: UnitView) -> float:
    """Ask the keeper of a unit to end it, and return how long that may take."""
    keeper: ActorRef[UnitMessage] | None = system.registry.whereis(address)
    asked = keeper is not None and keeper.offer(Depart())
    return view.spec.stop_timeout + ENDING_SPARE if asked else 0.0


async def _cancel_when(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel(reason="somebody is out of patience")
