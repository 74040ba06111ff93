"""The plan for groups: a second one is empty, an export changes nothing, and only what was declared there goes."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from supervisor.declared import Action, declaration_document, plan_groups, read_declaration
from supervisor.groups.spec import GroupDefinition, GroupSpec
from supervisor.groups.stored import group_from_text, group_text
from supervisor.runtime import OnGiveUp, Strategy
from supervisor.units.quantities import Duration

OWNERS = st.sampled_from([None, "here", "elsewhere"])
SPECS = st.builds(
    GroupSpec,
    members=st.lists(st.sampled_from(("web", "api", "groups/inner")), min_size=1, unique=True).map(tuple),
    strategy=st.sampled_from(Strategy),
    max_restarts=st.integers(0, 20),
    period=st.integers(1, 100_000).map(lambda number: Duration(number / 1000)),
    on_give_up=st.sampled_from(OnGiveUp),
)
GROUPS = st.dictionaries(st.sampled_from(("a", "b", "c")), st.tuples(SPECS, OWNERS)).map(
    lambda found: {
        name: GroupDefinition(name=name, spec=spec, source=source) for name, (spec, source) in sorted(found.items())
    }
)
Known = dict[str, GroupDefinition]


@given(before=GROUPS, wanted=GROUPS, prune=st.booleans())
def test_a_second_plan_for_the_same_groups_is_empty(before: Known, wanted: Known, prune: bool) -> None:
    plan = plan_groups(before, wanted.values(), source="here", prune=prune)
    after = {name: each for name, each in before.items() if name not in plan.removed}
    after |= {each.name: each for each in plan.definitions}

    assert plan_groups(after, wanted.values(), source="here", prune=prune).empty
    assert {name: after[name] for name in wanted} == {
        name: evolve(each, source="here") for name, each in wanted.items()
    }


@given(groups=GROUPS)
def test_exported_groups_are_a_document_that_changes_nothing(groups: Known) -> None:
    current = {name: evolve(each, source="here") for name, each in groups.items()}
    read = read_declaration(declaration_document([], current.values())).groups

    assert plan_groups(current, read, source="here", prune=True).empty


@given(before=GROUPS, wanted=GROUPS)
def test_only_groups_that_were_declared_there_are_removed_and_only_when_asked(before: Known, wanted: Known) -> None:
    pruned = plan_groups(before, wanted.values(), source="here", prune=True)
    kept = plan_groups(before, wanted.values(), source="here", prune=False)
    unwanted = {name for name, each in before.items() if each.source == "here"} - set(wanted)

    assert set(pruned.removed) == unwanted
    assert (kept.removed, set(kept.left)) == ((), unwanted)


def test_a_group_becomes_the_sources_that_declares_it() -> None:
    there = GroupDefinition(name="a", spec=GroupSpec(members=("web",)))
    plan = plan_groups({"a": there}, [there], source="here", prune=False)

    (change,) = plan.changes
    assert (change.action, [key.key for key in change.keys]) == (Action.REPLACE, ["source"])


@given(groups=GROUPS)
def test_what_is_stored_of_a_group_is_read_again(groups: Known) -> None:
    assert {name: group_from_text(name, group_text(each)) for name, each in groups.items()} == groups
