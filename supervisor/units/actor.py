"""The keeper of a unit: the shell around its machine. It lives as long as the unit's definition, not as its process.

The machine decides, the hands touch processes, the desk takes wishes in; this actor joins them. Nothing in it waits:
what takes time runs as a task and reports back, so that an exit is acted upon at once whatever else is going on.

How it ends decides what becomes of the process. Where the daemon has said that it takes its units along
(``Departure.take_units``), a stop ends the process too; in every other case, a crash of the keeper included, the
process is left running, and the next keeper takes it up by its identity.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, TypeAlias, assert_never

import trio
from attrs import evolve, frozen

from supervisor.errors import HoodyBug, HoodyError, SignalFailed
from supervisor.runtime import Actor, Context, Crashed, ExitReason, Registry
from supervisor.store.messages import LoadUnit, NoteProgress, Progress, UnitRecord
from supervisor.units.condition import Condition, Phase, status_of
from supervisor.units.desk import Desk
from supervisor.units.draft import CLEAR_FIRST, Moment, Setting
from supervisor.units.effects import (
    Adopt,
    ArmTimer,
    CancelTimer,
    Clear,
    Effect,
    Freeze,
    KillGroup,
    Note,
    SendSignal,
    Spawn,
    Tell,
)
from supervisor.units.events import DependencyLost, Event, SignalAsked, SignalRefused, StopAsked, Timer, TimerFired
from supervisor.units.farewell import Farewell, Stage
from supervisor.units.hands import CLEAR_TIME, Hands, Prepare
from supervisor.units.machine import step
from supervisor.units.memory import progress_of, recalled, remember, take_stock
from supervisor.units.probes.judges import Judges
from supervisor.units.services import UnitServices
from supervisor.units.spec import UnitSpec
from supervisor.units.status import State, UnitStatus, UnitView
from supervisor.units.turn import Ending, Turn, TurnCame
from supervisor.units.vanishing import vanish
from supervisor.units.waiters import Waiters
from supervisor.units.wishes import Wish, Writing

STORE_PATIENCE: Final = 30.0
"""Seconds to wait for the store: longer than its own deadlines, so that what it says is final."""
NOTE_AGAIN: Final = 1.0
"""Seconds until a note is sent again that the store could not take."""
FAREWELL_SPARE: Final = 2 * CLEAR_TIME
"""Seconds beyond the stop timeout that a farewell may take, for what is hard to clear."""

_log = logging.getLogger("hoody.units")


@frozen
class News:
    """Something was reported. It waits in the keeper's own list, so that none is lost when the keeper ends."""


@frozen
class NoteDue:
    """The last note did not reach the store."""


@frozen
class Depart:
    """The daemon goes down and takes the unit along, and it is this unit's turn."""


_NEWS: Final = News()
_NOTE_DUE: Final = NoteDue()

UnitMessage: TypeAlias = Wish | TimerFired | News | NoteDue | TurnCame | Depart


class UnitActor(Actor[UnitMessage]):
    """Keeps one unit. Registered as ``agents/NAME``.

    ``record`` saves the first keeper the question to the store; later ones ask. Every wish is on disk before anything
    is done about it, and wishes are carried out in the order in which they came. No handler waits, so nothing ever
    comes between the lines of one.
    """

    def __init__(self, services: UnitServices, name: str, record: UnitRecord | None = None) -> None:
        self.name = name
        self.condition = Condition()
        self.waiters = Waiters()
        self._services = services
        self._record = record
        self._view: UnitView | None = None
        self._untold: UnitStatus | None = None
        """The status after an end that the log does not have yet."""
        self._stage: Stage[UnitMessage] | None = None
        self._registry: Registry | None = None
        self._dice: Callable[[], float] = lambda: 0.5
        self._news: list[Event] = []
        self._hands = Hands(name, services.driver, services.starts, self._report)
        self._judges = Judges(name, services.instruments, self._report)
        self._desk = Desk(self)
        self._turn = Turn(services.actor_name(name), services.relations, self.happen, lambda: self._on_stage)

    # ---- the life of a keeper ----

    async def pre_start(self, context: Context[UnitMessage]) -> None:
        """Take up where the last keeper left off: look for the process on record, or start what should run."""
        self._stage, self._registry, self._dice = context, context.system.registry, context.system.dice
        if self._record is None:
            kind = self._services.kind
            store = self._registry.ref("store")
            self._record = await store.ask(
                lambda reply: LoadUnit(kind=kind, name=self.name, reply_to=reply), timeout=STORE_PATIENCE
            )
        if self._record is None:
            # Deleted while there was no keeper: whoever deleted it removes this one.
            self._desk.close()
            return
        self.condition = remember(self._record)
        self._services.logs.configure(self.name, self._record.spec.logs)
        self._begin(self._record)

    def _begin(self, record: UnitRecord) -> None:
        """Take the first steps. That there may be a process is known before anybody sees the unit: no state is shown
        that would make others believe that it is gone.
        """
        met = self._services.relations.follow(self._turn.address, record.spec, self._report)
        recall = recalled(record, self._now())
        if record.progress.live is None:
            self._show(status_of(self.condition))
        for event in (met, recall) if record.progress.live is None else (recall, met):
            self.happen(event)

    async def handle(self, message: UnitMessage, context: Context[UnitMessage]) -> None:  # noqa: ARG002
        """Take one message in. Never waits."""
        self._receive(message)

    async def post_stop(self, context: Context[UnitMessage], reason: ExitReason) -> None:  # noqa: ARG002
        """End the process where the daemon takes its units along; leave it running otherwise."""
        self._judges.dismiss()
        if self._record is None or self._desk.deleted:
            return
        self._tell_the_log()
        self._services.relations.leave(self._turn.address)
        if self._services.departure.take_units and not isinstance(reason, Crashed):
            await self._end_the_unit()
        else:
            self._leave_the_unit(reason)

    # ---- what the desk uses ----

    @property
    def record(self) -> UnitRecord:
        """The unit's definition."""
        if self._record is None:
            raise HoodyBug(f"{self.name!r} has no record")
        return self._record

    @property
    def view(self) -> UnitView:
        """What is shown of the unit."""
        if self._view is None:
            raise HoodyBug(f"{self.name!r} has not been shown")
        return self._view

    def redefine(self, record: UnitRecord) -> None:
        """Take up a new record."""
        if record is not self._record:
            self._record = record
            self._services.logs.configure(self.name, record.spec.logs)
            self._show(status_of(self.condition))
            self.relate()

    def relate(self, spec: UnitSpec | None = None) -> None:
        """Let the unit depend on what ``spec`` says, or its own definition. Raises ``InvalidInput`` for the former."""
        relations = self._services.relations
        if spec is None:
            relations.settle(self._turn.address, self.record.spec)
        else:
            relations.declare(self._turn.address, spec)

    def end_in_turn(self, event: Ending) -> None:
        """Let an event happen that ends what runs: once those are gone that have to go first."""
        self._turn.end(event)

    @property
    def waits_for_its_turn(self) -> bool:
        """Whether the unit is to be ended, and others have to go first."""
        return self._turn.waits

    def note(self, progress: Progress | None = None) -> None:
        """Tell the store how far the unit is, or how far it is to be taken to be."""
        if self._desk.deleted or self._registry is None:
            return
        note = NoteProgress(kind=self._services.kind, name=self.name, progress=progress or progress_of(self.condition))
        store = self._registry.whereis("store")
        if store is None or not store.offer(note):
            self._on_stage.start_timer(_NOTE_DUE, NOTE_AGAIN, _NOTE_DUE)

    def write(self, writing: Writing, then: Callable[[HoodyError | None], None]) -> None:
        """Have something written, and call ``then`` with the error, or None once it is on disk."""
        self._on_stage.spawn(self._write, writing, then)

    def happen(self, event: Event) -> None:
        """Let the machine take a step, carry out what follows, and show how the unit is then."""
        before = self.condition
        now = self._now()
        found = step(before, event, Setting(self.record.spec, now, self._dice))
        self.condition = found.condition
        tells = []
        for effect in found.effects:
            if isinstance(effect, Tell):
                tells.append(effect)
            else:
                self._obey(effect, event)
        if found.condition is not before:
            self._show(status_of(found.condition), event)
            self._hands.release(self._at_hand())
            self._judges.follow(found.condition, self.record.spec, self._on_stage.spawn)
        for tell in tells:
            self.waiters.tell(tell, self.view)
        self._desk.look_up()

    def vanish(self) -> None:
        """Have itself removed: its unit is gone from disk."""
        if self._registry is not None:
            self._on_stage.spawn(vanish, self._registry, self._services.plural, self.name)

    # ---- the inside ----

    @property
    def _on_stage(self) -> Stage[UnitMessage]:
        if self._stage is None:
            raise HoodyBug(f"the keeper of {self.name!r} has not begun")
        return self._stage

    def _now(self) -> Moment:
        return Moment(trio.current_time(), self._services.wall())

    def _report(self, event: Event) -> None:
        """Take a fact in, from a task or from the driver. Synchronous; acts on nothing itself."""
        self._news.append(event)
        self._on_stage.post(_NEWS)

    def _receive(self, message: UnitMessage) -> None:
        match message:
            case News():
                while self._news:
                    self._hear(self._news.pop(0))
            case TimerFired():
                self.happen(message)
            case NoteDue():
                self.note()
            case TurnCame():
                self._turn.come()
            case Depart():
                self.happen(StopAsked(lasting=False))
            case _:
                self._desk.take(message)

    def _hear(self, event: Event) -> None:
        if isinstance(event, DependencyLost):
            self.end_in_turn(event)
        else:
            self.happen(event)

    def _obey(self, effect: Effect, event: Event) -> None:
        stage, hands = self._on_stage, self._hands
        match effect:
            case Spawn(incarnation=number):
                self._judges.expect(self.record.spec, self._services.wall())
                stage.spawn(hands.start, number, self.record.spec, self._preparation())
            case Adopt(incarnation=number, identity=identity):
                stage.spawn(hands.adopt, number, identity, self.record.spec)
            case SendSignal(incarnation=number, number=signal, whole_group=whole_group):
                try:
                    hands.signal(number, signal, whole_group=whole_group)
                except SignalFailed as error:
                    if isinstance(event, SignalAsked):
                        raise
                    self._report(SignalRefused(number, str(error)))
            case KillGroup(incarnation=number):
                hands.kill(number)
            case Clear() | Freeze():
                stage.spawn(hands.carry_out, effect)
            case ArmTimer(timer=timer, token=token, delay=delay):
                stage.start_timer(timer, delay, TimerFired(timer, token))
            case CancelTimer(timer=timer):
                stage.cancel_timer(timer)
            case Note():
                self.note()
            case Tell():
                raise HoodyBug("who waits is told once the view is up to date")
            case _:
                assert_never(effect)

    def _preparation(self) -> Prepare | None:
        """Return what completes the definition for a start; None where there is nothing to complete."""
        record, registry = self.record, self._registry
        if registry is None or not self._services.provision.concerns(record.spec):
            return None
        return lambda spec: self._services.provision.prepare(record.name, record.workspace, spec, registry.ref("store"))

    def _at_hand(self) -> frozenset[int]:
        """Return the incarnations that may still be needed."""
        condition = self.condition
        present = () if condition.at_rest or condition.phase is Phase.BACKOFF else (condition.incarnation,)
        return frozenset((*condition.uncleared, *present))

    def _show(self, status: UnitStatus, cause: Event | None = None) -> None:
        before, record = self._view, self.record
        if before is not None and before.status.exit is not status.exit:
            self._untold = status
        # While a successor is being started, nothing is to compete with that: a line costs as much as the decision.
        if self._untold is not None and self.condition.phase is not Phase.SPAWNING:
            self._tell_the_log()
        enforcement = self._services.permits.enforcement(record.spec)
        ports = self._services.provision.ports(self.name)
        if enforcement or ports:
            status = evolve(status, limits=enforcement, ports=ports)
        self._view = view_of(record, status)
        self._services.roster.show(self._view, cause)

    def _tell_the_log(self) -> None:
        status, self._untold = self._untold, None
        if status is None or status.exit is None:
            return
        _log.info(
            "%s %r: %s",
            self._services.kind.value,
            self.name,
            status.reason or status.exit.detail,
            extra={
                "unit": self.name,
                "incarnation": status.exit.incarnation,
                "end": status.exit.reason.value,
                "state": status.state.value,
            },
        )

    async def _write(self, writing: Writing, then: Callable[[HoodyError | None], None]) -> None:
        failure: HoodyError | None = None
        try:
            if self._registry is None:
                raise HoodyBug(f"the keeper of {self.name!r} has not begun")
            if writing.together is not None:
                await writing.together.join(self.record, writing.record)
            else:
                await self._registry.ref("store").ask(writing.request, timeout=STORE_PATIENCE)
        except HoodyError as error:
            failure = error
        then(failure)

    # ---- the end of a keeper ----

    def _leave_the_unit(self, reason: ExitReason) -> None:
        """Write down what there is and let go of it; nothing is decided any more."""
        self._hands.detach()
        self.condition = take_stock(self.condition, self._news, self._now())
        self._news.clear()
        self.note()
        if isinstance(reason, Crashed):
            status = evolve(
                status_of(self.condition),
                state=State.UNKNOWN,
                ready=False,
                reason=f"its keeper failed ({reason.error}) and is being replaced; what runs of it runs on",
            )
            self._services.roster.show(evolve(self.view, status=status))

    async def _end_the_unit(self) -> None:
        """Stop the unit by the same machine, on a stage of its own, within the stop timeout and little more."""
        async with trio.open_nursery() as nursery:
            farewell: Farewell[UnitMessage] = Farewell(nursery)
            self._stage = farewell
            self._resume()
            farewell.spawn(self._heed_hurry)
            with trio.move_on_after(self.record.spec.stop_timeout + FAREWELL_SPARE):
                while not self.condition.at_rest:
                    self._receive(await farewell.receive())
            nursery.cancel_scope.cancel(reason="the farewell is over")
        self._hands.detach()

    def _resume(self) -> None:
        """Ask for the stop, and begin anew what the keeper's tasks and timers were at when they ended with it."""
        stage, condition = self._on_stage, self.condition
        for number in condition.clearing:
            stage.spawn(self._hands.clear, number)
        if condition.phase is Phase.ADOPTING and condition.identity is not None:
            stage.spawn(self._hands.adopt, condition.incarnation, condition.identity, self.record.spec)
        for alarm in condition.alarms:
            # How far the old timers had come is not known; a stop that began before gets its time once more at most.
            delay = self.record.spec.stop_timeout if alarm.timer is Timer.STOP else CLEAR_FIRST
            stage.start_timer(alarm.timer, delay, TimerFired(alarm.timer, alarm.token))
        # First of all, so that nothing that has happened meanwhile is answered by a restart.
        self._news.insert(0, StopAsked(now=self._services.departure.hurried.is_set(), lasting=False))
        stage.post(_NEWS)

    async def _heed_hurry(self) -> None:
        await self._services.departure.hurried.wait()
        self._report(StopAsked(now=True, lasting=False))


def view_of(record: UnitRecord, status: UnitStatus) -> UnitView:
    """Return what is shown of a unit."""
    return UnitView(
        kind=record.kind,
        name=record.name,
        workspace=record.workspace,
        labels=record.labels,
        revision=record.revision,
        created_at=record.created_at,
        spec=record.spec,
        status=status,
        source=record.source,
    )
