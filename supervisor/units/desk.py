"""Takes the wishes for one unit, has them written down, and carries them out in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol, assert_never

from supervisor.errors import Conflict, HoodyError, InvalidTransition, NotFound, SignalFailed
from supervisor.store.messages import Progress, UnitRecord
from supervisor.units.condition import Condition, Phase
from supervisor.units.events import (
    DefinitionChanged,
    Event,
    PauseAsked,
    RestartAsked,
    ResumeAsked,
    SignalAsked,
    StartAsked,
    StopAsked,
)
from supervisor.units.messages import PauseUnit, ReplaceUnit, RestartUnit, ResumeUnit, SignalUnit, StartUnit, StopUnit
from supervisor.units.quantities import signal_number
from supervisor.units.spec import UnitSpec
from supervisor.units.status import UnitView
from supervisor.units.turn import Ending
from supervisor.units.waiters import Waiters
from supervisor.units.wishes import RetireUnit, Wish, Writing, writing_for


class Keeper(Protocol):
    """What the desk needs of the keeper that it belongs to."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def condition(self) -> Condition:
        """How the unit is."""

    @property
    def record(self) -> UnitRecord:
        """The unit's definition."""

    @property
    def view(self) -> UnitView:
        """What is shown of it."""

    @property
    def waiters(self) -> Waiters:
        """Those who wait for it."""

    def happen(self, event: Event) -> None:
        """Let the machine take a step. Raises what the machine raises, and ``SignalFailed`` for an asked signal."""

    def note(self, progress: Progress | None = None) -> None:
        """Tell the store how far the unit is, or how far it is to be taken to be."""

    def write(self, writing: Writing, then: Callable[[HoodyError | None], None]) -> None:
        """Have something written, and call ``then`` with the error, or None once it is on disk."""

    def relate(self, spec: UnitSpec | None = None) -> None:
        """Let the unit depend on what ``spec`` says, or its own definition. Raises ``InvalidInput`` for the former."""

    def end_in_turn(self, event: Ending) -> None:
        """Let an event happen that ends what runs: once those are gone that have to go first."""

    @property
    def waits_for_its_turn(self) -> bool:
        """Whether the unit is to be ended, and others have to go first."""

    def vanish(self) -> None:
        """Have itself removed: its unit is gone from disk."""

    def redefine(self, record: UnitRecord) -> None:
        """Take up a new record."""


class Desk:
    """One wish at a time: the next one is looked at when the last one is on disk and being carried out."""

    __slots__ = ("_deleted", "_keeper", "_retiring", "_waiting", "_writing")

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._waiting: deque[Wish] | None = None
        self._writing = False
        self._retiring: RetireUnit | None = None
        self._deleted = False

    @property
    def deleted(self) -> bool:
        """Whether the unit is gone from disk."""
        return self._deleted

    def close(self) -> None:
        """Take note that there is no such unit any more."""
        self._deleted = True

    def take(self, wish: Wish) -> None:
        """Take a wish in."""
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(wish)
        self._go_on()

    def look_up(self) -> None:
        """Go on with a deletion that waited for the unit to come to rest. To be called after every step."""
        wish = self._retiring
        if wish is not None and not self._writing and self._keeper.condition.at_rest:
            self._retiring = None
            self._begin(wish)

    def _go_on(self) -> None:
        while self._waiting and not self._writing:
            self._begin(self._waiting.popleft())
        if not self._waiting:
            self._waiting = None

    def _begin(self, wish: Wish) -> None:
        keeper = self._keeper
        if self._deleted:
            wish.reply_to.fail(NotFound(f"{keeper.name!r} has been deleted"))
            return
        if self._retiring is not None:
            wish.reply_to.fail(Conflict(f"{keeper.name!r} is being deleted"))
            return
        try:
            if isinstance(wish, ReplaceUnit):
                # Before anything is written, so that of two changes that make a circle together one is refused.
                keeper.relate(wish.definition.spec)
            writing = writing_for(wish, keeper.record, keeper.condition)
        except HoodyError as error:
            if isinstance(wish, ReplaceUnit):
                keeper.relate()
            wish.reply_to.fail(error)
            return
        if writing is None:
            if isinstance(wish, ReplaceUnit) and wish.together is not None:
                wish.together.pass_over(keeper.name)
            self._carry_out(wish)
            return
        if writing.first is not None:
            keeper.note(writing.first)
        self._writing = True
        keeper.write(writing, lambda error: self._written(wish, writing, error))

    def _written(self, wish: Wish, writing: Writing, error: HoodyError | None) -> None:
        self._writing = False
        if error is None:
            self._carry_out(wish, writing)
        else:
            if writing.first is not None:
                self._keeper.note()
            if isinstance(wish, ReplaceUnit):
                self._keeper.relate()
            wish.reply_to.fail(error)
        self._go_on()

    def _carry_out(self, wish: Wish, writing: Writing | None = None) -> None:
        keeper = self._keeper
        before = keeper.record
        if writing is not None:
            keeper.redefine(writing.record)
        match wish:
            case StartUnit():
                keeper.end_in_turn(StartAsked())
                self._answer_starter(wish)
            case RestartUnit():
                keeper.end_in_turn(RestartAsked())
                self._answer_starter(wish)
            case StopUnit(now=now):
                keeper.end_in_turn(StopAsked(now=now))
                if wish.wait and not keeper.condition.at_rest:
                    keeper.waiters.until_down(wish.reply_to)
                else:
                    wish.reply_to.send(keeper.view)
            case SignalUnit():
                self._pass_on(wish, SignalAsked(signal_number(wish.signal), wish.whole_group))
            case PauseUnit():
                self._pass_on(wish, PauseAsked())
            case ResumeUnit():
                self._pass_on(wish, ResumeAsked())
            case ReplaceUnit():
                keeper.end_in_turn(DefinitionChanged(respawn=before.spec.is_replaced_by(keeper.record.spec)))
                wish.reply_to.send(keeper.view)
            case RetireUnit():
                self._retire(wish, writing)
            case _:
                assert_never(wish)

    def _answer_starter(self, wish: StartUnit | RestartUnit) -> None:
        keeper = self._keeper
        waits_for_its_time = keeper.condition.at_rest and keeper.condition.next_run_at is not None
        if (
            wish.wait
            and not waits_for_its_time
            and (keeper.condition.phase is not Phase.RUNNING or keeper.waits_for_its_turn)
        ):
            self._keeper.waiters.until_up(wish.reply_to)
        else:
            wish.reply_to.send(self._keeper.view)

    def _pass_on(self, wish: SignalUnit | PauseUnit | ResumeUnit, event: Event) -> None:
        try:
            self._keeper.happen(event)
        except (InvalidTransition, SignalFailed) as error:
            wish.reply_to.fail(error)
        else:
            wish.reply_to.send(self._keeper.view)

    def _retire(self, wish: RetireUnit, writing: Writing | None) -> None:
        """Go on with a deletion: stop what runs, or be done with it."""
        if writing is not None and writing.forgets:
            self._deleted = True
            if not wish.reply_to.send(None):
                # The directory that has asked is gone, and the next one knows nothing of this.
                self._keeper.vanish()
            return
        self._keeper.end_in_turn(StopAsked())
        self._retiring = wish
        self.look_up()
