"""Decide what follows when a child has ended. Pure: the clock and the dice are handed in.

This is the only place of the product that decides about restarts: supervisors use it for their children, and the
machine of a unit uses it for the unit's incarnations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from attrs import evolve, frozen

from supervisor.runtime.policy import Backoff, OnGiveUp, RestartPolicy, RestartType

Dice: TypeAlias = Callable[[], float]
"""Returns a number in [0, 1), as ``random.random`` does."""


@frozen
class History:
    """What is remembered of a child's earlier ends.

    ``in_a_row`` counts ends that led to a restart since the last run of ``reset_after``; ``recent`` holds the times of
    the restarts within the window, oldest first; ``crash_loop`` says that the policy's limit is exceeded.
    """

    in_a_row: int = 0
    recent: tuple[float, ...] = ()
    crash_loop: bool = False


FRESH: Final = History()


@frozen
class Again:
    """Start again after ``delay`` seconds (0.0: at once). ``crash_loop`` says that this is a slow retry."""

    delay: float
    crash_loop: bool = False


@frozen
class Finished:
    """The end was a wanted one; the child stays down."""


@frozen
class GaveUp:
    """The restarts are used up: the child fails, or with ``escalate`` its supervisor does."""

    escalate: bool
    restarts: int


Decision: TypeAlias = Again | Finished | GaveUp


def wants_restart(restart: RestartType, *, failed: bool) -> bool:
    """Tell whether a child of this restart type is started again (OTP's truth table)."""
    return restart is RestartType.PERMANENT or (restart is RestartType.TRANSIENT and failed)


def backoff_delay(backoff: Backoff, in_a_row: int, dice: Dice) -> float:
    """Return the delay before the start that follows the ``in_a_row``-th end in a row, in seconds."""
    if in_a_row <= 1:
        return 0.0
    try:
        base = backoff.initial * backoff.factor ** (in_a_row - 2)
    except OverflowError:
        base = backoff.max
    if backoff.jitter:
        base *= 1 + backoff.jitter * (2 * dice() - 1)
    return min(backoff.max, max(0.0, base))


def decide(
    policy: RestartPolicy, history: History, *, failed: bool, healthy_for: float, now: float, dice: Dice
) -> tuple[History, Decision]:
    """Decide what follows an end, and what to remember of it.

    ``failed`` says whether the end was an unwanted one, ``healthy_for`` for how many seconds the child had been up and
    healthy without a break, ``now`` is monotonic seconds. A ``now`` that goes backwards never frees the window.
    """
    if healthy_for >= policy.backoff.reset_after:
        history = FRESH
    if not wants_restart(policy.restart, failed=failed):
        return history, Finished()
    recent = (*(at for at in history.recent if now - at <= policy.period), now)
    in_a_row = history.in_a_row + 1
    if len(recent) <= policy.max_restarts and in_a_row <= policy.max_restarts:
        remembered = History(in_a_row, recent)
        return remembered, Again(backoff_delay(policy.backoff, in_a_row, dice))
    # The window needs no more entries than it takes to stay exceeded; a crash loop of months stays small.
    remembered = History(in_a_row, recent[-(policy.max_restarts + 1) :], crash_loop=True)
    if policy.on_give_up is OnGiveUp.RETRY:
        return remembered, Again(policy.backoff.max, crash_loop=True)
    return remembered, GaveUp(escalate=policy.on_give_up is OnGiveUp.ESCALATE, restarts=in_a_row)


def forget(history: History) -> History:
    """Return the history after somebody asked for a start by hand: a person's wish ends a crash loop."""
    return evolve(history, in_a_row=0, recent=(), crash_loop=False)
