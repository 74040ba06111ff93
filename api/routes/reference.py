"""What describes the API itself: OpenAPI, the schema of the file, and the documentation as a page."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from api.answers import Answer, json_text
from api.docs_page import docs_page
from api.endpoints import API, Call, Endpoints, NoQuery
from api.openapi import openapi
from supervisor.declared.schema import shipped_schema

routes = Endpoints()

HTML_TYPE: Final = "text/html; charset=utf-8"
SCHEMA_TYPE: Final = "application/schema+json"


@routes.add("GET", f"{API}/openapi.json", answer=dict)
async def show_openapi(call: Call[NoQuery]) -> Answer:
    """Describe the API as an OpenAPI 3.1 document."""
    return Answer(body=json_text(_document(call.services.control.version)) + b"\n")


@routes.add("GET", f"{API}/schema", media_type=SCHEMA_TYPE)
async def show_schema(_call: Call[NoQuery]) -> Answer:
    """Describe ``hoody.toml`` as a JSON Schema, for editors."""
    return Answer(body=shipped_schema(), media_type=SCHEMA_TYPE)


@routes.add("GET", f"{API}/docs", media_type=HTML_TYPE)
async def show_docs(call: Call[NoQuery]) -> Answer:
    """Describe the API as a page of HTML that needs nothing else."""
    return Answer(body=_page(call.services.control.version), media_type=HTML_TYPE)


@cache
def _document(version: str) -> Mapping[str, Any]:
    from api.routes import ENDPOINTS  # the table that these rows are part of

    return openapi(ENDPOINTS, version=version)


@cache
def _page(version: str) -> bytes:
    return docs_page(_document(version)).encode()
