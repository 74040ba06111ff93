"""What a wish needs on disk before it is carried out. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, assert_never

from attrs import evolve, frozen

from supervisor.errors import InvalidTransition, RevisionMismatch
from supervisor.runtime import Reply
from supervisor.store.messages import ForgetUnit, Progress, SaveDesired, SaveUnit, StoreRequest, UnitRecord
from supervisor.units.condition import Condition, Phase
from supervisor.units.memory import progress_of
from supervisor.units.messages import PauseUnit, ReplaceUnit, RestartUnit, ResumeUnit, SignalUnit, StartUnit, StopUnit
from supervisor.units.status import Desired, State
from supervisor.units.together import Together


@frozen(kw_only=True)
class RetireUnit:
    """Stop being: the directory asks the keeper of a unit that is deleted. Answers once nothing of it is left.

    Then nothing of it runs, the store has forgotten it, and the keeper waits for its end. Errors: ``RevisionMismatch``,
    ``InvalidTransition`` where it is not at rest and ``force`` is not given, ``StorageError``.
    """

    force: bool
    expected_revision: int | None
    reply_to: Reply[None]


Wish: TypeAlias = StartUnit | StopUnit | RestartUnit | SignalUnit | PauseUnit | ResumeUnit | ReplaceUnit | RetireUnit

_ENDED = frozenset({Phase.EXITED, Phase.FATAL})
_BY_THE_OLD_DEFINITION = frozenset({Phase.SPAWNING, Phase.SETTLING, Phase.RUNNING, Phase.ADOPTING})


@frozen(kw_only=True)
class Writing:
    """What has to be on disk: a request to the store, and the record as it is once that is done.

    ``first`` is noted before the request. The store keeps the order, so the note is on disk whenever the request is,
    and the two together say what the request alone cannot: that a unit at its end is to run again, or that what runs is
    to be replaced. If the request fails, the note is taken back.
    """

    request: Callable[[Reply[None]], StoreRequest]
    record: UnitRecord
    first: Progress | None = None
    together: Together | None = None
    """Where it is written with others, in place of the request."""
    forgets: bool = False
    """Whether the unit is gone from disk once this is done."""


def writing_for(wish: Wish, record: UnitRecord, condition: Condition) -> Writing | None:
    """Return what ``wish`` needs on disk; None where that is there already.

    Raises the wish's error where it must not be carried out.
    """
    check_revision(record, wish.expected_revision)
    match wish:
        case StartUnit() | RestartUnit():
            return _start(record, condition)
        case StopUnit():
            return _stop(record, condition)
        case SignalUnit() | PauseUnit() | ResumeUnit():
            return None
        case ReplaceUnit():
            return _replacement(wish, record, condition)
        case RetireUnit():
            return _deletion(wish, record, condition)
        case _:
            assert_never(wish)


def check_revision(record: UnitRecord, expected: int | None) -> None:
    """Raise ``RevisionMismatch`` unless the record is the one that somebody has seen."""
    if expected is not None and expected != record.revision:
        raise RevisionMismatch(
            f"{record.name!r} is at revision {record.revision}, not {expected}",
            hint="look at it again, then repeat the change",
        )


def _desire(desired: Desired, record: UnitRecord, first: Progress | None = None) -> Writing:
    return Writing(
        request=lambda reply: SaveDesired(kind=record.kind, name=record.name, desired=desired, reply_to=reply),
        record=evolve(record, desired=desired),
        first=first,
    )


def _replacement(wish: ReplaceUnit, record: UnitRecord, condition: Condition) -> Writing | None:
    given = wish.definition
    source = wish.source or record.source
    new = evolve(record, workspace=given.workspace, labels=given.labels, spec=given.spec, source=source)
    new = evolve(new, desired=condition.desired)
    if new == evolve(record, desired=condition.desired):
        return None
    new = evolve(new, revision=record.revision + 1)
    outdated = record.spec.is_replaced_by(given.spec) and condition.phase in _BY_THE_OLD_DEFINITION
    return Writing(
        request=lambda reply: SaveUnit(record=new, reply_to=reply),
        record=new,
        first=progress_of(evolve(condition, stale=True)) if outdated else None,
        together=wish.together,
    )


def _start(record: UnitRecord, condition: Condition) -> Writing | None:
    ended = condition.phase in _ENDED
    if condition.desired is Desired.RUNNING and not ended:
        return None
    first = evolve(progress_of(condition), state=State.RUNNING, reason="") if ended else None
    return _desire(Desired.RUNNING, record, first)


def _stop(record: UnitRecord, condition: Condition) -> Writing | None:
    return None if condition.desired is Desired.STOPPED else _desire(Desired.STOPPED, record)


def _deletion(wish: RetireUnit, record: UnitRecord, condition: Condition) -> Writing | None:
    if condition.at_rest and condition.next_run_at is not None:
        # So that it is not started while it is being forgotten.
        return _stop(record, condition)
    if condition.at_rest:
        return Writing(
            request=lambda reply: ForgetUnit(kind=record.kind, name=record.name, reply_to=reply),
            record=record,
            forgets=True,
        )
    if not wish.force:
        raise InvalidTransition(
            f"{record.name!r} is {condition.state}: only what is at rest is deleted",
            hint=f"stop it first (hoody stop {record.name}), or force the deletion",
        )
    return _stop(record, condition)
