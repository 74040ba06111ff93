"""From an answer that is an error to the exception that says the same."""

from __future__ import annotations

import json

from hoody.client.wire import BadAnswer, Response
from supervisor.errors import HoodyError, InvalidInput, Problem, error_class, error_classes


def error_of(response: Response) -> HoodyError:
    """Build the error that ``response`` tells, by its ``code``; by its status where it has none that is known."""
    document = _document(response.body)
    if document is None:
        return BadAnswer(f"the daemon answered {response.status} without saying why")
    detail = _text(document.get("detail")) or _text(document.get("title")) or f"the daemon answered {response.status}"
    hint = _text(document.get("hint"))
    found = error_class(str(document.get("code")))
    if found is HoodyError:
        found = _by_status(response.status)
    if issubclass(found, InvalidInput):
        return found(detail, problems=_problems(document.get("errors")), hint=hint)
    return found(detail, hint=hint)


def _by_status(status: int) -> type[HoodyError]:
    # A class is yielded before those derived from it, so the general one of a status is found first.
    return next((found for found in error_classes() if found.http_status == status), HoodyError)


def _document(body: bytes) -> dict[str, object] | None:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _problems(value: object) -> tuple[Problem, ...]:
    items = value if isinstance(value, list) else []
    return tuple(
        Problem(str(item.get("path", "")), str(item.get("message", ""))) for item in items if isinstance(item, dict)
    )
