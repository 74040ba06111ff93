"""What a group makes of the views of its members. Pure."""

from __future__ import annotations

from typing import Final

from supervisor.runtime import OnGiveUp
from supervisor.units.status import Desired, EndReason, LastExit, State, UnitView

_PLANNED: Final = frozenset({EndReason.STOPPED, EndReason.RESTARTED, EndReason.KILLED})
_AT_REST: Final = frozenset({State.STOPPED, State.EXITED, State.FATAL})


def waits_at_gate(view: UnitView, gate: str) -> bool:
    """Tell whether the unit wants to start and waits for its group."""
    return view.status.state is State.STARTING and gate in view.status.waiting_for


def is_down(view: UnitView | None) -> bool:
    """Tell whether nothing of the unit runs or is being started."""
    if view is None or view.status.state in _AT_REST or view.status.state is State.BACKOFF:
        return True
    return view.status.state is State.STARTING and bool(view.status.waiting_for)


def is_settled(view: UnitView | None) -> bool:
    """Tell whether whoever waits for the unit to be up has no reason to wait any longer."""
    if view is None or view.status.state is State.RUNNING:
        return True
    return view.status.state in _AT_REST


def is_off(view: UnitView | None) -> bool:
    """Tell whether the unit is not to run."""
    return view is None or view.status.desired is Desired.STOPPED or view.status.state is State.EXITED


def has_failed(view: UnitView, before: LastExit | None) -> bool:
    """Tell whether the unit has ended since ``before`` in a way that it is started again after."""
    last, status = view.status.exit, view.status
    if last is None or (before is not None and (before.incarnation, before.at) == (last.incarnation, last.at)):
        return False
    again = status.state in {State.STARTING, State.BACKOFF} and status.desired is Desired.RUNNING
    return again and last.reason not in _PLANNED


def escalates(view: UnitView) -> bool:
    """Tell whether the unit has given up and says that this concerns its group."""
    return view.status.state is State.FATAL and view.spec.on_give_up is OnGiveUp.ESCALATE
