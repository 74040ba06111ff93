"""When a wait for a unit is over, and with which exit code. Pure.

    goal       over when                                          exit code
    ready      it is ready                                        0
    healthy    it is ready, and its liveness probe, if it has     0
               one, passes
    running    its state is RUNNING                               0
    stopped    nothing of it runs and no next try is due          that of the program's last end
    exited     the incarnation that was there first has ended     that of the program's end, restarted or not

A unit that has FAILED for good (FATAL) will reach none of the first three: that ends the wait with 1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, NamedTuple

if TYPE_CHECKING:
    from hoody.client.types import LastExit, Unit

Goal = Literal["ready", "healthy", "running", "stopped", "exited"]
GOALS: Final = ("ready", "healthy", "running", "stopped", "exited")
_AT_REST: Final = frozenset({"STOPPED", "EXITED", "FATAL"})
_ALIVE: Final = frozenset({"STARTING", "RUNNING", "STOPPING"})
_FAILED: Final = 1


class Verdict(NamedTuple):
    """How a wait ended: the exit code, and what to say of it."""

    code: int
    words: str


def verdict(goal: Goal, unit: Unit, first_incarnation: int) -> Verdict | None:
    """Return how the wait for ``goal`` ends with ``unit`` as it is now; None while it goes on."""
    status = unit["status"]
    state = status["state"]
    if goal in {"ready", "healthy", "running"}:
        if _is_there(goal, unit):
            return Verdict(0, state if goal == "running" else goal)
        return Verdict(_FAILED, f"FATAL: {status['reason']}".rstrip(": ")) if state == "FATAL" else None
    over = state in _AT_REST
    if goal == "exited":
        over = over or state not in _ALIVE or status["incarnation"] != first_incarnation
    return Verdict(exit_code(status["exit"]), state) if over else None


def _is_there(goal: Goal, unit: Unit) -> bool:
    status = unit["status"]
    if goal == "running":
        return status["state"] == "RUNNING"
    well = goal == "ready" or status["health"] in {"healthy", "none"}
    return status["ready"] and well


def exit_code(last: LastExit | None) -> int:
    """Return the code that a shell would give for this end: 128 and the signal's number where one ended it."""
    if last is None:
        return 0
    if last["code"] is not None:
        return last["code"]
    if last["signal"] is None:
        return _FAILED
    import signal

    number = getattr(signal, f"SIG{last['signal']}", None)
    return 128 + int(number) if number is not None else _FAILED
