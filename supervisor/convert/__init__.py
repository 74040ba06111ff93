"""Documents in, frozen data out, and back: the one place where JSON and TOML values become typed objects.

Strict by intent: an exact type or a fault, never a silent change (no text where a list is wanted, no number where text
is wanted), and every fault of a document is told at once, each with its path (``backoff.initial``, ``command[2]``).
"""

from __future__ import annotations

from supervisor.convert.definitions import definition_document as definition_document
from supervisor.convert.definitions import definition_from_document as definition_from_document
from supervisor.convert.definitions import keep_hidden_values as keep_hidden_values
from supervisor.convert.output import unstructure as unstructure
from supervisor.convert.strict import structure as structure
from supervisor.convert.text import format_time as format_time
from supervisor.convert.text import parse_json as parse_json
from supervisor.convert.text import parse_time as parse_time

__all__ = [
    "definition_document",
    "definition_from_document",
    "format_time",
    "keep_hidden_values",
    "parse_json",
    "parse_time",
    "structure",
    "unstructure",
]
