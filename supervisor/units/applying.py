"""Carries out a plan: one transaction for all that is created and replaced, then what is to go.

    gather    every keeper of what is replaced brings its new record, and holds further wishes back
    write     all records, old units' and new ones', and the groups, in one transaction
    take up   the groups hold their members, so that none starts before its turn
    keep      each new unit gets its keeper; where that fails, everything before is taken back
    settle    the keepers of what was replaced go on, by the new definition
    remove    what is not declared any more is stopped and forgotten

Up to the write nothing has changed, and a failure of the third step is undone by a transaction of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import trio
from attrs import field, frozen

from supervisor.declared.plan import Action, Change, Plan
from supervisor.errors import HoodyError, Unavailable
from supervisor.groups.joining import Documents, GroupsJoint, Names
from supervisor.runtime import Reply
from supervisor.store.messages import UnitRecord
from supervisor.units.messages import ReplaceUnit
from supervisor.units.spec import AgentDefinition
from supervisor.units.status import UnitView
from supervisor.units.together import Together

GATHER_WITHIN: Final = 35.0
"""Seconds in which every keeper is done with the wish before: a write to the store has less."""
PATIENCE: Final = 120.0
"""Seconds that a keeper waits for the outcome."""


class Registrar(Protocol):
    """What the directory does for a plan."""

    async def replace(self, name: str, wish: Callable[[Reply[UnitView]], ReplaceUnit]) -> None:
        """Hand a wish to the keeper of ``name``, and wait until it is carried out."""

    def record(self, definition: AgentDefinition, source: str) -> UnitRecord:
        """Make the first record of a new unit."""

    async def write(
        self, records: Sequence[UnitRecord], forget: Sequence[str], documents: Documents, unwanted: Names
    ) -> None:
        """Write and delete records and documents in one transaction."""

    async def add(self, record: UnitRecord) -> None:
        """Give a unit on record its keeper."""

    async def remove(self, name: str, revision: int | None) -> None:
        """Stop a unit, forget it, and remove its keeper."""

    async def drop(self, name: str) -> None:
        """Remove a keeper and what is shown of its unit, whatever it is at."""


@frozen(kw_only=True)
class Application:
    """One plan, on its way."""

    plan: Plan
    source: str
    registrar: Registrar
    joint: GroupsJoint = field(factory=GroupsJoint)
    """The groups that are written with it."""
    with_groups: bool = False
    together: Together = field(factory=lambda: Together(PATIENCE))
    definitions: Mapping[str, AgentDefinition] = field(init=False)

    @definitions.default
    def _by_name(self) -> Mapping[str, AgentDefinition]:
        return {each.name: each for each in self.plan.definitions}

    async def carry_out(self) -> dict[str, HoodyError]:
        """Do all of it. Returns what could not be removed; raises where nothing was changed."""
        await self._write()
        return await self._remove()

    async def _write(self) -> None:
        replaced = self.plan.named(Action.REPLACE)
        failure: HoodyError | None = None
        self.together.expect(change.name for change in replaced)
        async with trio.open_nursery() as nursery:
            for change in replaced:
                nursery.start_soon(self._replace, change)
            try:
                with trio.fail_after(GATHER_WITHIN):
                    await self.together.complete()
                await self._create()
            except HoodyError as error:
                failure = error
            except trio.TooSlowError:
                failure = Unavailable("some agents are busy with earlier wishes", hint="try again in a moment")
            finally:
                self.together.conclude(failure)
                self.joint.conclude(kept=self.together.on_disk)
        if failure is not None:
            raise failure

    async def _replace(self, change: Change) -> None:
        try:
            await self.registrar.replace(
                change.name,
                lambda reply: ReplaceUnit(
                    name=change.name,
                    definition=self.definitions[change.name],
                    expected_revision=change.revision,
                    reply_to=reply,
                    source=self.source,
                    together=self.together,
                ),
            )
        except HoodyError as error:
            self.together.fail(error)

    async def _create(self) -> None:
        created = [
            self.registrar.record(self.definitions[change.name], self.source)
            for change in self.plan.named(Action.CREATE)
        ]
        created.sort(key=lambda record: record.spec.priority)
        joint = self.joint
        joint.require()
        self.together.begin_to_write()
        with trio.CancelScope(shield=True):
            # A write under way is not undone by a cancellation, and the keepers must know how it went.
            records = [*self.together.records.values(), *created]
            await self.registrar.write(records, (), joint.documents, joint.forget)
            self.together.written()
            if self.with_groups:
                await joint.written()
        kept: list[UnitRecord] = []
        for record in created:
            try:
                await self.registrar.add(record)
            except HoodyError:
                await self._take_back(kept, [each.name for each in created])
                raise
            kept.append(record)

    async def _take_back(self, kept: Sequence[UnitRecord], created: Sequence[str]) -> None:
        for record in kept:
            await self.registrar.remove(record.name, None)
        for name in created:
            await self.registrar.drop(name)
        with trio.CancelScope(shield=True):
            before, joint = list(self.together.before.values()), self.joint
            await self.registrar.write(before, created, joint.documents_before, joint.forget_again)
            self.together.taken_back()

    async def _remove(self) -> dict[str, HoodyError]:
        failures: dict[str, HoodyError] = {}

        async def remove(change: Change) -> None:
            try:
                await self.registrar.remove(change.name, change.revision)
            except HoodyError as error:
                failures[change.name] = error

        async with trio.open_nursery() as nursery:
            for change in self.plan.named(Action.DELETE):
                nursery.start_soon(remove, change)
        return failures
