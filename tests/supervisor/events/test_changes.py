"""What is told of a change, and that a copy which follows what is told is exact."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from supervisor.convert import definition_document
from supervisor.events.changes import cause_of, happenings
from supervisor.events.codec import entry_of
from supervisor.events.model import Cause
from supervisor.units import events as e
from supervisor.units.roster import Change, Roster
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Desired, EndReason, Health, Kind, LastExit, State, UnitStatus, UnitView

NOON = datetime(2030, 1, 2, 12, tzinfo=UTC)
ENDED = LastExit(reason=EndReason.CRASHED, at=NOON, signal="KILL", incarnation=1)
MakeView = Callable[..., UnitView]


def types(change: Change) -> list[str]:
    return [happening.what.type for happening in happenings(change)]


def test_a_unit_that_was_just_defined_is_told_apart_from_one_of_an_earlier_daemon(view: MakeView) -> None:
    assert types(Change(None, view(), new=True)) == ["unit.defined"]
    assert types(Change(None, view())) == ["unit.recalled"]


def test_a_line_that_is_written_again_as_it_was_is_no_event(view: MakeView) -> None:
    assert types(Change(view(), view())) == []


def test_a_new_definition_tells_the_whole_unit_and_nothing_beside(view: MakeView) -> None:
    after = view(revision=2, status=UnitStatus(state=State.STOPPING))

    assert types(Change(view(), after)) == ["unit.redefined"]


def test_an_end_is_told_before_the_state_that_follows_from_it(view: MakeView) -> None:
    before = view(status=UnitStatus(state=State.RUNNING, incarnation=1))
    after = view(status=UnitStatus(state=State.BACKOFF, incarnation=1, exit=ENDED))

    assert types(Change(before, after)) == ["unit.exited", "unit.state"]


def test_an_adoption_and_a_judgement_are_told_by_their_own_names(view: MakeView) -> None:
    before = view(status=UnitStatus(state=State.STARTING))
    up = view(status=UnitStatus(state=State.RUNNING, pid=5, incarnation=1))
    ending = view(status=UnitStatus(state=State.STOPPING, pid=5, incarnation=1))

    assert types(Change(before, up, e.Adopted(1))) == ["unit.adopted", "unit.state"]
    assert types(Change(up, ending, e.Condemned(1, EndReason.LIMIT, "too long"))) == ["unit.condemned", "unit.state"]


def test_a_probe_is_told_where_the_state_stays(view: MakeView) -> None:
    before = view(status=UnitStatus(state=State.RUNNING))

    assert types(Change(before, view(status=UnitStatus(state=State.RUNNING, ready=True)))) == ["unit.probe"]
    assert types(Change(before, view(status=UnitStatus(state=State.RUNNING, says="hello")))) == ["unit.status"]


def test_who_stopped_it_is_told() -> None:
    assert cause_of(e.StopAsked()) is Cause.STOP_ASKED
    assert cause_of(e.StopAsked(lasting=False)) is Cause.DAEMON_STOPPING
    assert cause_of(None) is Cause.KEEPER


def test_every_event_of_the_machine_has_a_cause_of_its_own_kind() -> None:
    classes = {cls for cls in vars(e).values() if isinstance(cls, type) and cls.__module__ == e.__name__}
    unnamed = {e.Timer, e.Recorded, e.StopAsked}

    from supervisor.events.changes import _CAUSES

    assert classes - unnamed == set(_CAUSES)


def test_values_of_the_environment_are_in_no_event(view: MakeView) -> None:
    for happening in happenings(Change(None, view())):
        assert "secret" not in entry_of(1, NOON, happening).text


statuses = st.builds(
    UnitStatus,
    state=st.sampled_from(State),
    desired=st.sampled_from(Desired),
    ready=st.booleans(),
    health=st.sampled_from(Health),
    pid=st.none() | st.integers(1, 9),
    incarnation=st.integers(0, 3),
    exit=st.none() | st.just(ENDED) | st.just(evolve(ENDED, incarnation=2)),
    says=st.sampled_from(["", "é\n"]),
)
causes = st.sampled_from([None, e.Adopted(1), e.Condemned(1, EndReason.STALLED, "silent"), e.StopAsked()])
names = st.sampled_from(["a", "b", "c"])
shows = st.tuples(names, st.integers(1, 2), statuses, causes)
moves = st.lists(shows | names, max_size=30)


def apply(copy: dict[str, Any], event: dict[str, Any]) -> None:
    """Do what the reference says."""
    if "unit" in event:
        copy[event["name"]] = event["unit"]
    elif "status" in event:
        copy[event["name"]]["status"] = event["status"]
    elif event["type"] == "unit.forgotten":
        del copy[event["name"]]


@given(before=moves, after=moves)
def test_a_snapshot_and_the_feed_behind_it_are_an_exact_copy(before: list[Any], after: list[Any]) -> None:
    roster, told = Roster(Kind.AGENT), list[Change]()
    roster.follow(told.append)

    def make(move: Any) -> None:
        if isinstance(move, str):
            roster.remove(move)
            return
        name, revision, status, cause = move
        spec = AgentSpec(command=("run", str(revision)))
        line = UnitView(
            kind=Kind.AGENT, name=name, workspace=None, labels={}, revision=revision, created_at=NOON,
            spec=spec, status=status,
        )  # fmt: skip
        roster.show(line, cause)

    def shown() -> dict[str, Any]:
        return {view.name: definition_document(view, reveal=()) for view in roster.views()}

    for move in before:
        make(move)
    copy = shown()
    told.clear()
    for move in after:
        make(move)
        for change in told:
            for happening in happenings(change):
                apply(copy, json.loads(entry_of(1, NOON, happening).text))
        told.clear()

        assert copy == shown()
