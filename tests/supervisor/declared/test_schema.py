"""The schema that is shipped takes whatever the reader takes."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from jsonschema import Draft202012Validator

from supervisor.declared import declaration_document, read_declaration
from supervisor.declared.schema import shipped_schema
from supervisor.errors import InvalidInput
from supervisor.units.spec import AgentDefinition
from tests.supervisor.declared.conftest import several, view_of

VALIDATOR: Final = Draft202012Validator(json.loads(shipped_schema()))


@given(wanted=several())
def test_what_is_exported_fits(wanted: tuple[AgentDefinition, ...]) -> None:
    document = declaration_document([view_of(each, None) for each in wanted], reveal=None)

    VALIDATOR.validate(document)


@pytest.mark.parametrize(
    ("keys", "good"),
    [
        ({}, True),
        ({"depends_on": {"db": "ready"}}, True),
        ({"depends_on": ["db"]}, True),
        ({"depends_on": {"db": "soon"}}, False),
        ({"readiness": {"tcp": 80}}, True),
        ({"readiness": {"tcp": "localhost:80", "interval": 0.5}}, True),
        ({"readiness": {"tpc": 80}}, False),
        ({"stop_signal": 15, "stop_timeout": 3}, True),
        ({"stop_timeout": "3 parsecs"}, False),
        ({"logs": {"max_size": "1 MiB"}}, True),
        ({"logs": {"max_size": "1 XiB"}}, False),
        ({"restart": "always"}, True),
        ({"restart": True}, False),
        ({"labels": {"a": "b"}, "workspace": "site"}, True),
        ({"status": {}}, False),
        ({"environment": {"A": 1}}, False),
    ],
)
def test_the_schema_and_the_reader_agree(keys: dict[str, Any], good: bool) -> None:
    document = {"agents": {"web": {"command": ["web"], **keys}}}
    try:
        read_declaration(document)
        read = True
    except InvalidInput:
        read = False

    assert read is good
    assert VALIDATOR.is_valid(document) is good
