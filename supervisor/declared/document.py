"""A document that declares units, one table per kind: what ``hoody.toml`` says, without where it says it. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from attrs import frozen

from supervisor.convert import definition_document, definition_from_document
from supervisor.convert.faults import Collector, Faults, key_step, kind_of
from supervisor.convert.strict import refuse_unknown
from supervisor.declared.groups import groups_document, read_groups
from supervisor.errors import InvalidInput, Problem
from supervisor.groups.spec import GROUPS, GroupDefinition
from supervisor.units.spec import AgentDefinition
from supervisor.units.status import UnitView

AGENTS: Final = "agents"
TABLES: Final = frozenset({AGENTS, GROUPS})
"""What a document may declare."""
_NOT_IN_A_FILE: Final = frozenset({"kind", "revision", "created_at", "status", "source", "spec"})


@frozen(kw_only=True)
class Declaration:
    """Units and groups that are to be there, each ordered by name."""

    agents: tuple[AgentDefinition, ...] = ()
    groups: tuple[GroupDefinition, ...] = ()


def read_declaration(document: object, *, what: str = "the document") -> Declaration:
    """Read the tables of a document. Raises ``InvalidInput`` with every fault, each with its path."""
    try:
        return _read(document)
    except Faults as faults:
        raise InvalidInput.of(what, faults.problems) from None


def _read(document: object) -> Declaration:
    if not isinstance(document, Mapping):
        raise Faults.here(f"expected a table, got {kind_of(document)}")
    collector = Collector()
    refuse_unknown(document.keys(), TABLES, collector)
    with collector.at(AGENTS):
        agents = _agents(document.get(AGENTS, {}))
    with collector.at(GROUPS):
        groups = read_groups(document.get(GROUPS, {}))
    collector.close()
    return Declaration(agents=agents, groups=groups)


def _agents(table: object) -> tuple[AgentDefinition, ...]:
    if not isinstance(table, Mapping):
        raise Faults.here(f"expected a table of agents, got {kind_of(table)}")
    collector = Collector()
    found: dict[str, AgentDefinition] = {}
    for name, entry in table.items():
        step = key_step(name)
        with collector.at(step):
            definition = _agent(name, entry)
            twin = found.setdefault(definition.name.casefold(), definition)
            if twin is not definition:
                collector.add(step, f"differs from {twin.name!r} only in upper and lower case")
        if collector.full:
            break
    collector.close()
    return tuple(sorted(found.values(), key=lambda each: each.name))


def _agent(name: object, entry: object) -> AgentDefinition:
    if not isinstance(name, str):
        raise Faults.here(f"expected a name, got {kind_of(name)}")
    if not isinstance(entry, Mapping):
        raise Faults.here(f"expected a table, got {kind_of(entry)}")
    unwanted = [key for key in entry if key in _NOT_IN_A_FILE]
    if unwanted:
        raise Faults([Problem(key_step(key), "there is no such key in a declaration") for key in unwanted])
    try:
        return definition_from_document(entry, name)
    except InvalidInput as error:
        raise Faults(error.problems) from None


def declaration_document(
    views: Iterable[UnitView], groups: Iterable[GroupDefinition] = (), *, reveal: Collection[str] | None = ()
) -> dict[str, Any]:
    """Write the definitions of units and groups as a document that declares exactly them.

    Only what differs from the defaults is in it. Values of the environment are hidden (``***``, which keeps the value
    that is there when it is applied) but for the names in ``reveal``; None shows them all.
    """
    agents = {}
    for view in views:
        definition = AgentDefinition(name=view.name, workspace=view.workspace, labels=view.labels, spec=view.spec)
        agents[view.name] = _without_defaults(definition_document(definition, reveal=reveal))
    tables = {AGENTS: agents, GROUPS: groups_document(groups)}
    return {name: table for name, table in tables.items() if table}


def _without_defaults(document: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what a reader would fill in again, and the name, which is the table's."""
    command, shell = document["command"], document["shell"]
    bare = {"name": "x", "command": command, **({"shell": True} if shell else {})}
    plain = _without_nulls(definition_document(definition_from_document(bare)))
    kept = {
        key: _differing(value, plain.get(key))
        for key, value in _without_nulls(document).items()
        if key == "command" or (key != "name" and value != plain.get(key))
    }
    return {**kept, "shell": True} if shell else kept


def _without_nulls(document: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what is not there at all: TOML has no word for it."""
    return {
        key: _without_nulls(value) if isinstance(value, Mapping) else value
        for key, value in document.items()
        if value is not None
    }


def _differing(value: object, default: object) -> object:
    """Return a table without its entries that are the default's; anything else as it is."""
    if not isinstance(value, Mapping) or not isinstance(default, Mapping) or not default:
        return value
    return {key: each for key, each in value.items() if each != default.get(key)}
