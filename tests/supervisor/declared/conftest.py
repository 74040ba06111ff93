"""Definitions as hypothesis draws them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import strategies as st

from supervisor.runtime.policy import RestartType
from supervisor.units.quantities import Duration, SignalName
from supervisor.units.spec import AgentDefinition, AgentSpec, BackoffSpec
from supervisor.units.status import Desired, Kind, State, UnitStatus, UnitView

NAMES = ("api", "cache", "cron", "web", "worker-1")
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
VARIABLES = st.dictionaries(st.sampled_from(("HOME", "PORT", "odd key")), WORDS.filter(lambda text: text != "***"))


def specs() -> st.SearchStrategy[AgentSpec]:
    seconds = st.integers(0, 100_000).map(lambda number: Duration(number / 1000))
    return st.builds(
        AgentSpec,
        command=st.sampled_from(["sleep 1", ("sleep", "1"), ("sh", "-c", "exit 1")]),
        directory=st.none() | st.sampled_from(["/srv", "/tmp"]),
        environment=VARIABLES,
        environment_files=st.lists(st.just(".env"), max_size=1).map(tuple),
        restart=st.sampled_from(RestartType),
        success_exit_codes=st.lists(st.integers(0, 3), unique=True).map(tuple),
        backoff=st.builds(BackoffSpec, initial=seconds, max=seconds),
        stop_signal=st.sampled_from(["TERM", "INT"]).map(SignalName),
        stop_timeout=seconds,
    )


def definitions(name: str) -> st.SearchStrategy[AgentDefinition]:
    return st.builds(
        AgentDefinition,
        name=st.just(name),
        spec=specs(),
        workspace=st.none() | st.just("site"),
        labels=st.dictionaries(st.sampled_from(("team", "tier")), WORDS),
    )


def several() -> st.SearchStrategy[tuple[AgentDefinition, ...]]:
    def build(names: list[str]) -> st.SearchStrategy[tuple[AgentDefinition, ...]]:
        return st.tuples(*(definitions(name) for name in sorted(names)))

    return st.lists(st.sampled_from(NAMES), unique=True).flatmap(build)


def view_of(definition: AgentDefinition, source: str | None, *, running: bool = False, revision: int = 1) -> UnitView:
    status = UnitStatus(
        state=State.RUNNING if running else State.STOPPED, desired=Desired.RUNNING if running else Desired.STOPPED
    )
    return UnitView(
        kind=Kind.AGENT,
        name=definition.name,
        workspace=definition.workspace,
        labels=definition.labels,
        revision=revision,
        created_at=datetime(2030, 1, 2, tzinfo=UTC),
        spec=definition.spec,
        status=status,
        source=source,
    )


@pytest.fixture
def web() -> AgentDefinition:
    return AgentDefinition(name="web", spec=AgentSpec(command=("web",), environment={"KEY": "secret"}))
