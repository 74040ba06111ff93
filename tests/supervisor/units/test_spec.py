"""The definition of an agent checks itself when it is made."""

from __future__ import annotations

import pytest

from supervisor.units.dependency import DependsOn, Until
from supervisor.units.spec import AgentSpec


def test_a_list_runs_as_it_is() -> None:
    assert AgentSpec(command=("echo", "a b")).argv == ("echo", "a b")


def test_a_string_is_split_as_a_shell_would() -> None:
    assert AgentSpec(command="echo 'a b' c").argv == ("echo", "a b", "c")


def test_a_shell_command_is_handed_to_sh() -> None:
    assert AgentSpec(command="a | b", shell=True).argv == ("/bin/sh", "-c", "a | b")


@pytest.mark.parametrize("command", ["", "  ", (), ("",), "a 'b", ("a\0",)])
def test_a_command_that_names_nothing_is_refused(command: str | tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"command|program|NUL"):
        AgentSpec(command=command)


def test_a_shell_takes_only_text() -> None:
    with pytest.raises(ValueError, match="one string"):
        AgentSpec(command=("a", "b"), shell=True)


@pytest.mark.parametrize("environment", [{"": "x"}, {"A=B": "x"}, {"A\0": "x"}, {"A": "x\0"}, {"HOODY_UNIT": "x"}])
def test_an_environment_that_no_process_can_have_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"environment|NUL|daemon itself"):
        AgentSpec(command="a", environment=environment)


def test_what_it_depends_on_matters_for_the_next_start_and_replaces_nothing() -> None:
    before = AgentSpec(command="a")
    after = AgentSpec(command="a", depends_on=DependsOn({"db": Until.READY}), priority=5)

    assert not before.is_replaced_by(after)
    assert before.is_replaced_by(AgentSpec(command="b"))
