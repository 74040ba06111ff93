"""The incarnations of a unit, folded from its events."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import pairwise

from attrs import evolve

from supervisor.events.changes import happenings
from supervisor.events.codec import entry_of
from supervisor.events.history import history_of
from supervisor.store.entry import Entry
from supervisor.units import events as e
from supervisor.units.roster import Change
from supervisor.units.status import EndReason, LastExit, State, UnitStatus, UnitView

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
ENDED = LastExit(reason=EndReason.CRASHED, at=NOON, signal="KILL", incarnation=1, detail="killed by KILL")
MakeView = Callable[..., UnitView]


def entries(changes: Iterable[Change]) -> list[Entry]:
    found = [happening for change in changes for happening in happenings(change)]
    return [entry_of(number, NOON, happening) for number, happening in enumerate(found, start=1)]


def a_life(view: MakeView) -> list[Change]:
    """A unit that is defined, runs, is killed, comes back, and is taken over by the next daemon."""
    first = UnitStatus(state=State.RUNNING, pid=10, incarnation=1, started_at=NOON)
    down = UnitStatus(state=State.STARTING, incarnation=1, exit=ENDED)
    second = UnitStatus(state=State.RUNNING, pid=11, incarnation=2, started_at=NOON, exit=ENDED)
    lost = evolve(second, state=State.STARTING, pid=None, started_at=None)
    views = [view(status=status) for status in (UnitStatus(), first, down, second)]
    changes = [Change(None, views[0], new=True)]
    changes += [Change(before, after) for before, after in pairwise(views)]
    return [*changes, Change(None, view(status=lost)), Change(view(status=lost), views[-1], e.Adopted(2))]


def test_every_incarnation_is_listed_newest_first_with_its_end(view: MakeView) -> None:
    history = history_of(entries(a_life(view)), limit=5)

    assert [(run.incarnation, run.pid, run.adopted) for run in history.runs] == [(2, 11, 1), (1, 10, 0)]
    assert history.runs[0].exit is None
    assert history.runs[1].exit is not None
    assert history.runs[1].exit["signal"] == "KILL"
    assert history.runs[1].ended_at == "2030-01-02T12:00:00Z"
    assert history.steps[0].number == len(history.steps)


def test_no_more_incarnations_are_listed_than_are_asked_for(view: MakeView) -> None:
    assert [run.incarnation for run in history_of(entries(a_life(view)), limit=1).runs] == [2]


def test_the_past_of_a_forgotten_unit_of_that_name_is_not_that_of_the_new_one(view: MakeView) -> None:
    changes = [*a_life(view), Change(view(), None), Change(None, view(), new=True)]
    history = history_of(entries(changes), limit=5)

    assert history.runs == ()
    assert [step.type for step in history.steps] == ["unit.defined"]
