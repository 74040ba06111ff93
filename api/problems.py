"""Errors as ``application/problem+json`` (RFC 9457): one shape for every refusal, whoever made it."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import quart.wrappers
from attrs import frozen
from werkzeug.exceptions import HTTPException
from werkzeug.exceptions import MethodNotAllowed as WerkzeugMethodNotAllowed

from supervisor.errors import (
    HoodyBug,
    HoodyError,
    InvalidInput,
    MalformedRequest,
    MethodNotAllowed,
    NotFound,
    RequestTimedOut,
    RequestTooLarge,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)

logger = logging.getLogger("hoody.api")

PROBLEM_TYPE: Final = "application/problem+json"

_STEP: Final = re.compile(r'\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|([^.\[\]]+)')
# Newer Quart raises this in a handler whose client has gone; older ones only cancel the handler.
_CLIENT_GONE: Final[tuple[type[Exception], ...]] = tuple(
    found for found in [getattr(quart.wrappers, "ClientDisconnectedError", None)] if found is not None
)


@frozen
class RenderedProblem:
    """A refusal, ready to be sent."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...]


def render(error: HoodyError, *, request_id: str, allow: str | None = None) -> RenderedProblem:
    """Write an error as a problem document."""
    document: dict[str, Any] = {
        "type": f"urn:hoody:error:{error.code}",
        "title": error.title,
        "status": error.http_status,
        "detail": error.detail,
        "code": error.code,
        "request_id": request_id,
    }
    if error.hint is not None:
        document["hint"] = error.hint
    if isinstance(error, InvalidInput) and error.problems:
        document["errors"] = [
            {"path": problem.path, "pointer": pointer(problem.path), "message": problem.message}
            for problem in error.problems
        ]
    headers = [("content-type", PROBLEM_TYPE), *_extra_headers(error)]
    if allow is not None:
        headers.append(("allow", allow))
    return RenderedProblem(error.http_status, json.dumps(document).encode() + b"\n", tuple(headers))


def _extra_headers(error: HoodyError) -> Iterator[tuple[str, str]]:
    if isinstance(error, Unauthorized):
        yield "www-authenticate", "Bearer"
    if isinstance(error, TooManyRequests | Unavailable):
        yield "retry-after", "1"


def pointer(path: str) -> str:
    """Turn the path of a fault (``command[2]``) into a JSON pointer (``/command/2``)."""
    steps = (index or (json.loads(quoted) if quoted else plain) for index, quoted, plain in _STEP.findall(path))
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def explain(error: Exception, *, what: str, request_id: str) -> HoodyError:
    """Turn whatever a request ended with into an error that can be told; log it where it is a defect of ours."""
    if isinstance(error, HoodyError):
        if isinstance(error, HoodyBug):
            _log(error, what, request_id)
        return error
    if isinstance(error, HTTPException):
        return _explain_http(error, what)
    if isinstance(error, _CLIENT_GONE):
        return MalformedRequest("the request ended before its body was complete")
    _log(error, what, request_id)
    return HoodyBug("an unexpected error happened in the daemon; its log has the details")


def allowed_methods(error: Exception) -> str | None:
    """Return the ``Allow`` header of a refused method."""
    if isinstance(error, WerkzeugMethodNotAllowed) and error.valid_methods is not None:
        return ", ".join(sorted(error.valid_methods))
    return None


def _log(error: Exception, what: str, request_id: str) -> None:
    logger.error("unexpected error in %s", what, exc_info=error, extra={"request_id": request_id})


_BY_STATUS: Final[Mapping[int, tuple[type[HoodyError], str]]] = {
    400: (MalformedRequest, "the request cannot be read"),
    404: (NotFound, "there is nothing at this address"),
    405: (MethodNotAllowed, "this address does not take this method"),
    408: (RequestTimedOut, "the body of the request did not arrive in time"),
    413: (RequestTooLarge, "the body of the request is over the limit of 1 MiB"),
}


def _explain_http(error: HTTPException, what: str) -> HoodyError:
    kind, sentence = _BY_STATUS.get(error.code or 500, (MalformedRequest, "the request cannot be served"))
    hint = None
    if kind is NotFound:
        hint = "the addresses are listed in docs/reference/api.md"
    return kind(f"{what}: {sentence}", hint=hint)
