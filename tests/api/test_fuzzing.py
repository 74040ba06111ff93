"""Requests made up from our own OpenAPI document: none is answered with a defect, or with what is not documented.

The programs are scripted ones, so that whatever is made up here runs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
import trio
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.openapi import openapi
from api.routes import ENDPOINTS
from supervisor.units.quantities import parse_duration
from tests.api.conftest import Daemon

CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
LEFT_OUT = {"shut_down", "rotate_token", "replace_program"}
"""They would end the test; what they answer is tested apart."""
OF_THE_WORLD = {"spawn_failed", "signal_failed", "ask_timeout", "timed_out"}
"""What the system says no to, and waits as short as was asked for, are no defects."""
SECONDS = 25.0
EXAMPLES = 20


def operations() -> Iterator[Any]:
    schema = schemathesis.openapi.from_dict(openapi(ENDPOINTS, version="1.2.3"))
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.definition.raw["operationId"] not in LEFT_OUT:
            yield operation


def hasty(case: Any) -> None:
    """Let no request wait for long."""
    query = dict(case.query or {})
    if query.pop("follow", None) is not None:
        # A stream has no end; its own tests read it.
        case.query = query
    if "timeout" in query:
        try:
            query["timeout"] = f"{min(parse_duration(query['timeout']), 0.05):.3f}s"
        except ValueError:
            return
        case.query = query
    elif query.get("wait") not in (None, False, "false"):
        case.query = {**query, "timeout": "50ms"}


def make_requests(url: str, token: str) -> int:
    """Ask for everything that the document allows and for some that it does not. Returns how many requests it was."""
    deadline, number = time.monotonic() + SECONDS, 0
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
        for operation in operations():
            if time.monotonic() > deadline:
                return number

            @seed(4711)
            @settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                phases=[Phase.generate],
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode))
            def ask(case: Any) -> None:
                nonlocal number
                if time.monotonic() > deadline:
                    return
                number += 1
                hasty(case)
                response = case.call(base_url=url, headers={"Authorization": f"Bearer {token}"}, timeout=10)
                assert response.status_code < 500 or response.json()["code"] in OF_THE_WORLD, response.text
                case.validate_response(response, checks=CHECKS)

            with suppress(Unsatisfiable):  # nothing can be wrong about a request that carries nothing
                ask()
    return number


@pytest.mark.slow
@pytest.mark.timeout(150)  # making requests up is slow on a busy machine
@pytest.mark.filterwarnings("default")
async def test_no_request_is_answered_with_a_defect_or_with_what_is_not_documented(daemon: Daemon) -> None:
    for name in ("web", "job"):
        await daemon.client.post("/api/v1/agents", json={"name": name, "command": "sleep 1"})
    assert daemon.client.token is not None
    number = await trio.to_thread.run_sync(
        make_requests, f"http://127.0.0.1:{daemon.port}", daemon.client.token, abandon_on_cancel=True
    )

    assert number > 100
