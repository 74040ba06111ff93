"""How a group is stored: a document of its own, its spec and where it was declared side by side. Pure."""

from __future__ import annotations

import json
from typing import Final

from supervisor.convert import structure, unstructure
from supervisor.errors import InvalidInput
from supervisor.groups.spec import GroupDefinition, GroupSpec

DOCUMENT_KIND: Final = "group"
_SOURCE: Final = "source"


def group_text(definition: GroupDefinition) -> str:
    """Return the text of the document of a group."""
    document = dict(unstructure(definition.spec))
    if definition.source is not None:
        document[_SOURCE] = definition.source
    return json.dumps(document)


def group_from_text(name: str, text: str) -> GroupDefinition:
    """Read the document of a group. Raises ``InvalidInput`` or ``ValueError``."""
    document = json.loads(text)
    source = None
    if isinstance(document, dict):
        source = document.pop(_SOURCE, None)
    if source is not None and not isinstance(source, str):
        raise InvalidInput(f"the source of the group {name!r} is not a text")
    return GroupDefinition(name=name, spec=structure(GroupSpec, document), source=source)
