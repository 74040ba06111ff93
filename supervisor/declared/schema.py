"""The schemas of definitions: of an agent in a file and over HTTP, and of a whole document."""

from __future__ import annotations

from importlib.resources import files
from typing import Any, Final

from supervisor.convert.schema import Schema, Schemas
from supervisor.groups.spec import GroupSpec
from supervisor.units.names import LONGEST_NAME
from supervisor.units.spec import AgentDefinition, AgentSpec
from supervisor.units.status import UnitView

NAME: Final = rf"^[A-Za-z0-9]([A-Za-z0-9._-]{{0,{LONGEST_NAME - 2}}}[A-Za-z0-9_-])?$"
NAME_SCHEMA: Final[Schema] = {"type": "string", "pattern": NAME}
_SHIPPED: Final = "hoody.schema.json"


def shipped_schema() -> bytes:
    """Return the JSON Schema of ``hoody.toml`` that comes with the package."""
    return files("supervisor.declared").joinpath(_SHIPPED).read_bytes()


def agent_schema(schemas: Schemas) -> Schema:
    """Return the schema of an agent as a file declares it: without its name, which is the table's."""
    spec = schemas.table(AgentSpec, "taken")
    own = dict(schemas.properties(AgentDefinition, "taken"))
    properties = {"workspace": own["workspace"], "labels": own["labels"], **spec["properties"]}
    return {**spec, "properties": properties}


def definition_schema(schemas: Schemas, *, named: bool) -> Schema:
    """Return the schema of a definition as the API takes it: flat, or the unit object as it was shown."""
    flat = agent_schema(schemas)
    flat["properties"] = {"name": NAME_SCHEMA, **flat["properties"]}
    shown = dict(schemas.properties(UnitView, "shown"))
    own = {key: flat["properties"][key] for key in ("name", "workspace", "labels")}
    # What only the daemon sets may be sent back as it was shown; it is left alone.
    unit: Schema = {
        "type": "object",
        "description": "The unit object as it was shown; what only the daemon sets in it is left alone.",
        "properties": {
            **{key: shown[key] for key in shown if key != "spec"},
            **own,
            "spec": schemas.of(AgentSpec, "taken"),
        },
        "required": ["spec"],
        "additionalProperties": False,
    }
    unit["properties"]["kind"] = {"const": "agent"}
    if named:
        flat["required"] = ["name", *flat["required"]]
        unit["required"] = ["name", "spec"]
    return {"anyOf": [flat, unit]}


def group_schema(schemas: Schemas, *, named: bool) -> Schema:
    """Return the schema of a group's definition as the API takes it: its name and the keys of its spec."""
    spec = schemas.table(GroupSpec, "taken")
    required = ["name", *spec["required"]] if named else spec["required"]
    return {**spec, "properties": {"name": NAME_SCHEMA, **spec["properties"]}, "required": required}


def patch_schema(schemas: Schemas) -> Schema:
    """Return the schema of a merge patch: any part of a definition, with null for what is to go."""
    return {
        "type": "object",
        "description": "The keys to change, flat or as in the unit object; null removes a key (RFC 7396).",
        "properties": {key: {} for key in definition_schema(schemas, named=False)["anyOf"][0]["properties"]},
    }


def document_schema(schemas: Schemas) -> dict[str, Any]:
    """Return the tables that an apply takes, each with its schema."""
    return {
        "agents": {
            "type": "object",
            "description": "Programs to keep alive, by name.",
            "propertyNames": NAME_SCHEMA,
            "additionalProperties": agent_schema(schemas),
        },
        "groups": {
            "type": "object",
            "description": "Agents and groups that are supervised together, by name.",
            "propertyNames": NAME_SCHEMA,
            "additionalProperties": schemas.table(GroupSpec, "taken"),
        },
    }
