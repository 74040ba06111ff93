"""An agent's definition as a document, in both shapes that people write: flat, and the unit object that we show.

Flat (``hoody.toml``, ``POST``): the name, the labels and the keys of the spec side by side. The unit object has the
keys of the spec under ``spec``, and everything that only we set beside it, so that what was read can be sent back.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import attrs
from attrs import evolve

from supervisor.convert.faults import Collector, Faults, key_step, kind_of
from supervisor.convert.output import unstructure
from supervisor.convert.strict import build, refuse_unknown
from supervisor.errors import InvalidInput, Problem
from supervisor.runtime.policy import RestartType
from supervisor.units.names import check_name
from supervisor.units.spec import REDACTED, AgentDefinition, AgentSpec
from supervisor.units.status import Kind, UnitView

_SPEC_KEYS: Final = frozenset(field.name for field in attrs.fields(AgentSpec))
_OWN_KEYS: Final = frozenset({"name", "workspace", "labels"})
_UNIT_KEYS: Final = _OWN_KEYS | {"spec"}
_FLAT_KEYS: Final = _OWN_KEYS | _SPEC_KEYS
_READ_ONLY: Final = frozenset({"kind", "revision", "created_at", "status", "source"})


def definition_from_document(document: object, name: str | None = None) -> AgentDefinition:
    """Read an agent's definition; ``name`` is the one that the address gives, where it gives one.

    Raises ``InvalidInput`` with every fault.
    """
    called = name if name is not None else document.get("name") if isinstance(document, Mapping) else None
    what = f"the definition of agent {called!r}" if isinstance(called, str) and len(called) <= 64 else "the definition"
    try:
        return _read(document, name)
    except Faults as faults:
        raise InvalidInput.of(what, faults.problems) from None


def _read(document: object, name: str | None) -> AgentDefinition:
    if not isinstance(document, Mapping):
        raise Faults.here(f"expected a table, got {kind_of(document)}")
    collector = Collector()
    nested = "spec" in document
    if nested:
        refuse_unknown(document.keys() - _READ_ONLY, _UNIT_KEYS, collector)
    else:
        refuse_unknown(document.keys(), _FLAT_KEYS, collector)
    if nested and document.get("kind", Kind.AGENT.value) != Kind.AGENT.value:
        collector.add("kind", 'must be "agent" here')
    spec_document = document["spec"] if nested else {key: document[key] for key in document if key in _SPEC_KEYS}
    with collector.at("spec" if nested else ""):
        spec = build(AgentSpec, _by_the_clock(spec_document))
    with collector.at("name"):
        called = _name(document, name)
    with collector.at("workspace"):
        workspace = _workspace(document.get("workspace"))
    with collector.at("labels"):
        labels = _labels(document.get("labels", {}))
    collector.close()
    return AgentDefinition(name=called, workspace=workspace, labels=labels, spec=spec)


def _by_the_clock(document: object) -> object:
    """Say what follows from a schedule, where nothing else was said: what runs by the clock is not kept up."""
    if isinstance(document, Mapping) and document.get("schedule") is not None and "restart" not in document:
        return {**document, "restart": RestartType.TEMPORARY.value}
    return document


def _name(document: Mapping[str, Any], name: str | None) -> str:
    given = document.get("name", name)
    if given is None:
        raise ValueError("is required")
    if not isinstance(given, str):
        raise ValueError(f"expected text, got {kind_of(given)}")
    if name is not None and given != name:
        raise ValueError("is not the name in the address; a unit keeps its name for life")
    return check_name(given)


def _workspace(value: object) -> str | None:
    return None if value is None else check_name(build(str, value))


def _labels(value: object) -> Mapping[str, str]:
    labels: Mapping[str, str] = build(Mapping[str, str], value)  # type: ignore[type-abstract]
    collector = Collector()
    for key in labels:
        if not key or "=" in key or not key.isprintable():
            collector.add(key_step(key), "a label's name is printable text without '='")
    collector.close()
    return labels


def definition_document(of: AgentDefinition | UnitView, *, reveal: Collection[str] | None = None) -> dict[str, Any]:
    """Write a definition flat, or a unit as the unit object.

    Values of the environment are hidden but for the names in ``reveal``; None shows them all, which is for storing and
    comparing and never for an answer.
    """
    document: dict[str, Any] = unstructure(of)
    spec = document["spec"]
    if reveal is not None:
        spec["environment"] = {
            name: value if name in reveal else REDACTED for name, value in of.spec.environment.items()
        }
    if isinstance(of, UnitView):
        return document
    del document["spec"]
    return {**document, **spec}


def keep_hidden_values(definition: AgentDefinition, stored: AgentSpec | None) -> AgentDefinition:
    """Put the stored values where the new environment says ``***``: what was hidden when it was read is kept.

    Raises ``InvalidInput`` where there is no such value to keep.
    """
    environment = definition.spec.environment
    hidden = [name for name, value in environment.items() if value == REDACTED]
    if not hidden:
        return definition
    kept = stored.environment if stored is not None else {}
    missing = [
        Problem(f"environment.{key_step(name)}", f'"{REDACTED}" keeps the value that is there, and there is none')
        for name in hidden
        if name not in kept
    ]
    if missing:
        raise InvalidInput.of(f"the definition of agent {definition.name!r}", missing)
    restored = {**environment, **{name: kept[name] for name in hidden}}
    return evolve(definition, spec=evolve(definition.spec, environment=restored))
