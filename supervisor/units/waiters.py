"""Those who asked for something and wait until it has come about."""

from __future__ import annotations

from attrs import frozen

from supervisor.errors import HoodyError, InvalidTransition, SpawnFailed
from supervisor.runtime import Reply
from supervisor.units.effects import Outcome, Tell
from supervisor.units.status import State, UnitView


@frozen
class _Waiter:
    reply: Reply[UnitView]
    up: bool
    """Whether it waits for the unit to be up, or for nothing of it to be left."""


class Waiters:
    """Answers each of them once. Costs nothing while nobody waits."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: tuple[_Waiter, ...] = ()

    def until_up(self, reply: Reply[UnitView]) -> None:
        """Answer ``reply`` once the unit is up or has failed to get there."""
        self._add(_Waiter(reply, up=True))

    def until_down(self, reply: Reply[UnitView]) -> None:
        """Answer ``reply`` once nothing of the unit is left."""
        self._add(_Waiter(reply, up=False))

    def tell(self, tell: Tell, view: UnitView) -> None:
        """Answer those for whom this is the answer; ``view`` is how the unit is now."""
        if not self._waiting:
            return
        for waiter in self._waiting:
            if waiter.up:
                _tell_starter(waiter.reply, tell, view)
            elif tell.outcome is Outcome.DOWN:
                waiter.reply.send(view)
        self._drop_answered()

    def fail(self, error: HoodyError) -> None:
        """Tell all of them that it will not come about."""
        for waiter in self._waiting:
            waiter.reply.fail(error)
        self._waiting = ()

    def _add(self, waiter: _Waiter) -> None:
        self._drop_answered()
        self._waiting = (*self._waiting, waiter)

    def _drop_answered(self) -> None:
        self._waiting = tuple(waiter for waiter in self._waiting if not waiter.reply.answered)


def _tell_starter(reply: Reply[UnitView], tell: Tell, view: UnitView) -> None:
    match tell.outcome:
        case Outcome.UP:
            reply.send(view)
        case Outcome.NOT_STARTED:
            reply.fail(SpawnFailed(f"{view.name!r} could not be started: {tell.detail}"))
        case Outcome.ENDED_EARLY:
            hint = f"its last words: hoody logs {view.name}"
            reply.fail(InvalidTransition(f"{view.name!r} did not stay up: {tell.detail}", hint=hint))
        case Outcome.DOWN if view.status.state is State.EXITED:
            # A job that is done was started, and did what it was to do.
            reply.send(view)
        case Outcome.DOWN if view.status.next_run_at is not None and view.status.state is State.STOPPED:
            # It was started in that it runs by its schedule from now on.
            reply.send(view)
        case Outcome.DOWN if view.status.state is not State.STARTING:
            reply.fail(InvalidTransition(f"{view.name!r} is not up: {view.status.reason}"))
        case Outcome.DOWN:
            # What ran before is gone; what was asked for is being started.
            pass
