"""Events as JSON text: what the disk keeps and what followers are sent. Pure."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import attrs

from supervisor.convert import definition_document, format_time, unstructure
from supervisor.events.model import Happening, UnitHappening
from supervisor.store.entry import Entry
from supervisor.units.status import UnitView


def entry_of(number: int, time: datetime, happening: Happening) -> Entry:
    """Give a happening its number and its text. Values of the environment are hidden in it."""
    what = happening.what if isinstance(happening, UnitHappening) else happening
    kind, name = (happening.kind.value, happening.name) if isinstance(happening, UnitHappening) else (None, None)
    document = {
        "number": number,
        "time": format_time(time),
        "type": what.type,
        "kind": kind,
        "name": name,
        **{field.name: _value(getattr(what, field.name)) for field in attrs.fields(type(what))},
    }
    # ASCII only: nothing from outside can then break a line of the stream.
    text = json.dumps(document, separators=(",", ":"))
    return Entry(number=number, time=time, type=what.type, kind=kind, name=name, text=text)


def _value(value: object) -> Any:  # noqa: ANN401 - whatever JSON holds
    return definition_document(value, reveal=()) if isinstance(value, UnitView) else unstructure(value)
