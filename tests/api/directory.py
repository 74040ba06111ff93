"""A directory of agents in memory: the real protocol on the real runtime, with units that only change their words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import assert_never

from attrs import evolve

from supervisor.errors import AlreadyExists, InvalidTransition, NotFound, RevisionMismatch
from supervisor.runtime import Actor, Context, Reply
from supervisor.units.messages import (
    CreateUnit,
    DeleteUnit,
    DirectoryRequest,
    GetHealth,
    GetUnit,
    HealthCounts,
    ListUnits,
    ReplaceUnit,
    RestartUnit,
    SignalUnit,
    StartUnit,
    StopUnit,
)
from supervisor.units.names import nearest
from supervisor.units.status import LIVE_STATES, Desired, Kind, State, UnitStatus, UnitView


class Directory(Actor[DirectoryRequest]):
    """Keeps views. ``slow`` as a program never gets anywhere, so whoever waits for it waits."""

    def __init__(self) -> None:
        self.views: dict[str, UnitView] = {}
        self.waiting: list[Reply[UnitView]] = []
        self.listed: tuple[UnitView, ...] | None = None
        self.asked: list[str] = []

    async def handle(self, message: DirectoryRequest, context: Context[DirectoryRequest]) -> None:
        self.asked.append(type(message).__name__)
        try:
            self._answer(message)
        except (NotFound, AlreadyExists, RevisionMismatch, InvalidTransition) as error:
            message.reply_to.fail(error)

    def _answer(self, message: DirectoryRequest) -> None:
        match message:
            case CreateUnit():
                message.reply_to.send(self._create(message))
            case ReplaceUnit():
                message.reply_to.send(self._replace(message))
            case DeleteUnit():
                self._delete(message)
                message.reply_to.send(None)
            case GetUnit():
                message.reply_to.send(self._view(message.name))
            case ListUnits():
                if self.listed is None:
                    self.listed = tuple(self.views[name] for name in sorted(self.views))
                message.reply_to.send(self.listed)
            case GetHealth():
                message.reply_to.send(self._health())
            case StartUnit() | RestartUnit():
                self._move(message, Desired.RUNNING, State.RUNNING)
            case StopUnit():
                self._move(message, Desired.STOPPED, State.STOPPED)
            case SignalUnit():
                view = self._view(message.name)
                if view.status.state not in LIVE_STATES:
                    raise InvalidTransition(f"agent {message.name!r} is not running")
                message.reply_to.send(view)
            case _:
                assert_never(message)

    def _create(self, message: CreateUnit) -> UnitView:
        definition = message.definition
        if definition.name in self.views:
            raise AlreadyExists(f"there is an agent {definition.name!r} already")
        status = UnitStatus(state=State.RUNNING, desired=Desired.RUNNING, pid=4711) if message.start else UnitStatus()
        return self._put(
            UnitView(
                kind=Kind.AGENT,
                name=definition.name,
                workspace=definition.workspace,
                labels=definition.labels,
                revision=1,
                created_at=datetime(2026, 1, 1, tzinfo=UTC),
                spec=definition.spec,
                status=status,
            )
        )

    def _replace(self, message: ReplaceUnit) -> UnitView:
        view, definition = self._view(message.name), message.definition
        self._check(view, message.expected_revision)
        return self._put(
            evolve(
                view,
                workspace=definition.workspace,
                labels=definition.labels,
                spec=definition.spec,
                revision=view.revision + 1,
            )
        )

    def _delete(self, message: DeleteUnit) -> None:
        view = self._view(message.name)
        self._check(view, message.expected_revision)
        if view.status.state in LIVE_STATES and not message.force:
            raise InvalidTransition(f"agent {message.name!r} is running", hint="stop it first, or use force")
        del self.views[message.name]
        self.listed = None

    def _move(self, message: StartUnit | StopUnit | RestartUnit, desired: Desired, state: State) -> None:
        view = self._view(message.name)
        if "slow" in view.spec.argv[0]:
            moved = self._put(evolve(view, status=evolve(view.status, desired=desired)))
            if message.wait:
                self.waiting.append(message.reply_to)
                return
        else:
            moved = self._put(evolve(view, status=evolve(view.status, desired=desired, state=state)))
        message.reply_to.send(moved)

    def _check(self, view: UnitView, expected: int | None) -> None:
        if expected is not None and expected != view.revision:
            raise RevisionMismatch(f"agent {view.name!r} is at revision {view.revision}, not {expected}")

    def _view(self, name: str) -> UnitView:
        if name not in self.views:
            close = nearest(name, self.views)
            raise NotFound(f"there is no agent {name!r}", hint=f"did you mean {close!r}?" if close else None)
        return self.views[name]

    def _put(self, view: UnitView) -> UnitView:
        self.views[view.name] = view
        self.listed = None
        return view

    def _health(self) -> HealthCounts:
        return HealthCounts(
            kind=Kind.AGENT,
            total=len(self.views),
            by_state={},
            by_health={},
            crash_loops=0,
            unhealthy=(),
            unhealthy_total=0,
        )
