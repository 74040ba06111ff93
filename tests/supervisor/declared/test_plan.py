"""The plan: what is done, why, and that a second one is empty."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from supervisor.declared import Action, KeyChange, Plan, declaration_document, make_plan, read_declaration
from supervisor.errors import InvalidInput
from supervisor.units.spec import AgentDefinition, AgentSpec
from supervisor.units.status import UnitView
from tests.supervisor.declared.conftest import several, view_of


def carried_out(plan: Plan, current: Iterable[UnitView], source: str) -> list[UnitView]:
    """Return what is there once the plan is."""
    gone = {change.name for change in plan.changes if change.action is not Action.UNCHANGED}
    made = [
        view_of(plan.definition(change.name), source)
        for change in plan.changes
        if change.action in {Action.CREATE, Action.REPLACE}
    ]
    return [*(view for view in current if view.name not in gone), *made]


@given(before=several(), wanted=several(), owner=st.sampled_from([None, "here", "elsewhere"]), prune=st.booleans())
def test_a_second_plan_for_the_same_document_is_empty(
    before: tuple[AgentDefinition, ...], wanted: tuple[AgentDefinition, ...], owner: str | None, prune: bool
) -> None:
    current = [view_of(each, owner) for each in before]
    plan = make_plan(current, wanted, source="here", prune=prune)
    after = carried_out(plan, current, "here")

    assert make_plan(after, wanted, source="here", prune=prune).empty


@given(wanted=several(), hidden=st.booleans())
def test_what_is_exported_is_a_document_that_changes_nothing(wanted: tuple[AgentDefinition, ...], hidden: bool) -> None:
    current = [view_of(each, "here") for each in wanted]
    document = declaration_document(current, reveal=() if hidden else None)

    assert make_plan(current, read_declaration(document).agents, source="here", prune=True).empty


@given(before=several(), wanted=several(), owner=st.sampled_from([None, "here", "elsewhere"]))
def test_only_what_was_declared_from_there_is_removed_and_only_when_asked(
    before: tuple[AgentDefinition, ...], wanted: tuple[AgentDefinition, ...], owner: str | None
) -> None:
    current = [view_of(each, owner) for each in before]
    removed = {each.name for each in make_plan(current, wanted, source="here", prune=True).named(Action.DELETE)}
    unwanted = {each.name for each in before} - {each.name for each in wanted}

    assert removed == (unwanted if owner == "here" else set())
    kept = make_plan(current, wanted, source="here", prune=False)
    assert not kept.named(Action.DELETE)
    assert set(kept.left) == removed


def test_what_differs_is_told_key_by_key(web: AgentDefinition) -> None:
    spec = evolve(web.spec, command=("web", "-v"), backoff=evolve(web.spec.backoff, factor=3.0))
    wanted = evolve(web, spec=spec, labels={"team": "docs"})
    (change,) = make_plan([view_of(web, "here", running=True)], [wanted], source="here", prune=False).changes

    assert (change.action, change.restart) == (Action.REPLACE, True)
    assert change.keys == (
        KeyChange(key="backoff.factor", before=2.0, after=3.0),
        KeyChange(key="command", before=["web"], after=["web", "-v"]),
        KeyChange(key="labels.team", before=None, after="docs"),
    )


def test_values_of_the_environment_are_not_told(web: AgentDefinition) -> None:
    wanted = evolve(web, spec=evolve(web.spec, environment={"KEY": "hunter2", "NEW": "hunter3"}))
    (change,) = make_plan([view_of(web, "here")], [wanted], source="here", prune=False).changes

    assert change.keys == (
        KeyChange(key="environment.KEY", before="***", after="***"),
        KeyChange(key="environment.NEW", before=None, after="***"),
    )


@pytest.mark.parametrize("running", [True, False])
def test_labels_restart_nothing_and_what_rests_is_not_restarted(web: AgentDefinition, running: bool) -> None:
    view = view_of(web, "here", running=running)
    (labelled,) = make_plan([view], [evolve(web, labels={"a": "b"})], source="here", prune=False).changes
    (other,) = make_plan([view], [evolve(web, spec=AgentSpec(command="x"))], source="here", prune=False).changes

    assert (labelled.restart, other.restart) == (False, running)


def test_what_somebody_else_made_is_taken_over_without_a_restart(web: AgentDefinition) -> None:
    (change,) = make_plan([view_of(web, None, running=True)], [web], source="here", prune=False).changes

    assert (change.action, change.restart) == (Action.REPLACE, False)
    assert change.keys == (KeyChange(key="source", before=None, after="here"),)


def test_a_hidden_value_that_is_not_there_is_a_fault_with_its_place(web: AgentDefinition) -> None:
    wanted = evolve(web, spec=evolve(web.spec, environment={"OTHER": "***"}))

    with pytest.raises(InvalidInput) as caught:
        make_plan([view_of(web, "here")], [wanted], source="here", prune=False)

    assert caught.value.problems[0].path == "agents.web.environment.OTHER"
