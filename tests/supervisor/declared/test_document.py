"""Documents that declare units: every fault, each with its path."""

from __future__ import annotations

import json
from typing import Any

import pytest

from supervisor.declared import declaration_document, read_declaration
from supervisor.errors import InvalidInput
from supervisor.units.spec import AgentDefinition, AgentSpec
from tests.supervisor.declared.conftest import view_of


def problems_of(document: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as caught:
        read_declaration(document)
    return [(problem.path, problem.message) for problem in caught.value.problems]


def test_units_are_read_by_the_names_of_their_tables() -> None:
    found = read_declaration({"agents": {"web": {"command": "web"}, "api": {"command": ["api"], "labels": {"a": "b"}}}})

    assert found.agents == (
        AgentDefinition(name="api", spec=AgentSpec(command=("api",)), labels={"a": "b"}),
        AgentDefinition(name="web", spec=AgentSpec(command="web")),
    )


def test_an_empty_document_declares_nothing() -> None:
    assert read_declaration({}).agents == ()


def test_every_fault_of_a_document_is_told_with_its_path() -> None:
    document = {
        "agnets": {},
        "agents": {
            "web": {"comand": "x", "backoff": {"initial": "soon"}},
            "bad name": {"command": "x"},
            "api": {"command": []},
            "ok": {"command": "x"},
        },
    }

    assert {path for path, _ in problems_of(document)} == {
        "agnets",
        "agents.web.comand",
        "agents.web.command",
        "agents.web.backoff.initial",
        'agents["bad name"].name',
        "agents.api.command",
    }


@pytest.mark.parametrize(
    ("document", "path", "words"),
    [
        ([], "", "expected a table, got a list"),
        ({"agents": []}, "agents", "expected a table of agents"),
        ({"agents": {"web": "x"}}, "agents.web", "expected a table, got text"),
        ({"agents": {"web": {"name": "other", "command": "x"}}}, "agents.web.name", "keeps its name"),
        ({"agents": {"web": {"command": "x"}, "Web": {"command": "x"}}}, "agents.Web", "upper and lower case"),
        ({"agents": {"web": {"command": "x", "status": {}}}}, "agents.web.status", "no such key"),
        ({"agents": {"web": {"spec": {"command": "x"}}}}, "agents.web.spec", "no such key"),
    ],
)
def test_a_fault_is_told_where_it_is(document: Any, path: str, words: str) -> None:
    ((found, message),) = problems_of(document)

    assert found == path
    assert words in message


def test_an_export_has_what_differs_from_the_defaults_and_hides_the_environment() -> None:
    spec = AgentSpec(command="exec web", shell=True, environment={"A": "1", "B": "2"}, max_restarts=3)
    view = view_of(AgentDefinition(name="web", spec=spec), None)

    assert declaration_document([view], reveal=["B"]) == {
        "agents": {
            "web": {"command": "exec web", "shell": True, "environment": {"A": "***", "B": "2"}, "max_restarts": 3}
        }
    }
    assert declaration_document([]) == {}


def test_an_export_of_deeper_tables_is_read_as_the_same_definition() -> None:
    agent = {
        "command": ["web"],
        "readiness": {"http": "http://127.0.0.1:8000/", "interval": "1s"},
        "liveness": {"exec": ["./check"], "failures": 5},
        "logs": {"max_size": "1MiB"},
        "limits": {"silence": "10m"},
        "backoff": {"max": "3s"},
    }
    (definition,) = read_declaration({"agents": {"web": agent}}).agents
    exported = declaration_document([view_of(definition, None)])

    assert read_declaration(exported).agents == (definition,)
    assert exported["agents"]["web"]["backoff"] == {"max": "3s"}
    assert "null" not in json.dumps(exported)
