"""Query strings and headers, read strictly: an unknown parameter is refused by name, never ignored."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, TypeVar, get_args, get_origin
from urllib.parse import parse_qsl

import attrs

from supervisor.convert import structure
from supervisor.errors import InvalidInput, MalformedRequest, Problem

Q = TypeVar("Q")

_DEFAULTS: Final[dict[type, Any]] = {}
_FLAGS: Final = {"true": True, "": True, "false": False}
_REVISION: Final = re.compile(r'"(\d{1,18})"')


def read_query(cls: type[Q], query: bytes) -> Q:
    """Read a query string as a ``cls``, whose fields are the parameters. Raises ``MalformedRequest``."""
    if not query:
        # Frozen, so one object serves every request without parameters.
        known: Q | None = _DEFAULTS.get(cls)
        return known if known is not None else _DEFAULTS.setdefault(cls, cls())
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except UnicodeDecodeError:
        raise MalformedRequest("the query is not valid UTF-8") from None
    except ValueError:
        raise MalformedRequest("the query has more than 100 parameters") from None
    types = {field.name: field.type for field in attrs.fields(attrs.resolve_types(cls))}  # type: ignore[type-var, arg-type]
    try:
        return structure(cls, _document(pairs, types), what="the query")
    except InvalidInput as error:
        raise MalformedRequest.of("the query", error.problems) from None


def _document(pairs: Iterable[tuple[str, str]], types: dict[str, Any]) -> dict[str, object]:
    document: dict[str, Any] = {}
    for name, text in pairs:
        of = types.get(name)
        if get_origin(of) is tuple:
            document.setdefault(name, []).append(text)
        elif name in document:
            problem = Problem(name, "is given twice")
            raise MalformedRequest.of("the query", [problem])
        else:
            document[name] = _value(text, of)
    return document


def _value(text: str, of: Any) -> object:  # noqa: ANN401 - a type, which has no better type
    """Turn the text of a parameter into a value of its type where it is one; what it is not, ``structure`` tells."""
    members = {of, *get_args(of)}
    if bool in members:
        return _FLAGS.get(text, text)
    if int in members and re.fullmatch(r"\d{1,18}", text):
        return int(text)
    return text


def read_revision(header: str | None) -> int | None:
    """Read ``If-Match``: the entity tag of a unit, or ``*`` for any. Raises ``MalformedRequest``."""
    if header is None or header.strip() == "*":
        return None
    match = _REVISION.fullmatch(header.strip())
    if match is None:
        raise MalformedRequest(
            "the header If-Match is not the entity tag of a unit", hint='send the ETag that the unit came with: "3"'
        )
    return int(match[1])


def read_idempotency_key(header: str | None) -> str | None:
    """Read ``Idempotency-Key``: up to 128 visible ASCII characters. Raises ``MalformedRequest``."""
    if header is not None and not re.fullmatch(r"[\x21-\x7e]{1,128}", header):
        raise MalformedRequest("the header Idempotency-Key is not 1 to 128 visible ASCII characters")
    return header
