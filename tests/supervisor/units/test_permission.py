"""What the machine has to say against a definition is said before anything is written down."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest
from attrs import evolve

from supervisor.errors import InvalidInput, Problem
from supervisor.units.messages import ApplyUnits, ReplaceUnit
from supervisor.units.services import UnitServices
from supervisor.units.spec import AgentDefinition, AgentSpec
from supervisor.units.testing import FakeDriver, running_units


class NoUsers:
    """A machine without any user."""

    def concerns(self, spec: AgentSpec) -> bool:
        return spec.user is not None

    def enforcement(self, _spec: AgentSpec) -> Mapping[str, str]:
        return {}

    async def problems(self, spec: AgentSpec) -> Sequence[Problem]:
        return (Problem("user", f"there is no user {spec.user!r} on this machine"),)


def of_a_user(name: str) -> AgentDefinition:
    return AgentDefinition(name=name, spec=AgentSpec(command="sleep 1", user="somebody"))


async def test_a_refused_definition_is_neither_written_nor_started(driver: FakeDriver) -> None:
    async with running_units(UnitServices(driver=driver, permits=NoUsers())) as units:
        with pytest.raises(InvalidInput, match="user: there is no user 'somebody'") as caught:
            await units.create("web", of_a_user("web").spec)

        assert [problem.path for problem in caught.value.problems] == ["user"]
        assert units.shelf.records == {}
        assert driver.launches == []


async def test_a_refused_replacement_leaves_what_is_there(driver: FakeDriver) -> None:
    async with running_units(UnitServices(driver=driver, permits=NoUsers())) as units:
        before = await units.create("web", start=False)

        with pytest.raises(InvalidInput):
            await units.ask(
                lambda reply: ReplaceUnit(
                    name="web", definition=of_a_user("web"), expected_revision=None, reply_to=reply
                )
            )

        assert await units.get("web") == before


async def test_of_a_document_with_refused_definitions_nothing_is_done_and_each_is_told(driver: FakeDriver) -> None:
    good = evolve(of_a_user("good"), spec=AgentSpec(command="sleep 1"))
    async with running_units(UnitServices(driver=driver, permits=NoUsers())) as units:
        with pytest.raises(InvalidInput) as caught:
            await units.ask(
                lambda reply: ApplyUnits(
                    definitions=(of_a_user("a"), good, of_a_user("b")),
                    source="x",
                    prune=False,
                    dry_run=False,
                    reply_to=reply,
                )
            )

        assert [problem.path for problem in caught.value.problems] == ["agents.a.user", "agents.b.user"]
        assert units.shelf.records == {}
