"""The roster keeps its counts and never recounts them."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from supervisor.units.roster import MOST_NAMED, Roster, is_unhealthy
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Desired, Health, Kind, State, UnitStatus, UnitView
from tests.supervisor.units.player import MORNING

SPEC = AgentSpec(command=("program",))


def view(name: str, **status: object) -> UnitView:
    return UnitView(
        kind=Kind.AGENT,
        name=name,
        workspace=None,
        labels={},
        revision=1,
        created_at=MORNING,
        spec=SPEC,
        status=UnitStatus(**status),  # type: ignore[arg-type]
    )


VIEWS = st.builds(
    view,
    st.sampled_from([f"unit{number}" for number in range(8)]),
    state=st.sampled_from(State),
    desired=st.sampled_from(Desired),
    health=st.sampled_from(Health),
    crash_loop=st.booleans(),
)


@given(st.lists(VIEWS | st.sampled_from([f"unit{number}" for number in range(8)]), max_size=40))
def test_its_counts_are_what_counting_would_find(changes: list[UnitView | str]) -> None:
    roster = Roster(Kind.AGENT)
    model: dict[str, UnitView] = {}
    for change in changes:
        if isinstance(change, str):
            roster.remove(change)
            model.pop(change, None)
        else:
            roster.show(change)
            model[change.name] = change

        counts = roster.counts()
        unhealthy = sorted(name for name, found in model.items() if is_unhealthy(found))
        assert counts.total == len(roster) == len(model)
        assert counts.by_state == Counter(found.status.state.value for found in model.values())
        assert counts.by_health == Counter(found.status.health.value for found in model.values())
        assert counts.crash_loops == sum(found.status.crash_loop for found in model.values())
        assert (counts.unhealthy, counts.unhealthy_total) == (tuple(unhealthy), len(unhealthy))
        assert roster.views() == tuple(model[name] for name in sorted(model))


def test_what_has_not_changed_is_the_same_object() -> None:
    roster = Roster(Kind.AGENT)
    roster.show(view("web"))

    assert roster.views() is roster.views()
    assert roster.counts() is roster.counts()


def test_only_so_many_are_named() -> None:
    roster = Roster(Kind.AGENT)
    for number in range(50):
        roster.show(view(f"unit{number:02}", state=State.FATAL, desired=Desired.RUNNING))

    counts = roster.counts()

    assert counts.unhealthy == tuple(f"unit{number:02}" for number in range(MOST_NAMED))
    assert counts.unhealthy_total == 50


def test_what_is_not_wanted_is_not_unwell() -> None:
    assert not is_unhealthy(view("web", state=State.FATAL, desired=Desired.STOPPED))
    assert is_unhealthy(view("web", state=State.RUNNING, desired=Desired.RUNNING, health=Health.UNHEALTHY))
    assert is_unhealthy(view("web", state=State.RUNNING, desired=Desired.RUNNING, crash_loop=True))


def test_a_name_that_differs_only_by_case_is_found() -> None:
    roster = Roster(Kind.AGENT)
    roster.show(view("Web"))

    assert roster.same_but_for_case("wEB") == "Web"
    roster.remove("Web")
    assert roster.same_but_for_case("web") is None
    assert "Web" not in roster
