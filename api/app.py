"""Binds the table of endpoints to Quart-Trio: reads the request, calls the handler, sends its answer."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Final, cast

from quart import Quart, Response, request
from quart.sessions import NullSession, SessionInterface, SessionMixin
from quart.wrappers import BaseRequestWebsocket
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

BODY_TIMEOUT: Final = 15.0
"""Seconds that a body may take to arrive."""


class _NoSessions(SessionInterface):
    """There are no cookies: a browser would send them to every port of this machine."""

    async def open_session(self, app: Quart, request: BaseRequestWebsocket) -> SessionMixin:  # noqa: ARG002
        return _NO_SESSION

    async def save_session(self, app: Quart, session: SessionMixin, response: object) -> None:
        """Keep nothing."""


_NO_SESSION: Final = NullSession()


def make_app(endpoints: Iterable[Endpoint], services: Services, *, body_timeout: float = BODY_TIMEOUT) -> QuartTrio:
    """Build the Quart application for the endpoints."""
    app = QuartTrio("hoody", static_folder=None)
    app.session_interface = _NoSessions()  # type: ignore[assignment]
    app.config.update(MAX_CONTENT_LENGTH=MOST_BODY, BODY_TIMEOUT=body_timeout)
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
    query: object = read_query(endpoint.query, request.query_string)
    if endpoint.effect is Effect.READ:
        # The body of a read means nothing and is left alone, as are the headers that only concern changes.
        call = Call(services=services, query=query, path=path, headers=cast("Mapping[str, str]", request.headers))
        return _response(await endpoint.handler(call))
    return _response(await _change(endpoint, services, path, query))


async def _change(endpoint: Endpoint, services: Services, path: dict[str, str], query: object) -> Answer:
    """Read and check everything that the request carries, and only then have it done."""
    headers = cast("Mapping[str, str]", request.headers)
    key = read_idempotency_key(headers.get("Idempotency-Key"))
    revision = read_revision(headers.get("If-Match"))
    if key is not None and not endpoint.keyed:
        raise MalformedRequest("this request does not take an Idempotency-Key")
    if revision is not None and not endpoint.conditional:
        raise MalformedRequest("this request does not take If-Match")
    text = cast("bytes", await request.get_data(cache=False))
    document = None
    if text:
        check_media_type((request.content_type or "").encode(), patch=endpoint.merge_patch)
        document = parse_json(text)
    call = Call(
        services=services, query=query, path=path, headers=headers, document=document, expected_revision=revision
    )
    job = cast("Callable[[], Awaitable[Answer]]", partial(endpoint.handler, call))
    accepted = request.scope[ACCEPTED].set  # type: ignore[typeddict-item]
    if key is None:
        return await services.work.carry_out(job, accepted=accepted)
    asked = f"{request.method} {request.path}?".encode() + request.query_string + f"\n{revision}\n".encode() + text
    digest = hashlib.sha256(asked).digest()
    return await services.work.carry_out_once(key, digest, job, accepted=accepted)


def _response(answer: Answer) -> Response:
    body = answer.body if answer.parts is None else answer.parts
    response = TrioResponse(body, status=answer.status, content_type=answer.media_type)
    # Quart would cut a long answer off after a minute without a word; clients that do not read are dropped at the end.
    response.timeout = None
    if answer.headers:
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
