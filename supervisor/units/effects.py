"""What the machine of a unit wants done: its outputs, carried out by the shell in the order given. Frozen data.

That the unit's view has changed is no effect: the shell shows the status after every step.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from attrs import frozen

from supervisor.units.driver import Identity
from supervisor.units.events import Timer


class Outcome(StrEnum):
    """What those who wait for a unit are told."""

    UP = "up"
    """it is RUNNING"""
    NOT_STARTED = "not_started"
    """the start has failed: there was never a process"""
    ENDED_EARLY = "ended_early"
    """it ended before it counted as RUNNING, and that was not wanted"""
    DOWN = "down"
    """nothing of it is left"""


@frozen
class Spawn:
    """Start an incarnation. Answered by ``Spawned`` or ``SpawnFailed``."""

    incarnation: int


@frozen
class Adopt:
    """Look for the process on record. Answered by ``Adopted`` or ``AdoptionFailed``."""

    incarnation: int
    identity: Identity


@frozen
class SendSignal:
    """Send a signal. A refusal is told by ``SignalRefused``, or to whoever asked for the signal."""

    incarnation: int
    number: int
    whole_group: bool = True


@frozen
class Freeze:
    """Let nothing of it run, or let it run on. A refusal is told by ``FreezeRefused``."""

    incarnation: int
    frozen: bool


@frozen
class KillGroup:
    """Send KILL to the whole group at once; a refusal is of no interest, since ``Clear`` follows and verifies."""

    incarnation: int


@frozen
class Clear:
    """Kill everything that is left of an incarnation, and verify. Answered by ``Cleared``, within a deadline."""

    incarnation: int


@frozen
class ArmTimer:
    """Let ``TimerFired(timer, token)`` happen after ``delay`` seconds; replaces that timer."""

    timer: Timer
    token: int
    delay: float


@frozen
class CancelTimer:
    """Let it not happen."""

    timer: Timer


@frozen
class Note:
    """Tell the store how far the unit is."""


@frozen
class Tell:
    """Tell those who wait."""

    outcome: Outcome
    detail: str = ""


Effect: TypeAlias = Spawn | Adopt | SendSignal | Freeze | KillGroup | Clear | ArmTimer | CancelTimer | Note | Tell
