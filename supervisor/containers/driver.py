"""The container driver: what units need of the outside world, with an engine for it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

import trio
from attrs import define, field

from supervisor.containers import labels
from supervisor.containers.bring_up import BroughtUp, Order, bring_up
from supervisor.containers.client import Client
from supervisor.containers.cursor import Place
from supervisor.containers.engine import Engine
from supervisor.containers.errors import ImageNotFound
from supervisor.containers.events import NANO
from supervisor.containers.facts import ContainerFacts
from supervisor.containers.images import pull
from supervisor.containers.incarnation import LiveContainer, image_stop_signal
from supervisor.containers.live import Table
from supervisor.containers.output import Readers
from supervisor.containers.spec import ContainerSpec, PullPolicy
from supervisor.containers.under_way import UnderWay
from supervisor.errors import HoodyError, SpawnFailed
from supervisor.units.driver import Driver, Identity, Launch, OnExit

_log = logging.getLogger("hoody.containers")

_UP_WITHIN: Final = 90.0
"""Making, starting and looking at a container together, in seconds."""
_LOOK_WITHIN: Final = 10.0

EnvironmentReader = Callable[[ContainerSpec], Mapping[str, str]]


@define(eq=False, kw_only=True)
class ContainerDriver:
    """Starts containers and finds them again. ``instance`` is the name in the labels of everything that it makes."""

    engine: Engine
    table: Table
    readers: Readers
    instance: str
    environment: EnvironmentReader
    """Read in a thread at each start: the variables of the definition and of its files. May raise ``SpawnFailed``."""
    _last: dict[str, str] = field(factory=dict, init=False)
    _under_way: dict[str, UnderWay] = field(factory=dict, init=False)
    """Starts whose caller may be gone while the engine is still at it: the next one of the unit waits for them."""

    async def spawn(self, launch: Launch[ContainerSpec], on_exit: OnExit) -> LiveContainer:
        """Bring one run up and return as soon as it exists; fetches the image where the definition says so.

        Raises ``SpawnFailed`` in words. When the caller is cancelled, what the engine was asked goes on, and the next
        start of the unit finds the container.
        """
        try:
            with self.table.arrival():
                engine_id, done = await self._bring_up(launch)
                return self._look_after(done, engine_id, launch, on_exit)
        except SpawnFailed:
            raise
        except HoodyError as error:
            raise SpawnFailed(str(error), hint=error.hint) from error

    async def adopt(self, identity: Identity, launch: Launch[ContainerSpec], on_exit: OnExit) -> LiveContainer | None:
        """Look after a run that an earlier daemon or actor started; None where that run is over or not ours.

        None also where the engine does not answer: the start that follows finds the container if it runs after all.
        """
        container = identity.container_id
        if container is None:
            return None
        try:
            with self.table.arrival():
                await self._settled(launch.unit)
                engine_id, found = await self.engine.call(partial(_look, container), within=_LOOK_WITHIN)
                if found is None or not self._is(found, identity, engine_id, launch):
                    return None
                taken_over = BroughtUp(facts=found, adopted=found.id == launch.spec.adopted)
                return self._look_after(taken_over, engine_id, launch, on_exit)
        except HoodyError as error:
            _log.warning("container %s of unit %r cannot be looked up: %s", container[:12], launch.unit, error)
            return None

    async def forget(self, unit: str, *, volumes: bool = False) -> None:
        """Remove what is left of a unit that is gone: its containers, and with ``volumes`` their nameless volumes."""
        await self._settled(unit)
        self._last.pop(unit, None)
        wanted = (f"{labels.INSTANCE}={self.instance}", f"{labels.UNIT}={unit}")
        await self.engine.call(partial(_remove_all, wanted, volumes))
        await self.readers.in_thread(partial(self.readers.bookmarks.forget, unit))

    # ---- within ----

    async def _bring_up(self, launch: Launch[ContainerSpec]) -> tuple[str, BroughtUp]:
        await self._settled(launch.unit)
        spec = launch.spec
        environment = await self.readers.in_thread(partial(self.environment, spec))
        image_id = await self._newest_image(spec) if spec.pull_policy is PullPolicy.ALWAYS else None
        order = Order(
            launch=launch,
            instance=self.instance,
            environment=environment,
            known=self._last.get(launch.unit),
            image_id=image_id,
        )
        try:
            return await self._carry_out(order)
        except ImageNotFound:
            if spec.pull_policy is PullPolicy.NEVER:
                raise
            await pull(self.engine, spec.image, spec.platform)
            return await self._carry_out(order)

    async def _newest_image(self, spec: ContainerSpec) -> str | None:
        try:
            await pull(self.engine, spec.image, spec.platform)
        except HoodyError as error:
            _log.warning("the newest %r cannot be fetched, going on with what is here: %s", spec.image, error)
        image = await self.engine.call(lambda client: client.image(spec.image))
        return image.id if image is not None else None

    async def _carry_out(self, order: Order) -> tuple[str, BroughtUp]:
        """Have the engine do it. That goes on when the caller is cancelled or loses patience."""
        work = self._under_way[order.launch.unit] = UnderWay()
        try:
            return await self.engine.call(
                lambda client: work.carry_out(lambda: (client.facts.id, bring_up(client, order))), within=_UP_WITHIN
            )
        finally:
            work.drop()

    async def _settled(self, unit: str) -> None:
        """Wait for a start whose caller is gone; after that there is at most one container of the unit to be found."""
        work = self._under_way.get(unit)
        if work is None:
            return
        with trio.move_on_after(_UP_WITHIN):
            await work.settled()
        if self._under_way.get(unit) is work:
            del self._under_way[unit]

    def _is(self, found: ContainerFacts, identity: Identity, engine_id: str, launch: Launch[ContainerSpec]) -> bool:
        """Tell whether a container is beyond doubt the run that is meant, and still on."""
        ours = labels.belongs_to(found.labels, instance=self.instance, unit=launch.unit)
        return (
            (ours or found.id == launch.spec.adopted)
            and engine_id == identity.boot_id
            and found.state.running
            and found.state.started_at == identity.start_time
        )

    def _look_after(
        self, done: BroughtUp, engine_id: str, launch: Launch[ContainerSpec], on_exit: OnExit
    ) -> LiveContainer:
        facts, unit = done.facts, launch.unit
        self._last[unit] = facts.id
        # The log of a container that somebody else made is not ours before we had anything to do with it.
        begin = Place(since=max(0, facts.state.started_at - NANO)) if done.adopted else Place()
        container = LiveContainer(
            table=self.table,
            launch=launch,
            identity=Identity(
                pid=facts.state.pid, start_time=facts.state.started_at, boot_id=engine_id, container_id=facts.id
            ),
            output=self.readers.reader(unit, launch.incarnation, facts.id, plain=facts.tty, begin=begin),
            on_exit=on_exit,
            id=facts.id,
            stop_signal=image_stop_signal(launch.spec, facts),
        )
        self.table.add(container, facts)
        return container


def _look(container: str, client: Client) -> tuple[str, ContainerFacts | None]:
    return client.facts.id, client.find(container)


def _remove_all(wanted: tuple[str, ...], volumes: bool, client: Client) -> None:  # noqa: FBT001 - partial's argument
    for each in client.list(labels=wanted):
        client.remove(each.id, volumes=volumes)


if TYPE_CHECKING:

    def _is_a_driver(driver: ContainerDriver) -> Driver[ContainerSpec]:
        return driver
