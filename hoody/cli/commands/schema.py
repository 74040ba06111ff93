"""``hoody schema``."""

from __future__ import annotations

import json

import asyncclick

from hoody.cli.command import command
from hoody.cli.console import say
from hoody.version import __version__


@command(
    "schema",
    examples="""
    hoody schema > hoody.schema.json
    hoody schema openapi > openapi.json
    hoody schema docs > hoody-api.html
    """,
)
@asyncclick.argument("what", type=asyncclick.Choice(("file", "openapi", "docs")), default="file", metavar="[WHAT]")
def schema(what: str) -> None:
    """Print the JSON Schema of hoody.toml (file), or the HTTP API as OpenAPI or as a page of HTML (docs).

    Needs no daemon. An editor completes and checks hoody.toml with the schema: put "#:schema ./hoody.schema.json" at
    its top.
    """
    if what == "file":
        from supervisor.declared.schema import shipped_schema

        say(shipped_schema().decode().rstrip("\n"))
        return
    from api.docs_page import docs_page
    from api.openapi import openapi
    from api.routes import ENDPOINTS

    document = openapi(ENDPOINTS, version=__version__)
    say(json.dumps(document, indent=2) if what == "openapi" else docs_page(document).rstrip("\n"))
