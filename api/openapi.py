"""The OpenAPI 3.1 document, made from the table of endpoints and the classes that it names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import attrs

from api.answers import JSON_TYPE, TEXT_TYPE
from api.endpoints import API, Endpoint, NoBody
from api.examples import ANSWERS, BODIES, PATCH
from api.problems import PROBLEM_TYPE
from supervisor.convert.schema import Schema, Schemas
from supervisor.declared.schema import NAME_SCHEMA, definition_schema, group_schema, patch_schema
from supervisor.errors import (
    HeadersTooLarge,
    HoodyBug,
    HoodyError,
    InvalidInput,
    MalformedRequest,
    Misdirected,
    NotAllowed,
    Overloaded,
    RequestTimedOut,
    RequestTooLarge,
    TimedOut,
    TooManyRequests,
    Unauthorized,
    Unavailable,
    UnsupportedMediaType,
)
from supervisor.groups.spec import GroupDefinition
from supervisor.units.spec import AgentDefinition

_ANY: Final = (
    MalformedRequest,
    NotAllowed,
    Misdirected,
    TooManyRequests,
    HeadersTooLarge,
    HoodyBug,
    Unavailable,
    Overloaded,
    TimedOut,
)
"""What any request may meet."""
_SENT: Final = (RequestTimedOut, RequestTooLarge, UnsupportedMediaType, InvalidInput)
"""What a request with a body may meet beside."""
_TAGS: Final = {"agents": "agents", "groups": "groups", "apply": "declared state", "export": "declared state"}
_PREFIX: Final = "#/components/schemas/"
_PROBLEM: Final[Schema] = {
    "type": "object",
    "description": "A refusal (RFC 9457). Compare `code`; sentences may change.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What happened, in a sentence."},
        "code": {"type": "string", "description": "Does not change."},
        "request_id": {"type": "string", "description": "The daemon's log names it with unexpected errors."},
        "hint": {"type": "string", "description": "What to do."},
        "errors": {
            "type": "array",
            "description": "Every fault of a document or query.",
            "items": {
                "type": "object",
                "properties": {
                    "path": {"type": "string"},
                    "pointer": {"type": "string"},
                    "message": {"type": "string"},
                },
                "required": ["path", "pointer", "message"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "code", "request_id"],
}


def openapi(endpoints: Iterable[Endpoint], *, version: str) -> dict[str, Any]:
    """Return the document for these endpoints."""
    schemas = Schemas(_PREFIX)
    schemas.named["Problem"] = {**_PROBLEM, "examples": [ANSWERS["Problem"]]}
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        path = re.sub(r"<(\w+)>", r"{\1}", endpoint.path)
        paths.setdefault(path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hoody Daemon",
            "version": version,
            "description": "Keeps programs alive under a supervision tree, on this machine. "
            "Answers on loopback only, at the address that `hoody status` shows.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "tags": [{"name": name} for name in dict.fromkeys(_tag(path) for path in paths)],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "What `hoody token show` prints."}
            },
            "schemas": dict(sorted(schemas.named.items())),
        },
    }


def _operation(endpoint: Endpoint, schemas: Schemas) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": getattr(endpoint.handler, "__name__", endpoint.path),
        "summary": endpoint.summary,
        "tags": [_tag(endpoint.path)],
        "x-effect": endpoint.effect.value,
        "parameters": list(_parameters(endpoint, schemas)),
        "responses": _responses(endpoint, schemas),
    }
    body = _body(endpoint, schemas)
    if body is not None:
        made["requestBody"] = body
    if endpoint.open:
        made["security"] = []
    return made


def _tag(path: str) -> str:
    if not path.startswith(API):
        return "probes"
    first = path.removeprefix(API).strip("/").partition("/")[0]
    return {"agents": "agents", "groups": "groups", "apply": "declared state", "export": "declared state"}.get(
        first, "daemon"
    )


def _parameters(endpoint: Endpoint, schemas: Schemas) -> Iterator[Schema]:
    for name in re.findall(r"<(\w+)>", endpoint.path):
        yield {"name": name, "in": "path", "required": True, "schema": NAME_SCHEMA, "example": "web"}
    required = {each.name for each in attrs.fields(endpoint.query) if each.default is attrs.NOTHING}
    for name, schema in schemas.properties(endpoint.query, "query"):
        description = schema.pop("description", "")
        yield {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": description,
            "schema": _without_null(schema),
        }
    if endpoint.keyed:
        yield _header("Idempotency-Key", "A repetition under this key gets the first answer.", r"^[!-~]{1,128}$")
    if endpoint.conditional:
        yield _header("If-Match", "The `ETag` of the revision that is meant.", r'^("\d{1,18}"|\*)$')


def _header(name: str, description: str, pattern: str) -> Schema:
    schema = {"type": "string", "pattern": pattern}
    return {"name": name, "in": "header", "required": False, "description": description, "schema": schema}


def _without_null(schema: Schema) -> Schema:
    """A parameter that is left out is not null: it is not there."""
    members = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if not members:
        return schema
    rest = {key: value for key, value in schema.items() if key != "anyOf"}
    return {**members[0], **rest} if len(members) == 1 else {"anyOf": members, **rest}


def _body(endpoint: Endpoint, schemas: Schemas) -> dict[str, Any] | None:
    if endpoint.body is NoBody:
        return None
    example: object
    types: tuple[str, ...]
    if endpoint.merge_patch:
        schema, example, types = patch_schema(schemas), PATCH, ("application/merge-patch+json", JSON_TYPE)
    elif endpoint.body is AgentDefinition:
        schema = definition_schema(schemas, named="<name>" not in endpoint.path)
        example, types = BODIES["AgentDefinition"], (JSON_TYPE,)
    elif endpoint.body is GroupDefinition:
        schema = group_schema(schemas, named="<name>" not in endpoint.path)
        example, types = BODIES["GroupDefinition"], (JSON_TYPE,)
    else:
        schema = schemas.of(endpoint.body, "taken")
        example, types = BODIES.get(endpoint.body.__name__), (JSON_TYPE,)
    content: dict[str, Any] = {"schema": schema}
    if example is not None:
        content["example"] = example
    needed = any(each.default is attrs.NOTHING for each in attrs.fields(endpoint.body))
    return {"required": needed, "content": dict.fromkeys(types, content)}


def _responses(endpoint: Endpoint, schemas: Schemas) -> dict[str, Any]:
    made: dict[str, Any] = {str(endpoint.status): _success(endpoint, schemas)}
    by_status: dict[int, list[type[HoodyError]]] = {}
    for problem in _problems(endpoint):
        by_status.setdefault(problem.http_status, []).append(problem)
    for status, problems in sorted(by_status.items()):
        codes = ", ".join(f"`{problem.code}`" for problem in problems)
        content: dict[str, Any] = {PROBLEM_TYPE: {"schema": {"$ref": _PREFIX + "Problem"}}}
        if endpoint.media_type == TEXT_TYPE and status == Unavailable.http_status:
            content[TEXT_TYPE] = {"schema": {"type": "string"}}  # how a probe tells that it has failed
        made[str(status)] = {"description": f"{problems[0].title} ({codes}).", "content": content}
    return made


def _problems(endpoint: Endpoint) -> dict[type[HoodyError], None]:
    found = dict.fromkeys((*endpoint.problems, *_ANY))
    if not endpoint.open:
        found[Unauthorized] = None
    if endpoint.method != "GET":
        found.update(dict.fromkeys(_SENT))
    return found


def _success(endpoint: Endpoint, schemas: Schemas) -> dict[str, Any]:
    made: dict[str, Any] = {"description": endpoint.summary}
    content: dict[str, Any] = {}
    if endpoint.media_type != JSON_TYPE:
        content[endpoint.media_type] = {"schema": {} if endpoint.media_type.endswith("json") else {"type": "string"}}
    if endpoint.answer is not None:
        schema = {"type": "object"} if endpoint.answer is dict else schemas.of(endpoint.answer, "shown")
        shown: dict[str, Any] = {"schema": schema}
        example: Mapping[str, Any] | None = ANSWERS.get(endpoint.answer.__name__)
        if example is not None:
            shown["example"] = example
        content[JSON_TYPE] = shown
    if content:
        made["content"] = content
    return made
