"""Binds the table of endpoints to Quart-Trio: reads the request, calls the handler, sends its answer."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Any, Final, cast

from quart import Response, request
from quart_trio import QuartTrio
from quart_trio.wrappers import TrioResponse

from api.answers import Answer
from api.endpoints import Call, Effect, Endpoint
from api.finishing import ACCEPTED
from api.guard import REQUEST_ID
from api.problems import allowed_methods, explain, render
from api.queries import read_idempotency_key, read_query, read_revision
from api.rules import MOST_BODY, check_media_type
from api.services import Services
from supervisor.convert import parse_json
from supervisor.errors import MalformedRequest

BODY_TIMEOUT: Final = 15
"""Seconds that a body may take to arrive."""


def make_app(endpoints: Iterable[Endpoint], services: Services) -> QuartTrio:
    """Build the Quart application for the endpoints."""
    app = QuartTrio("hoody", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MOST_BODY, BODY_TIMEOUT=BODY_TIMEOUT)
    # An address is written in one way only: no redirects to another spelling.
    app.url_map.merge_slashes = False
    app.register_error_handler(Exception, _tell)
    for endpoint in endpoints:
        app.add_url_rule(
            endpoint.path,
            endpoint=f"{endpoint.method} {endpoint.path}",
            view_func=partial(_serve, endpoint, services),
            methods=[endpoint.method],
            provide_automatic_options=False,
        )
    return app


async def _serve(endpoint: Endpoint, services: Services, **path: str) -> Response:
    call, digest = await _read(endpoint, services, path)
    if endpoint.effect is Effect.READ:
        return _response(await endpoint.handler(call))
    job = cast("Callable[[], Awaitable[Answer]]", partial(endpoint.handler, call))
    accepted = request.scope[ACCEPTED].set  # type: ignore[typeddict-item]
    key = read_idempotency_key(_header("Idempotency-Key"))
    if key is None:
        return _response(await services.work.carry_out(job, accepted=accepted))
    if not endpoint.keyed:
        raise MalformedRequest("this request does not take an Idempotency-Key")
    return _response(await services.work.carry_out_once(key, digest, job, accepted=accepted))


async def _read(endpoint: Endpoint, services: Services, path: dict[str, str]) -> tuple[Call[Any], bytes]:
    """Read and check everything that the request carries, before anything is done; and digest it."""
    query: object = read_query(endpoint.query, request.query_string)
    revision = read_revision(_header("If-Match"))
    if revision is not None and not endpoint.conditional:
        raise MalformedRequest("this request does not take If-Match")
    text = cast("bytes", await request.get_data(cache=False))
    document = None
    if text:
        check_media_type((request.content_type or "").encode(), patch=endpoint.merge_patch)
        document = parse_json(text)
    call = Call(
        services=services,
        query=query,
        path=path,
        document=document,
        accept=_header("Accept") or "",
        expected_revision=revision,
    )
    asked = f"{request.method} {request.path}?".encode() + request.query_string + b"\n" + text
    return call, hashlib.sha256(asked).digest()


def _header(name: str) -> str | None:
    return request.headers.get(name)


def _response(answer: Answer) -> Response:
    body = answer.body if answer.parts is None else answer.parts
    response = TrioResponse(body, status=answer.status, content_type=answer.media_type)
    if answer.parts is not None:
        # Quart would cut a long answer off after a minute without a word.
        response.timeout = None
    response.headers.update(answer.headers)
    return response


async def _tell(error: Exception) -> Response:
    """Answer any exception of a request as a problem."""
    request_id: str = request.scope[REQUEST_ID]  # type: ignore[typeddict-item]
    told = explain(error, what=f"{request.method} {request.path}", request_id=request_id)
    problem = render(told, request_id=request_id, allow=allowed_methods(error))
    response = TrioResponse(problem.body, status=problem.status)
    for name, value in problem.headers:
        response.headers[name] = value
    return response
