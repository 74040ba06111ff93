"""Whether a unit is what another one waits for, and if not, what is missing, in words. Pure."""

from __future__ import annotations

from typing import Final, assert_never

from supervisor.units.dependency import Until
from supervisor.units.status import EndReason, Health, State, UnitStatus, UnitView

_UP: Final = frozenset({State.STARTING, State.RUNNING})
_AT_REST: Final = frozenset({State.STOPPED, State.EXITED, State.FATAL})


def has_process(status: UnitStatus) -> bool:
    """Tell whether an incarnation lives that is not being ended."""
    return status.started_at is not None and status.state in _UP


def has_completed(status: UnitStatus) -> bool:
    """Tell whether the unit has come to a wanted end."""
    return status.state is State.EXITED and status.exit is not None and status.exit.reason is EndReason.EXITED


def is_met(until: Until, status: UnitStatus) -> bool:
    """Tell whether a unit is what another one waits for."""
    match until:
        case Until.STARTED:
            return has_process(status) or has_completed(status)
        case Until.READY:
            return status.state is State.RUNNING and status.ready
        case Until.HEALTHY:
            good = status.health in {Health.HEALTHY, Health.NONE}
            return status.state is State.RUNNING and status.ready and good
        case Until.COMPLETED:
            return has_completed(status)
        case _:
            assert_never(until)


def what_is_missing(said: str, until: Until, view: UnitView | None) -> str:
    """Say what is still waited for of the unit ``said``."""
    if view is None:
        return f"{said}, which does not exist"
    wanted = f"{said} to be {until.value}"
    status = view.status
    if until is Until.COMPLETED and status.state is State.EXITED:
        return f"{wanted}, but it has failed: start it again (hoody start {view.name})"
    if status.state in _AT_REST:
        return f"{wanted}, but it is {status.state}: start it (hoody start {view.name})"
    return f"{wanted} (it is {status.state})"
