"""The JSON Schema of ``hoody.toml``, made from the classes that the file is read into.

``python -m hoody.schema`` prints it; what it prints is shipped as ``supervisor/declared/hoody.schema.json``, and a test
compares the two.
"""

from __future__ import annotations

import json
import sys
from typing import Any, Final

from hoody.daemon.config import DaemonConfig
from supervisor.convert.schema import Schemas
from supervisor.declared.schema import document_schema

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


def file_schema() -> dict[str, Any]:
    """Return the schema of the whole file."""
    schemas = Schemas()
    daemon = schemas.table(DaemonConfig, "taken")
    tables = document_schema(schemas)
    return {
        "$schema": DIALECT,
        "$id": "urn:hoody:schema:hoody.toml",
        "title": "hoody.toml",
        "description": "What Hoody Daemon is to run, and how the daemon itself is set up.",
        "type": "object",
        "properties": {"daemon": daemon, **tables},
        "additionalProperties": False,
        "$defs": schemas.named,
    }


def main() -> None:
    """Print the schema."""
    sys.stdout.write(json.dumps(file_schema(), indent=2) + "\n")


if __name__ == "__main__":
    main()
