"""The OpenAPI document, the page made of it, and the schema of the file: whole, valid and true to what is answered."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from typing import Any

import attrs
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from api.docs_page import STYLE, STYLE_HASH, docs_page
from api.endpoints import Endpoint
from api.examples import ANSWERS, BODIES, PATCH
from api.openapi import openapi
from api.routes import ENDPOINTS
from hoody.schema import file_schema
from supervisor.declared.schema import shipped_schema
from tests.api.conftest import Daemon

DOCUMENT = openapi(ENDPOINTS, version="1.2.3")


def operation(endpoint: Endpoint) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][re.sub(r"<(\w+)>", r"{\1}", endpoint.path)][endpoint.method.lower()]
    return found


def valid(schema: dict[str, Any], value: object) -> None:
    whole = {**schema, "components": DOCUMENT["components"]}
    Draft202012Validator(whole).validate(value)


def test_it_is_valid() -> None:
    validate(DOCUMENT)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: f"{each.method} {each.path}")
def test_every_endpoint_is_described_with_its_parameters_and_problems(endpoint: Endpoint) -> None:
    found = operation(endpoint)
    parameters = {each["name"] for each in found["parameters"]}
    statuses = {int(status) for status in found["responses"]}

    assert {each.name for each in attrs.fields(endpoint.query)} <= parameters
    assert ("Idempotency-Key" in parameters) == endpoint.keyed
    assert ("If-Match" in parameters) == endpoint.conditional
    assert {endpoint.status, *(problem.http_status for problem in endpoint.problems)} <= statuses


def test_every_key_and_parameter_has_a_description_or_a_class_that_has_one() -> None:
    missing = [
        f"{found['operationId']}: {parameter['name']}"
        for operations in DOCUMENT["paths"].values()
        for found in operations.values()
        for parameter in found["parameters"]
        if parameter["in"] == "query" and not parameter["description"]
    ]

    assert not missing


def test_operations_are_named_once() -> None:
    names = [found["operationId"] for operations in DOCUMENT["paths"].values() for found in operations.values()]

    assert len(names) == len(set(names))


def test_examples_are_what_their_schemas_say() -> None:
    checked = set()
    for operations in DOCUMENT["paths"].values():
        for found in operations.values():
            contents = [found.get("requestBody", {}), *found["responses"].values()]
            for content in (each for of in contents for each in of.get("content", {}).values()):
                if "example" in content:
                    valid(content["schema"], content["example"])
                    checked.add(json.dumps(content["example"]))

    everything = [*BODIES.values(), *(value for name, value in ANSWERS.items() if name != "Problem"), PATCH]
    assert checked >= {json.dumps(example) for example in everything}
    valid(DOCUMENT["components"]["schemas"]["Problem"], ANSWERS["Problem"])


async def test_what_is_answered_is_what_the_document_says(daemon: Daemon) -> None:
    for name in ("web", "job"):
        made = await daemon.client.post("/api/v1/agents", json={"name": name, "command": "sleep 1"})
        valid(_answer("/api/v1/agents", "post", "201"), made.json)
    for path in ("agents", "agents/web", "health", "status", "tree", "export"):
        got = await daemon.client.get(f"/api/v1/{path}")
        valid(_answer(f"/api/v1/{path.replace('/web', '/{name}')}", "get", "200"), got.json)
    refused = await daemon.client.get("/api/v1/agents/none")
    valid(_answer("/api/v1/agents/{name}", "get", "404", "application/problem+json"), refused.json)


def _answer(path: str, method: str, status: str, media: str = "application/json") -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][path][method]["responses"][status]["content"][media]["schema"]
    return found


async def test_it_is_served(daemon: Daemon) -> None:
    got = await daemon.client.get("/api/v1/openapi.json")
    page = await daemon.client.get("/api/v1/docs")
    schema = await daemon.client.get("/api/v1/schema")

    assert got.json == json.loads(json.dumps(DOCUMENT))
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.body.decode() == docs_page(DOCUMENT)
    assert f"style-src '{STYLE_HASH}'" in page.headers["content-security-policy"]
    assert (schema.headers["content-type"], schema.body) == ("application/schema+json", shipped_schema())


def test_the_page_needs_nothing_and_names_everything() -> None:
    class Reader(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.ids: set[str] = set()
            self.links: set[str] = set()
            self.tags: set[str] = set()

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            self.tags.add(tag)
            for key, value in attrs:
                assert key not in {"src", "style"}
                assert not key.startswith("on")
                if key == "id":
                    assert value not in self.ids
                    self.ids.add(str(value))
                if key == "href":
                    self.links.add(str(value))

    reader = Reader()
    reader.feed(docs_page(DOCUMENT))

    assert not reader.tags & {"script", "img", "link", "iframe"}
    assert all(link.startswith("#") and link[1:] in reader.ids for link in reader.links)
    assert set(DOCUMENT["components"]["schemas"]) <= reader.ids
    assert "url(" not in STYLE


def test_the_schema_that_is_shipped_is_that_of_the_classes() -> None:
    """After a change: python -m hoody.schema > supervisor/declared/hoody.schema.json"""
    assert json.loads(shipped_schema()) == json.loads(json.dumps(file_schema()))
    Draft202012Validator.check_schema(file_schema())


@pytest.mark.parametrize(
    ("agent", "good"),
    [
        ({"command": "x"}, True),
        ({"command": ["x"], "stop_timeout": "1h30m", "restart": "on-failure", "backoff": {"max": 3}}, True),
        ({"command": "x", "comand": "y"}, False),
        ({}, False),
        ({"command": "x", "stop_timeout": "soon"}, False),
        ({"command": "x", "restart": "sometimes"}, False),
        ({"command": "x", "max_restarts": -1}, False),
        ({"command": "x", "labels": {"a": 1}}, False),
    ],
)
def test_the_schema_tells_good_files_from_bad_ones(agent: dict[str, Any], good: bool) -> None:
    validator = Draft202012Validator(file_schema())

    assert validator.is_valid({"daemon": {"port": 0}, "agents": {"web": agent}}) is good
    assert not validator.is_valid({"agents": {"bad name": agent}})
