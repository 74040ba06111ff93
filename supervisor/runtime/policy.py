"""What a supervisor is told about its children: restart types, strategies, intensity and backoff. Pure data.

Names and truth tables are OTP's (``supervisor(3)``); the per-child counters are not: OTP counts per supervisor, and one
bad child then uses up the restarts of its neighbours.
"""

from __future__ import annotations

import math
from enum import StrEnum

from attrs import field, frozen
from attrs.validators import ge, instance_of


class RestartType(StrEnum):
    """When a child that has ended is started again."""

    PERMANENT = "permanent"
    """always"""
    TRANSIENT = "transient"
    """after a failure only"""
    TEMPORARY = "temporary"
    """never"""


class Strategy(StrEnum):
    """Which siblings are restarted together with a child that is restarted."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


class OnGiveUp(StrEnum):
    """What follows when a child has used up its restarts."""

    RETRY = "retry"
    """go on trying at the longest delay; the crash loop is visible"""
    FAIL = "fail"
    """leave the child down; the supervisor and the other children go on"""
    ESCALATE = "escalate"
    """the supervisor itself stops its children and fails to its own parent, as in OTP"""


class AutoShutdown(StrEnum):
    """Whether a supervisor ends by itself when its significant children have ended by themselves."""

    NEVER = "never"
    ANY_SIGNIFICANT = "any_significant"
    ALL_SIGNIFICANT = "all_significant"


def _finite(_instance: object, attribute: object, value: float) -> None:
    if not math.isfinite(value):
        raise ValueError(f"{getattr(attribute, 'name', 'value')} must be a finite number, got {value!r}")


@frozen(kw_only=True)
class Backoff:
    """How long to wait before the next start, in seconds.

    The first restart after a healthy run is immediate. From the second end in a row the delay is ``initial`` times
    ``factor`` for each further one, varied by up to ``jitter`` of itself, and only then capped at ``max``: capping last
    keeps the promise that ``max`` is never exceeded. A run that was up for ``reset_after`` forgets all earlier ends.
    """

    initial: float = field(default=0.5, validator=[_finite, ge(0)])
    factor: float = field(default=2.0, validator=[_finite, ge(1)])
    max: float = field(default=60.0, validator=[_finite, ge(0)])
    jitter: float = field(default=0.2, validator=[_finite, ge(0)])
    reset_after: float = field(default=60.0, validator=[_finite, ge(0)])


NO_BACKOFF = Backoff(initial=0.0, max=0.0, jitter=0.0, reset_after=5.0)
"""Restart at once, every time: for the parts of a daemon, where intensity and escalation are the brake."""


@frozen(kw_only=True)
class RestartPolicy:
    """Everything that decides whether and when a child that ended starts again.

    More than ``max_restarts`` restarts within ``period`` seconds, or that many ends in a row without a run of
    ``backoff.reset_after``, is a crash loop, and ``on_give_up`` says what follows. The second rule is needed because
    growing delays can keep the window from ever filling.
    """

    restart: RestartType = field(default=RestartType.PERMANENT, validator=instance_of(RestartType))
    backoff: Backoff = field(factory=Backoff)
    max_restarts: int = field(default=10, validator=ge(0))
    period: float = field(default=60.0, validator=[_finite, ge(0)])
    on_give_up: OnGiveUp = field(default=OnGiveUp.RETRY, validator=instance_of(OnGiveUp))


INFRASTRUCTURE = RestartPolicy(backoff=NO_BACKOFF, max_restarts=3, period=5.0, on_give_up=OnGiveUp.ESCALATE)
"""The default for the parts of a daemon: three immediate restarts in five seconds, then escalate (Elixir's default)."""
