"""Find again what an earlier daemon left running and did not get to write down, before anything is started.

A daemon that is killed between starting a process and noting it leaves a process that no record knows. It carries its
unit, incarnation and instance with it, so it is found by looking at every process once, here, while no keeper of a unit
is awake yet: what lives is written into the unit's record, where its keeper takes it up like any other, and what must
not live beside it is ended. Runs once per daemon, as a child of the tree that ends when it is done.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import trio
from attrs import evolve, frozen

from supervisor.agents.beside import is_beside
from supervisor.agents.process import ProcessDriver
from supervisor.agents.strays import Stray
from supervisor.errors import HoodyError
from supervisor.runtime import ActorRef, ServiceContext
from supervisor.store.messages import LiveRecord, LoadUnits, NoteProgress, Progress, StoreRequest, UnitRecord
from supervisor.units.driver import ExitStatus, Identity, Launch
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Kind, State

CLEAR_WITHIN: Final = 5.0
_STORE_PATIENCE: Final = 15.0

_log = logging.getLogger("hoody.units")


@frozen(kw_only=True)
class Sorted:
    """What is to become of what was found."""

    adopt: tuple[tuple[UnitRecord, Stray], ...] = ()
    """Main processes that their unit's record does not know, and is to know."""
    stop: tuple[tuple[UnitRecord, Stray], ...] = ()
    """Left-overs of incarnations that have ended, and rivals of one that lives."""
    foreign: tuple[Stray, ...] = ()
    """Processes of units that are not defined here (any more). They are left alone."""
    beside: tuple[Stray, ...] = ()
    """Commands that ran beside a unit, such as probes: with the daemon that ran them, nobody waits for them."""


def sort_out(records: Iterable[UnitRecord], strays: Sequence[Stray]) -> Sorted:
    """Decide about every process that was found. Pure."""
    by_name = {record.name: record for record in records}
    adopt: list[tuple[UnitRecord, Stray]] = []
    stop: list[tuple[UnitRecord, Stray]] = []
    by_unit: dict[str, list[Stray]] = {}
    for stray in strays:
        by_unit.setdefault(stray.unit, []).append(stray)
    for name in by_unit.keys() & by_name.keys():
        record, found = by_name[name], by_unit[name]
        kept = _recorded(record, found)
        if kept is None:
            newest = _unrecorded(record, found)
            if newest is not None:
                adopt.append((record, newest))
                kept = newest.incarnation
        stop.extend((record, stray) for stray in _one_each(found) if stray.incarnation != kept)
    foreign = tuple(stray for stray in strays if stray.unit not in by_name and not is_beside(stray.unit))
    beside = tuple(stray for stray in strays if is_beside(stray.unit))
    return Sorted(adopt=tuple(adopt), stop=tuple(stop), foreign=foreign, beside=beside)


def _recorded(record: UnitRecord, found: Iterable[Stray]) -> int | None:
    """Return the incarnation on record, if its main process lives."""
    live = record.progress.live
    identities = {stray.identity for stray in found}
    return live.incarnation if live is not None and live.identity in identities else None


def _unrecorded(record: UnitRecord, found: Iterable[Stray]) -> Stray | None:
    """Return the newest main process that can be one whose start was not written down any more.

    An incarnation that the record has seen end has no main process: what looks like one is a left-over of it. One that
    was started less than some milliseconds before the end of its daemon is judged by its looks.
    """
    progress = record.progress
    ended = progress.exit.incarnation if progress.exit is not None else 0
    first = (
        progress.incarnation + 1 if progress.live is not None or ended == progress.incarnation else progress.incarnation
    )
    mains = [stray for stray in found if stray.main and stray.incarnation >= max(first, 1)]
    return max(mains, key=lambda stray: stray.incarnation, default=None)


def _one_each(found: Iterable[Stray]) -> Iterable[Stray]:
    """Return one process per incarnation, the main one where it lives: clearing clears the whole incarnation."""
    first: dict[int, Stray] = {}
    for stray in found:
        if stray.main or stray.incarnation not in first:
            first[stray.incarnation] = stray
    return first.values()


class Reclaim:
    """Carries it out; see the module. What a ``ChildSpec`` takes as its ``start``."""

    def __init__(self, driver: ProcessDriver, *, wall: Callable[[], datetime]) -> None:
        self._driver = driver
        self._wall = wall
        self._done = False

    async def __call__(self, context: ServiceContext) -> None:
        """Look, mend the records, end what is left over; ``started`` when the keepers may wake up.

        Done once per daemon: when the base of the tree is restarted later, the keepers are awake, and know better.
        """
        if not self._done:
            await self._reclaim(context)
            self._done = True
        context.started()

    async def _reclaim(self, context: ServiceContext) -> None:
        store: ActorRef[StoreRequest] = context.system.registry.ref("store")
        records: tuple[UnitRecord, ...] = await store.ask(
            lambda reply: LoadUnits(kind=Kind.AGENT, reply_to=reply), timeout=_STORE_PATIENCE
        )
        found = sort_out(records, await self._driver.find_strays(_known(records)))
        for record, stray in found.adopt:
            _log.warning("%s has a process that was not on record; it is taken up", record.name, extra=_told(stray))
            store.tell(NoteProgress(kind=record.kind, name=record.name, progress=self._adopted(record, stray)))
        for stray in found.foreign:
            _log.warning(
                "process %d belongs to no unit that is defined here; it is left alone",
                stray.identity.pid,
                extra=_told(stray),
            )
        async with trio.open_nursery() as nursery:
            for record, stray in found.stop:
                nursery.start_soon(self._stop, record.name, record.spec, stray)
            for stray in found.beside:
                nursery.start_soon(self._stop, stray.unit, AgentSpec(command=(stray.unit,)), stray)

    def _adopted(self, record: UnitRecord, stray: Stray) -> Progress:
        live = LiveRecord(
            incarnation=stray.incarnation, identity=stray.identity, started_at=self._wall() - age_of(stray.identity)
        )
        return evolve(record.progress, state=State.RUNNING, reason="", incarnation=stray.incarnation, live=live)

    async def _stop(self, name: str, spec: AgentSpec, stray: Stray) -> None:
        _log.warning("a left-over of %s is ended", name, extra=_told(stray))
        launch = Launch(unit=name, incarnation=stray.incarnation, spec=spec)
        try:
            incarnation = await self._driver.adopt(stray.identity, launch, _tell_nobody)
            if incarnation is None:
                return
            try:
                survivors = await incarnation.clear(deadline=trio.current_time() + CLEAR_WITHIN)
            finally:
                incarnation.detach()
        except HoodyError as error:
            # One unit's trouble must not keep all the others from coming up.
            _log.error("a left-over of %s could not be ended: %s", name, error, extra=_told(stray))
            return
        if survivors:
            _log.error("left-overs of %s cannot be ended: %s", name, survivors, extra=_told(stray))


def age_of(identity: Identity) -> timedelta:
    """Return how long ago a process of this boot started."""
    ticks = os.sysconf("SC_CLK_TCK")
    return timedelta(seconds=max(0.0, time.clock_gettime(time.CLOCK_BOOTTIME) - identity.start_time / ticks))


def _known(records: Iterable[UnitRecord]) -> Iterable[tuple[str, int]]:
    """Return the incarnations by which a process that has overwritten its environment can still be recognised."""
    for record in records:
        number = record.progress.incarnation
        yield from ((record.name, each) for each in (number - 1, number, number + 1))


def _told(stray: Stray) -> Mapping[str, object]:
    return {"unit": stray.unit, "incarnation": stray.incarnation, "pid": stray.identity.pid, "main": stray.main}


def _tell_nobody(_status: ExitStatus) -> None:
    """Take the end of a left-over."""
