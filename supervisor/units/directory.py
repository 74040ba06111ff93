"""The directory of a kind: the one address for its units, by name.

It knows which units there are, makes and removes their keepers, and passes wishes on. What takes time (a definition
that goes to disk, a unit that is stopped before it is deleted) runs as a task, so that a list or the health never waits
for it; meanwhile the name is taken.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final, assert_never

from attrs import evolve

from supervisor.declared.groups import GroupPlan
from supervisor.declared.plan import Action, Plan, make_plan
from supervisor.errors import (
    AlreadyExists,
    Conflict,
    HoodyBug,
    HoodyError,
    InvalidInput,
    NotFound,
    RevisionMismatch,
    Unavailable,
)
from supervisor.groups.joining import Documents, GroupsJoint, Names
from supervisor.groups.messages import ApplyGroups, GroupRequest
from supervisor.groups.spec import GROUPS
from supervisor.runtime import (
    Actor,
    ActorRef,
    Backoff,
    ChildNotFound,
    ChildSpec,
    Context,
    DynamicSupervisor,
    Reply,
    RestartPolicy,
    StartFailed,
    actor,
    dynamic_supervisor,
)
from supervisor.store.messages import ForgetUnit, LoadUnits, SaveUnit, SaveUnits, StoreRequest, UnitRecord
from supervisor.units.actor import FAREWELL_SPARE, STORE_PATIENCE, UnitActor, UnitMessage, view_of
from supervisor.units.applying import GATHER_WITHIN, PATIENCE, Application
from supervisor.units.condition import status_of
from supervisor.units.memory import remember
from supervisor.units.messages import (
    Applied,
    ApplyUnits,
    CreateUnit,
    DeleteUnit,
    DirectoryRequest,
    GetHealth,
    GetUnit,
    ListUnits,
    PauseUnit,
    ReplaceUnit,
    RestartUnit,
    ResumeUnit,
    SignalUnit,
    StartUnit,
    StopUnit,
    UnitRequest,
)
from supervisor.units.names import nearest
from supervisor.units.permission import require, require_all
from supervisor.units.services import UnitServices
from supervisor.units.spec import AgentDefinition, UnitSpec
from supervisor.units.status import Desired, Kind, State, UnitView
from supervisor.units.wishes import RetireUnit

KEEPERS: Final = RestartPolicy(backoff=Backoff(initial=0.2, max=10.0))
"""A keeper that fails is replaced at once, then slowly; its unit's process runs on, and its neighbours go on."""
KEEPER_MAILBOX: Final = 256
"""More wishes for one unit than this are not waiting in good faith."""
LONGEST_FAREWELL: Final = 3600.0
"""Seconds that the end of a keeper may take at most, whatever stop timeout its unit has."""
APPLY_TRIES: Final = 3
"""How often a plan is made anew where somebody changes the units meanwhile."""
RESTORE_TIME: Final = 120.0
"""Seconds in which every unit on record has its keeper: thousands take a few."""

_log = logging.getLogger("hoody.units")


class DirectoryActor(Actor[DirectoryRequest]):
    """Answers for all units of a kind. Registered as the plural of the kind: "agents"."""

    def __init__(self, services: UnitServices) -> None:
        self._services = services
        self._roster = services.roster
        self._busy: dict[str, str] = {}
        """What is being done to a name, by the name in lower case."""

    @property
    def kind(self) -> Kind:
        """What the units are made of."""
        return self._services.kind

    async def pre_start(self, context: Context[DirectoryRequest]) -> None:
        """Give every unit on record its keeper. One that cannot have one is shown as such and keeps nobody down."""
        store: ActorRef[StoreRequest] = context.system.registry.ref("store")
        kind = self._services.kind
        records: tuple[UnitRecord, ...] = await store.ask(
            lambda reply: LoadUnits(kind=kind, reply_to=reply), timeout=STORE_PATIENCE
        )
        await self._services.provision.load(store)
        kept = {node.id for node in self._keepers(context).children()}
        for name in (kept | set(self._roster.names())) - {record.name for record in records}:
            await self.remove_keeper(context, name)
        for record in sorted(records, key=lambda record: record.spec.priority):
            if record.name not in kept:
                await self._restore(context, record)
        self._services.restored.set()

    async def handle(self, message: DirectoryRequest, context: Context[DirectoryRequest]) -> None:
        """Answer what can be answered at once, and pass the rest on."""
        match message:
            case ListUnits(reply_to=reply_to):
                reply_to.send(self._roster.views())
            case GetHealth(reply_to=reply_to):
                reply_to.send(self._roster.counts())
            case GetUnit(name=name, reply_to=reply_to):
                view = self._roster.view(name)
                if view is None:
                    reply_to.fail(self._unknown(name))
                else:
                    reply_to.send(view)
            case CreateUnit():
                self._create(message, context)
            case DeleteUnit():
                self._delete(message, context)
            case ApplyUnits():
                context.spawn(self._apply, message, context)
            case ReplaceUnit(definition=definition) if self._services.permits.concerns(definition.spec):
                context.spawn(self._replace, message, context)
            case ReplaceUnit() | StartUnit() | StopUnit() | RestartUnit() | SignalUnit() | PauseUnit() | ResumeUnit():
                self._forward(message, context)
            case _:
                assert_never(message)

    # ---- passing on ----

    def _forward(self, message: ReplaceUnit | UnitRequest, context: Context[DirectoryRequest]) -> None:
        try:
            self.keeper(message.name, context).tell(message)
        except HoodyError as error:
            message.reply_to.fail(error)

    async def _replace(self, message: ReplaceUnit, context: Context[DirectoryRequest]) -> None:
        try:
            await require(self._services.permits, message.definition)
        except HoodyError as error:
            message.reply_to.fail(error)
        else:
            self._forward(message, context)

    def keeper(self, name: str, context: Context[DirectoryRequest]) -> ActorRef[UnitMessage]:
        """Return the keeper of a unit. Raises ``NotFound`` and ``Unavailable``."""
        if name not in self._roster:
            raise self._unknown(name)
        found: ActorRef[UnitMessage] | None = context.system.registry.whereis(self._services.actor_name(name))
        if found is None:
            raise Unavailable(f"the keeper of {name!r} is being replaced", hint="try again in a moment")
        return found

    def _unknown(self, name: str) -> NotFound:
        meant = nearest(name, self._roster.names())
        kind = self._services.kind.value
        return NotFound(f"there is no {kind} {name!r}", hint=f"did you mean {meant!r}?" if meant else None)

    # ---- making ----

    def _create(self, message: CreateUnit, context: Context[DirectoryRequest]) -> None:
        name = message.definition.name
        refused = self._taken(name) or self._relate(message)
        if refused is not None:
            message.reply_to.fail(refused)
            return
        self._while_busy(message, name, "created", context)

    def _relate(self, message: CreateUnit) -> HoodyError | None:
        """Take note of what the new unit depends on, or say why it cannot."""
        definition = message.definition
        try:
            self._services.relations.declare(self._services.actor_name(definition.name), definition.spec)
        except InvalidInput as error:
            return error
        return None

    def _taken(self, name: str) -> HoodyError | None:
        kind = self._services.kind.value
        doing = self._busy.get(name.casefold())
        if doing is not None:
            return AlreadyExists(f"the {kind} {name!r} is being {doing} at this moment")
        if name in self._roster:
            return AlreadyExists(f"the {kind} {name!r} exists already", hint=f"to replace it: hoody rm {name}")
        other = self._roster.same_but_for_case(name)
        if other is not None:
            hint = "choose a name that differs in more than upper and lower case"
            return AlreadyExists(f"{name!r} differs from {other!r} only in upper and lower case", hint=hint)
        return None

    async def _create_now(self, message: CreateUnit, context: Context[DirectoryRequest]) -> UnitView:
        definition = message.definition
        await require(self._services.permits, definition)
        record = self.first_record(definition, start=message.start)
        store: ActorRef[StoreRequest] = context.system.registry.ref("store")
        await store.ask(lambda reply: SaveUnit(record=record, reply_to=reply), timeout=STORE_PATIENCE)
        try:
            await self.begin(context, record)
        except HoodyError:
            # Nothing half done: what has no keeper is not there.
            self._roster.remove(record.name)
            await store.ask(
                lambda reply: ForgetUnit(kind=record.kind, name=record.name, reply_to=reply), timeout=STORE_PATIENCE
            )
            raise
        view = self._roster.view(record.name)
        if view is None:
            raise HoodyBug(f"the keeper of {record.name!r} is up and has not shown it")
        return view

    def first_record(self, definition: AgentDefinition, *, start: bool) -> UnitRecord:
        """Make the record of a unit that was just defined."""
        self._roster.expect_new(definition.name)
        return UnitRecord(
            kind=self._services.kind,
            name=definition.name,
            workspace=definition.workspace,
            labels=definition.labels,
            revision=1,
            created_at=self._services.wall(),
            spec=definition.spec,
            desired=Desired.RUNNING if start else Desired.STOPPED,
        )

    # ---- removing ----

    def _delete(self, message: DeleteUnit, context: Context[DirectoryRequest]) -> None:
        doing = self._busy.get(message.name.casefold())
        if doing is not None:
            message.reply_to.fail(Conflict(f"{message.name!r} is being {doing} at this moment"))
            return
        self._while_busy(message, message.name, "deleted", context)

    async def _delete_now(self, message: DeleteUnit, context: Context[DirectoryRequest]) -> None:
        await self.retire(message.name, message.expected_revision, context, force=message.force)

    async def retire(self, name: str, revision: int | None, context: Context[DirectoryRequest], *, force: bool) -> None:
        """Have a unit stopped and forgotten, and remove its keeper."""
        keeper = self.keeper(name, context)
        # A stop takes the time that it takes; who waits for the deletion has a deadline of their own.
        # Where it is gone from disk already, an earlier directory has asked for that and ended: its keeper is left.
        with suppress(NotFound):
            await keeper.ask(
                lambda reply: RetireUnit(force=force, expected_revision=revision, reply_to=reply),
                timeout=LONGEST_FAREWELL,
            )
        await self.remove_keeper(context, name)
        try:
            await self._services.provision.forget(name, context.system.registry.ref("store"))
        except HoodyError as error:
            _log.warning("the ports of %r, which is gone, stay on record: %s", name, error)

    # ---- many at once ----

    async def _apply(self, message: ApplyUnits, context: Context[DirectoryRequest]) -> None:
        try:
            message.reply_to.send(await self._apply_now(message, context))
        except HoodyError as error:
            message.reply_to.fail(error)

    async def _apply_now(self, message: ApplyUnits, context: Context[DirectoryRequest]) -> Applied:
        await require_all(self._services.permits, message.definitions)
        for attempt in range(1, APPLY_TRIES + 1):
            plan = make_plan(self._roster.views(), message.definitions, source=message.source, prune=message.prune)
            for change in plan.named(Action.CREATE):
                taken = self._taken(change.name)
                if taken is not None:
                    raise taken
            gone = {self._services.actor_name(change.name) for change in plan.named(Action.DELETE)}
            self._services.relations.check(self._specs(plan), gone)
            joint = GroupsJoint()
            try:
                groups = await self._plan_groups(message, plan, joint, context)
                if message.dry_run or (plan.empty and (groups is None or groups.empty)):
                    return Applied(plan=plan, groups=groups or GroupPlan())
                application = Application(
                    plan=plan,
                    source=message.source,
                    registrar=_Registrar(self, context),
                    joint=joint,
                    with_groups=groups is not None,
                )
                failures = await self._carry_out(application)
                return Applied(plan=plan, groups=groups or GroupPlan(), failures=failures)
            except RevisionMismatch:
                # Somebody was quicker with one of the units, and nothing was done: the plan is made anew.
                if attempt == APPLY_TRIES:
                    raise
            finally:
                joint.conclude(kept=False)
        raise HoodyBug("the last attempt returns or raises")

    async def _plan_groups(
        self, message: ApplyUnits, plan: Plan, joint: GroupsJoint, context: Context[DirectoryRequest]
    ) -> GroupPlan | None:
        definitions = message.groups
        if definitions is None:
            return None
        deleted = {change.name for change in plan.named(Action.DELETE)}
        names = {*self._roster.names(), *(each.name for each in plan.definitions)} - deleted
        keeper: ActorRef[GroupRequest] = context.system.registry.ref(GROUPS)
        return await keeper.ask(
            lambda reply: ApplyGroups(
                definitions=definitions,
                source=message.source,
                prune=message.prune,
                units=frozenset(map(self._services.actor_name, names)),
                joint=joint,
                reply_to=reply,
            ),
            timeout=GATHER_WITHIN,
        )

    async def _carry_out(self, application: Application) -> dict[str, HoodyError]:
        plan = application.plan
        names = [change.name for change in plan.changes if change.action is not Action.UNCHANGED]
        for name in names:
            doing = self._busy.get(name.casefold())
            if doing is not None:
                raise Conflict(f"{name!r} is being {doing} at this moment", hint="try again in a moment")
        self._busy.update({name.casefold(): "applied" for name in names})
        try:
            self._services.relations.declare_all(self._specs(plan), ())
            return await application.carry_out()
        finally:
            for name in names:
                del self._busy[name.casefold()]
                self._settle(name)

    def _specs(self, plan: Plan) -> dict[str, UnitSpec]:
        return {self._services.actor_name(each.name): each.spec for each in plan.definitions}

    def _settle(self, name: str) -> None:
        """See to it that what a unit depends on is what it is shown with, whatever has come of a change."""
        address, view = self._services.actor_name(name), self._roster.view(name)
        if view is None:
            self._services.relations.forget(address)
        else:
            self._services.relations.settle(address, view.spec)

    # ---- keepers ----

    async def begin(self, context: Context[DirectoryRequest], record: UnitRecord) -> None:
        """Give a new unit its keeper, and logs that begin with it."""
        try:
            await self._services.logs.erase(record.name)
        except OSError as error:
            _log.warning("the logs of an earlier %r cannot be deleted: %s", record.name, error)
        await self.add_keeper(context, record)

    async def add_keeper(self, context: Context[DirectoryRequest], record: UnitRecord) -> None:
        """Give a unit on record its keeper."""
        await self._keepers(context).start_child(keeper(self._services, record))

    async def remove_keeper(self, context: Context[DirectoryRequest], name: str) -> None:
        """Remove a keeper, and what is shown of its unit."""
        # It is gone already where an earlier directory ended between the two halves of a deletion.
        with suppress(ChildNotFound):
            await self._keepers(context).stop_child(name)
        self._roster.remove(name)
        self._services.relations.forget(self._services.actor_name(name))
        try:
            await self._services.logs.forget(name)
        except OSError as error:
            _log.warning("the output of %r, which is gone, cannot be closed: %s", name, error)

    async def _restore(self, context: Context[DirectoryRequest], record: UnitRecord) -> None:
        try:
            await self.add_keeper(context, record)
        except StartFailed as error:
            _log.error("%s %r cannot be looked after: %s", record.kind.value, record.name, error)
            reason = f"it cannot be looked after: {error}"
            status = evolve(status_of(remember(record)), state=State.UNKNOWN, reason=reason)
            self._roster.show(view_of(record, status))

    def _keepers(self, context: Context[DirectoryRequest]) -> DynamicSupervisor:
        return context.system.dynamic(self._services.keepers_name)

    # ---- names that are busy ----

    def _while_busy(
        self, message: CreateUnit | DeleteUnit, name: str, doing: str, context: Context[DirectoryRequest]
    ) -> None:
        self._busy[name.casefold()] = doing
        context.spawn(self._work, message, name, context)

    async def _work(self, message: CreateUnit | DeleteUnit, name: str, context: Context[DirectoryRequest]) -> None:
        try:
            if isinstance(message, CreateUnit):
                message.reply_to.send(await self._create_now(message, context))
            else:
                await self._delete_now(message, context)
                message.reply_to.send(None)
        except HoodyError as error:
            message.reply_to.fail(error)
        finally:
            del self._busy[name.casefold()]
            self._settle(name)


class _Registrar:
    """Does for a plan what only the directory may; see ``supervisor.units.applying.Registrar``."""

    __slots__ = ("_context", "_directory")

    def __init__(self, directory: DirectoryActor, context: Context[DirectoryRequest]) -> None:
        self._directory = directory
        self._context = context

    async def replace(self, name: str, wish: Callable[[Reply[UnitView]], ReplaceUnit]) -> None:
        await self._directory.keeper(name, self._context).ask(wish, timeout=2 * PATIENCE)

    def record(self, definition: AgentDefinition, source: str) -> UnitRecord:
        return evolve(self._directory.first_record(definition, start=True), source=source)

    async def write(
        self, records: Sequence[UnitRecord], forget: Sequence[str], documents: Documents, unwanted: Names
    ) -> None:
        gone = tuple((self._directory.kind, name) for name in forget)
        store: ActorRef[StoreRequest] = self._context.system.registry.ref("store")
        await store.ask(
            lambda reply: SaveUnits(
                records=tuple(records), forget=gone, documents=documents, forget_documents=unwanted, reply_to=reply
            ),
            timeout=STORE_PATIENCE,
        )

    async def add(self, record: UnitRecord) -> None:
        await self._directory.begin(self._context, record)

    async def remove(self, name: str, revision: int | None) -> None:
        await self._directory.retire(name, revision, self._context, force=True)

    async def drop(self, name: str) -> None:
        await self._directory.remove_keeper(self._context, name)


class _Keepers:
    """Makes the keepers of a unit. The first one is given the record; later ones ask the store."""

    __slots__ = ("_first", "_name", "_services")

    def __init__(self, services: UnitServices, record: UnitRecord) -> None:
        self._services = services
        self._name = record.name
        self._first: UnitRecord | None = record

    def __call__(self) -> UnitActor:
        record, self._first = self._first, None
        return UnitActor(self._services, self._name, record)


def keeper(services: UnitServices, record: UnitRecord) -> ChildSpec:
    """Describe the keeper of a unit as a child of the supervisor of keepers."""
    return actor(
        record.name,
        _Keepers(services, record),
        name=services.actor_name(record.name),
        mailbox=KEEPER_MAILBOX,
        restart=KEEPERS,
        # Half of it is for the tasks under way, half for the farewell.
        cleanup=2 * (min(record.spec.stop_timeout, LONGEST_FAREWELL) + FAREWELL_SPARE),
    )


def unit_children(services: UnitServices) -> tuple[ChildSpec, ChildSpec]:
    """Describe what a tree needs for units of a kind: the supervisor of their keepers, and after it the directory."""
    return (
        dynamic_supervisor(services.keepers_name),
        actor(services.plural, lambda: DirectoryActor(services), start_within=RESTORE_TIME),
    )
