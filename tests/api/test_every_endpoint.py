"""What holds for every endpoint, whatever it does: walked from the table, so that a new one cannot be forgotten."""

from __future__ import annotations

import logging
from pathlib import Path

import attrs
import pytest
import trio

from api.endpoints import Effect, Endpoint
from api.routes import ENDPOINTS
from api.rules import FAILURES_PER_SECOND
from supervisor.errors import Unavailable, error_classes
from supervisor.runtime import Actor, Context, actor
from supervisor.units.messages import DirectoryRequest
from tests.api.conftest import Daemon, Start

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND")
HOSTS = (
    "evil.example",
    "evil.example:{port}",
    "127.0.0.1",
    "127.0.0.1:1",
    "0.0.0.0:{port}",
    "localhost",
    "localhost.evil.example:{port}",
    "[::]:{port}",
    "127.0.0.1:{port}@evil.example",
    "2130706433:{port}",
    "127.1:{port}",
    "[::ffff:127.0.0.1]:{port}",
)

every_endpoint = pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda each: f"{each.method} {each.path}")


def target(endpoint: Endpoint) -> str:
    return endpoint.path.replace("<name>", "web")


@every_endpoint
async def test_nothing_is_answered_without_a_token_but_what_is_open(daemon: Daemon, endpoint: Endpoint) -> None:
    daemon.client.token = None

    got = await daemon.client.ask(endpoint.method, target(endpoint))

    assert got.status == (200 if endpoint.open else 401)


@every_endpoint
async def test_no_method_of_any_address_is_answered_without_a_token(daemon: Daemon, endpoint: Endpoint) -> None:
    if endpoint.open:
        return
    daemon.client.token = None
    for method in METHODS[:FAILURES_PER_SECOND]:
        got = await daemon.client.ask(method, "/" if method == "CONNECT" else target(endpoint))

        assert got.status in {401, 429}, method


@every_endpoint
async def test_no_other_host_is_answered(daemon: Daemon, endpoint: Endpoint) -> None:
    for host in HOSTS:
        named = [("Host", host.format(port=daemon.port))]
        got = await daemon.client.ask(endpoint.method, target(endpoint), headers=named)

        assert (got.status, got.code) == (421, "misdirected"), host


@every_endpoint
async def test_no_foreign_page_is_answered(daemon: Daemon, endpoint: Endpoint) -> None:
    for origin in ("null", "http://evil.example", "http://localhost:1", "https://127.0.0.1"):
        got = await daemon.client.ask(endpoint.method, target(endpoint), headers=[("Origin", origin)])

        assert (got.status, got.code) == (403, "not_allowed"), origin


@every_endpoint
async def test_other_methods_are_refused_with_those_that_there_are(daemon: Daemon, endpoint: Endpoint) -> None:
    allowed = {each.method for each in ENDPOINTS if each.path == endpoint.path}
    allowed |= {"HEAD"} if "GET" in allowed else set()
    for method in set(METHODS) - allowed - {"CONNECT", "HEAD"}:
        got = await daemon.client.ask(method, target(endpoint))

        assert (got.status, got.code) == (405, "method_not_allowed"), method
        assert set(got.headers["allow"].split(", ")) == allowed


@every_endpoint
async def test_an_unknown_parameter_is_refused_by_name(daemon: Daemon, endpoint: Endpoint) -> None:
    got = await daemon.client.ask(endpoint.method, target(endpoint) + "?zzz=1")

    assert (got.status, got.code) == (400, "malformed_request")
    assert got.json["errors"][0]["path"] == "zzz"


@every_endpoint
async def test_a_slash_more_or_less_is_another_address(daemon: Daemon, endpoint: Endpoint) -> None:
    for other in (target(endpoint) + "/", "/" + target(endpoint), target(endpoint).upper()):
        got = await daemon.client.ask(endpoint.method, other)

        assert got.code == ("malformed_request" if other.startswith("//") else "not_found"), other


@every_endpoint
async def test_every_answer_carries_the_headers_that_keep_browsers_out(daemon: Daemon, endpoint: Endpoint) -> None:
    for token in (None, daemon.client.token):
        daemon.client.token = token
        got = await daemon.client.ask(endpoint.method, target(endpoint))

        assert got.headers["x-content-type-options"] == "nosniff"
        assert got.headers["cache-control"] == "no-store"
        assert got.headers["referrer-policy"] == "no-referrer"
        assert "default-src 'none'" in got.headers["content-security-policy"]
        assert "x-request-id" in got.headers
        assert "server" not in got.headers
        assert not [name for name in got.headers if name.startswith("access-control-")]
        assert "set-cookie" not in got.headers


@every_endpoint
def test_reading_never_changes_and_changing_never_reads(endpoint: Endpoint) -> None:
    assert (endpoint.method == "GET") == (endpoint.effect is Effect.READ)


@every_endpoint
def test_an_endpoint_says_what_it_does_in_a_sentence_and_names_known_errors(endpoint: Endpoint) -> None:
    assert endpoint.summary.endswith(".")
    assert set(endpoint.problems) <= set(error_classes())


@every_endpoint
def test_an_endpoint_is_in_the_reference_with_its_parameters(endpoint: Endpoint) -> None:
    reference = (Path(__file__).parents[2] / "docs/reference/api.md").read_text(encoding="utf-8")
    title = f"### `{endpoint.method} {endpoint.path.replace('<name>', '{name}')}`\n"
    _, found, rest = reference.partition(title)
    section = rest.partition("\n#")[0]

    assert found
    for field in attrs.fields(endpoint.query):
        assert f"`{field.name}`" in section or f"`{field.name}=" in section, field.name


def test_no_endpoint_is_entered_twice() -> None:
    rows = [(each.method, each.path) for each in ENDPOINTS]

    assert len(rows) == len(set(rows))


@pytest.mark.parametrize(
    "path", ["/", "/api", "/api/v1", "/api/v2/agents", "/static/x", "/favicon.ico", "/api/v1/agents/web/x"]
)
async def test_an_address_that_is_none_is_told_as_a_problem(daemon: Daemon, path: str) -> None:
    got = await daemon.client.get(path)

    assert (got.status, got.code) == (404, "not_found")


async def test_the_token_appears_in_no_log(daemon: Daemon, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for endpoint in ENDPOINTS:
        if endpoint.effect is not Effect.DESTROY:
            await daemon.client.ask(endpoint.method, target(endpoint))

    assert str(daemon.client.token) not in caplog.text


async def test_a_rotated_token_is_the_only_one_that_is_taken(daemon: Daemon) -> None:
    async with await daemon.client.connect() as open_before:
        await open_before.ask("GET", "/api/v1/agents")
        new = (await daemon.client.post("/api/v1/token/rotate")).json["token"]
        kept_open = await open_before.ask("GET", "/api/v1/agents")
    old = await daemon.client.get("/api/v1/agents")
    daemon.client.token = new

    assert (old.status, kept_open.status) == (401, 401)
    assert (await daemon.client.get("/api/v1/agents")).status == 200


async def test_guessing_tokens_is_answered_with_429_and_the_right_one_is_not(daemon: Daemon) -> None:
    right, daemon.client.token = daemon.client.token, "hdy_wrong"
    # Two seconds may be touched, and each allows as many failures.
    statuses = [(await daemon.client.get("/api/v1/agents")).status for _ in range(2 * FAILURES_PER_SECOND + 2)]
    daemon.client.token = right

    assert set(statuses) == {401, 429}
    assert (await daemon.client.get("/api/v1/agents")).status == 200


async def test_headers_over_the_limit_are_refused(daemon: Daemon) -> None:
    got = await daemon.client.get("/api/v1/agents", headers=[("X-Filler", "x" * 20_000)])

    assert got.status == 431


async def test_the_daemon_tells_what_it_is(daemon: Daemon) -> None:
    got = (await daemon.client.get("/api/v1/status")).json

    assert got["version"] == "1.2.3"
    assert got["url"] == f"http://127.0.0.1:{daemon.port}"
    assert got["started_at"] == "2026-01-01T00:00:00Z"
    assert set(got) == {"version", "pid", "instance", "started_at", "url", "python", "folders"}


async def test_the_tree_is_shown_with_its_strategy_and_its_children(daemon: Daemon) -> None:
    got = (await daemon.client.get("/api/v1/tree")).json

    assert got["strategy"] == "rest_for_one"
    below = [child["id"] for child in got["children"]]
    assert below == ["store", "events", "logs", "groups", "agents-units", "agents", "http"]


async def test_the_tree_shows_every_unit_beside_its_keeper(daemon: Daemon) -> None:
    await daemon.client.post("/api/v1/agents", json={"name": "up", "command": "sleep", "start_seconds": 0})
    await daemon.client.post("/api/v1/agents", json={"name": "ill", "command": "broken"})
    await daemon.client.post("/api/v1/agents/up/start?wait=true", json={})

    tree = (await daemon.client.get("/api/v1/tree")).json
    (keepers,) = [child for child in tree["children"] if child["id"] == "agents-units"]
    nodes = {child["id"]: child for child in keepers["children"]}
    assert (nodes["up"]["kind"], nodes["up"]["state"]) == ("actor", "up")
    assert (nodes["up"]["unit"]["kind"], nodes["up"]["unit"]["state"], nodes["up"]["unit"]["ready"]) == (
        "agent",
        "RUNNING",
        True,
    )
    assert nodes["ill"]["state"] == "up"
    assert "could not start: no such file" in nodes["ill"]["unit"]["reason"]
    assert keepers["unit"] is None


class InTrouble(Actor[DirectoryRequest]):
    """A directory that answers nothing but that it cannot."""

    async def handle(self, message: DirectoryRequest, context: Context[DirectoryRequest]) -> None:
        message.reply_to.fail(Unavailable("the directory is in trouble"))


async def test_a_directory_in_trouble_does_not_hide_the_tree(start: Start) -> None:
    async with start(agents=actor("agents", InTrouble)) as daemon:
        got = await daemon.client.get("/api/v1/tree")

    assert got.status == 200
    assert [child["id"] for child in got.json["children"]] == ["store", "events", "logs", "agents", "http"]


@pytest.mark.parametrize("leave", [True, False])
async def test_the_daemon_is_asked_to_end_and_still_answers(daemon: Daemon, leave: bool) -> None:
    got = await daemon.client.post("/api/v1/shutdown", json={"leave_agents": leave})
    with trio.fail_after(30):
        await daemon.ended.wait()

    assert (got.status, got.json) == (202, {"stopping": True, "leave_agents": leave})
    assert daemon.control.stops == [leave]
