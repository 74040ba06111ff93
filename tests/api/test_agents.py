"""Agents over HTTP: what each request answers, and what each bad one is told."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
import trio

from supervisor.runtime import Actor, Context, actor
from supervisor.units.messages import ListUnits
from tests.api.conftest import Daemon, Start

AGENTS = "/api/v1/agents"


async def create(daemon: Daemon, name: str = "web", **keys: Any) -> None:
    """Create an agent and wait until it is RUNNING."""
    got = await daemon.client.post(AGENTS, json={"name": name, "command": ["sleep", "1"], "start_seconds": 0, **keys})
    assert got.status == 201, got.body
    assert (await daemon.client.post(f"{AGENTS}/{name}/start?wait=true")).status == 200


async def test_a_created_agent_is_answered_with_its_address_and_its_tag(daemon: Daemon) -> None:
    got = await daemon.client.post(AGENTS, json={"name": "web", "command": "sleep 1", "labels": {"team": "docs"}})

    assert got.status == 201
    assert got.headers["location"] == f"{AGENTS}/web"
    assert got.headers["etag"] == '"1"'
    assert got.json["spec"]["command"] == "sleep 1"
    assert got.json["labels"] == {"team": "docs"}
    assert got.json["status"]["desired"] == "running"


async def test_an_agent_can_be_created_without_being_started(daemon: Daemon) -> None:
    got = await daemon.client.post(f"{AGENTS}?start=false", json={"name": "web", "command": ["true"]})

    assert got.json["status"]["state"] == "STOPPED"


async def test_a_shown_agent_is_the_unit_object(daemon: Daemon) -> None:
    await create(daemon)

    got = await daemon.client.get(f"{AGENTS}/web")

    assert set(got.json) == {
        "kind",
        "name",
        "workspace",
        "labels",
        "revision",
        "created_at",
        "spec",
        "status",
        "source",
    }
    assert got.json["status"]["pid"] == daemon.driver.only("web").pid


async def test_a_head_request_answers_like_a_get_without_a_body(daemon: Daemon) -> None:
    await create(daemon)

    got = await daemon.client.ask("HEAD", f"{AGENTS}/web")

    assert (got.status, got.body, got.headers["etag"]) == (200, b"", '"1"')


async def test_the_list_is_ordered_by_name_and_filtered(daemon: Daemon) -> None:
    await create(daemon, "web", labels={"team": "docs", "tier": "1"})
    await create(daemon, "api", labels={"team": "core"}, workspace="site")
    await create(daemon, "job")
    await daemon.client.post(f"{AGENTS}/job/stop?wait=true")

    async def names(query: str) -> list[str]:
        return [item["name"] for item in (await daemon.client.get(f"{AGENTS}{query}")).json["items"]]

    assert await names("") == ["api", "job", "web"]
    assert await names("?state=STOPPED") == ["job"]
    assert await names("?state=STOPPED&state=RUNNING") == ["api", "job", "web"]
    assert await names("?label=team") == ["api", "web"]
    assert await names("?label=team%3Ddocs&label=tier") == ["web"]
    assert await names("?workspace=site") == ["api"]
    assert await names("?health=healthy") == []


async def test_pages_follow_each_other_without_a_gap_while_agents_come_and_go(daemon: Daemon) -> None:
    for name in ("a", "b", "c", "d"):
        await create(daemon, name)

    first = (await daemon.client.get(f"{AGENTS}?limit=2")).json
    await daemon.client.ask("DELETE", f"{AGENTS}/b?force=true")
    second = (await daemon.client.get(f"{AGENTS}?limit=2&after={first['next']}")).json

    assert [item["name"] for item in first["items"] + second["items"]] == ["a", "b", "c", "d"]
    assert second["next"] is None


async def test_a_list_shows_each_change_though_its_text_is_kept(daemon: Daemon) -> None:
    await create(daemon, "a")
    await create(daemon, "b")
    before = (await daemon.client.get(AGENTS)).json["items"]
    await daemon.client.post(f"{AGENTS}/a/stop?wait=true")

    after = (await daemon.client.get(AGENTS)).json["items"]

    assert [item["status"]["state"] for item in before] == ["RUNNING", "RUNNING"]
    assert [item["status"]["state"] for item in after] == ["STOPPED", "RUNNING"]


async def test_values_of_the_environment_are_shown_only_by_name(daemon: Daemon) -> None:
    await create(daemon, environment={"KEY": "s3cret", "OTHER": "als0"})

    hidden = await daemon.client.get(f"{AGENTS}/web")
    listed = await daemon.client.get(AGENTS)
    shown = await daemon.client.get(f"{AGENTS}/web?reveal=KEY&reveal=MORE")

    assert hidden.json["spec"]["environment"] == {"KEY": "***", "OTHER": "***"}
    assert b"s3cret" not in listed.body
    assert shown.json["spec"]["environment"] == {"KEY": "s3cret", "OTHER": "***"}


async def test_a_hidden_value_that_is_sent_back_is_kept(daemon: Daemon) -> None:
    await create(daemon, environment={"KEY": "s3cret"})
    unit = (await daemon.client.get(f"{AGENTS}/web")).json
    unit["spec"]["environment"]["NEW"] = "1"

    got = await daemon.client.ask("PUT", f"{AGENTS}/web", json=unit)
    shown = await daemon.client.get(f"{AGENTS}/web?reveal=KEY&reveal=NEW")

    assert got.status == 200
    assert shown.json["spec"]["environment"] == {"KEY": "s3cret", "NEW": "1"}


async def test_a_hidden_value_cannot_be_made_up(daemon: Daemon) -> None:
    got = await daemon.client.post(AGENTS, json={"name": "w", "command": "true", "environment": {"A": "***"}})

    assert got.status == 422
    assert got.json["errors"][0]["pointer"] == "/environment/A"


async def test_a_replaced_agent_has_a_new_revision(daemon: Daemon) -> None:
    await create(daemon)

    got = await daemon.client.ask("PUT", f"{AGENTS}/web", json={"command": ["sleep", "2"]})

    assert (got.status, got.json["revision"], got.headers["etag"]) == (200, 2, '"2"')
    assert got.json["spec"]["command"] == ["sleep", "2"]


@pytest.mark.parametrize(
    "patch", [{"command": "sleep 2", "directory": None}, {"spec": {"command": "sleep 2", "directory": None}}]
)
async def test_a_merge_patch_changes_what_it_names_and_null_takes_away(daemon: Daemon, patch: object) -> None:
    await create(daemon, directory="/tmp", environment={"KEY": "s3cret"}, labels={"team": "docs"})

    got = await daemon.client.ask("PATCH", f"{AGENTS}/web", json=patch)

    assert got.status == 200
    assert got.json["spec"]["command"] == "sleep 2"
    assert got.json["spec"]["directory"] is None
    assert got.json["labels"] == {"team": "docs"}
    assert (await daemon.client.get(f"{AGENTS}/web?reveal=KEY")).json["spec"]["environment"] == {"KEY": "s3cret"}


async def test_a_merge_patch_may_come_under_its_own_media_type_and_only_as_a_patch(daemon: Daemon) -> None:
    await create(daemon)
    kind = "application/merge-patch+json"

    patched = await daemon.client.ask("PATCH", f"{AGENTS}/web", body=b"{}", content_type=kind)
    put = await daemon.client.ask("PUT", f"{AGENTS}/web", body=b'{"command":"true"}', content_type=kind)

    assert patched.status == 200
    assert put.code == "unsupported_media_type"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_a_change_on_top_of_an_old_revision_is_refused(daemon: Daemon, method: str) -> None:
    await create(daemon)
    body = {} if method == "DELETE" else {"json": {"command": "true"}}
    target = f"{AGENTS}/web" + ("?force=true" if method == "DELETE" else "")

    old = await daemon.client.ask(method, target, headers=[("If-Match", '"7"')], **body)
    now = await daemon.client.ask(method, target, headers=[("If-Match", '"1"')], **body)

    assert (old.status, old.code) == (412, "revision_mismatch")
    assert now.status in {200, 204}


async def test_an_agent_that_runs_is_deleted_only_by_force(daemon: Daemon) -> None:
    await create(daemon)

    refused = await daemon.client.ask("DELETE", f"{AGENTS}/web")
    done = await daemon.client.ask("DELETE", f"{AGENTS}/web?force=true")
    gone = await daemon.client.get(f"{AGENTS}/web")

    assert (refused.status, refused.code) == (409, "invalid_transition")
    assert (done.status, done.body) == (204, b"")
    assert gone.status == 404


async def test_an_agent_is_started_stopped_restarted_and_signalled(daemon: Daemon) -> None:
    await create(daemon)

    stopped = await daemon.client.post(f"{AGENTS}/web/stop?wait=true&timeout=5s&now=true")
    refused = await daemon.client.post(f"{AGENTS}/web/signal", json={"signal": "HUP"})
    started = await daemon.client.post(f"{AGENTS}/web/start?wait")
    restarted = await daemon.client.post(f"{AGENTS}/web/restart", json={})
    signalled = await daemon.client.post(f"{AGENTS}/web/signal", json={"signal": "SIGHUP", "group": False})

    assert stopped.json["status"]["state"] == "STOPPED"
    assert refused.code == "invalid_transition"
    assert started.json["status"]["state"] == "RUNNING"
    assert restarted.json["status"]["desired"] == "running"
    assert signalled.status == 200


async def test_a_wait_ends_at_its_timeout_and_says_so(daemon: Daemon) -> None:
    await create(daemon, command=["stubborn"])

    got = await daemon.client.post(f"{AGENTS}/web/stop?wait=true&timeout=50ms")

    assert got.status == 504
    assert got.code == "ask_timeout"


async def test_an_unknown_agent_is_told_with_the_nearest_name(daemon: Daemon) -> None:
    await create(daemon, "website")

    got = await daemon.client.get(f"{AGENTS}/webstie")

    assert (got.status, got.code, got.json["hint"]) == (404, "not_found", "did you mean 'website'?")


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("a%2Fb", 400),
        ("a%2fb", 400),
        ("%00", 400),
        ("..", 404),
        (".", 404),
        ("%2e%2e", 404),
        ("a" * 300, 404),
        (quote("ünï"), 404),
        ("%FF", 404),
        ("a%20b", 404),
        ("-a", 404),
        ("a.", 404),
    ],
)
async def test_a_name_in_the_address_that_cannot_be_one_finds_nothing(daemon: Daemon, name: str, status: int) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        body = {"json": {"command": "true"}} if method in {"PUT", "PATCH"} else {}
        got = await daemon.client.ask(method, f"{AGENTS}/{name}", **body)

        assert got.status == status, method
        assert got.code in {"not_found", "malformed_request"}


@pytest.mark.parametrize(
    "name",
    [
        "a/b",
        "..",
        ".",
        "",
        "a" * 65,
        "a" * 300,
        "ünï",
        "a\0",
        "a b",
        "-a",
        "a.",
        "a\n",
        "\ud83d\ude00",
        5,
        None,
        ["a"],
        {},
        True,
    ],
)
async def test_a_name_in_a_definition_that_cannot_be_one_is_refused(daemon: Daemon, name: object) -> None:
    got = await daemon.client.post(AGENTS, json={"name": name, "command": "true"})

    assert (got.status, got.code) == (422, "invalid_input")
    assert got.json["errors"][0]["path"] == "name"
    assert (await daemon.client.get(AGENTS)).json["items"] == []


async def test_a_name_that_is_taken_is_refused(daemon: Daemon) -> None:
    await create(daemon)

    got = await daemon.client.post(AGENTS, json={"name": "web", "command": "true"})

    assert (got.status, got.code) == (409, "already_exists")


async def test_every_fault_of_a_definition_is_told_at_once(daemon: Daemon) -> None:
    got = await daemon.client.post(
        AGENTS, json={"name": "web", "comand": "x", "backoff": {"initial": "soon"}, "success_exit_codes": [0, "1"]}
    )

    assert got.status == 422
    assert {error["path"]: error["pointer"] for error in got.json["errors"]} == {
        "comand": "/comand",
        "command": "/command",
        "backoff.initial": "/backoff/initial",
        "success_exit_codes[1]": "/success_exit_codes/1",
    }
    assert "did you mean 'command'" in got.json["detail"]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 422, "invalid_input"),
        (b"{", 400, "malformed_request"),
        (b"null", 422, "invalid_input"),
        (b"[]", 422, "invalid_input"),
        (b'"x"', 422, "invalid_input"),
        (b'{"name":"a","name":"b","command":"x"}', 400, "malformed_request"),
        (b'{"name":"\xff"}', 400, "malformed_request"),
        (b'{"a":NaN}', 400, "malformed_request"),
        (b"[" * 10_000, 400, "malformed_request"),
        (b"9" * 10_000, 400, "malformed_request"),
        (b'{"name":"' + b"a" * 2_000_000 + b'"}', 413, "request_too_large"),
    ],
)
async def test_a_body_that_is_no_definition_is_refused_and_changes_nothing(
    daemon: Daemon, body: bytes, status: int, code: str
) -> None:
    await create(daemon)
    before = (await daemon.client.get(AGENTS)).body
    for method, target in (("POST", AGENTS), ("PUT", f"{AGENTS}/web"), ("PATCH", f"{AGENTS}/web")):
        got = await daemon.client.ask(method, target, body=body)

        assert (got.status, got.code) == (status, code), method

    assert (await daemon.client.get(AGENTS)).body == before


async def test_a_body_that_grows_over_the_limit_without_saying_so_is_refused(daemon: Daemon) -> None:
    got = await daemon.client.post(AGENTS, body=b"x" * 1_100_000, headers=[("Transfer-Encoding", "chunked")])

    assert (got.status, got.code) == (413, "request_too_large")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", None]
)
async def test_a_body_that_is_not_said_to_be_json_is_refused(daemon: Daemon, kind: str | None) -> None:
    got = await daemon.client.post(AGENTS, body=b'{"name":"a","command":"true"}', content_type=kind)

    assert (got.status, got.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (f"{AGENTS}?staet=RUNNING", "staet"),
        (f"{AGENTS}?state=running", "state[0]"),
        (f"{AGENTS}?state=", "state[0]"),
        (f"{AGENTS}?limit=0", "limit"),
        (f"{AGENTS}?limit=1001", "limit"),
        (f"{AGENTS}?limit=-1", "limit"),
        (f"{AGENTS}?limit=two", "limit"),
        (f"{AGENTS}?limit=1&limit=2", "limit"),
        (f"{AGENTS}?limit={'9' * 100}", "limit"),
        (f"{AGENTS}/web?reveall=KEY", "reveall"),
    ],
)
async def test_a_query_that_cannot_be_read_is_refused_by_name(daemon: Daemon, target: str, path: str) -> None:
    got = await daemon.client.get(target)

    assert (got.status, got.code) == (400, "malformed_request")
    assert [error["path"] for error in got.json["errors"]] == [path]


@pytest.mark.parametrize("query", ["%FF", "a=%FF", "&".join(f"a{n}=1" for n in range(200))])
async def test_a_query_that_is_no_text_or_has_no_end_is_refused(daemon: Daemon, query: str) -> None:
    got = await daemon.client.get(f"{AGENTS}?{query}")

    assert (got.status, got.code) == (400, "malformed_request")


@pytest.mark.parametrize(
    ("action", "query"),
    [
        ("start", "wait=yes"),
        ("start", "timeout=soon"),
        ("start", "timeout=-1"),
        ("stop", "timeout=2h"),
        ("restart", "now=true"),
        ("signal", "wait=true"),
    ],
)
async def test_an_action_takes_only_its_own_parameters(daemon: Daemon, action: str, query: str) -> None:
    await create(daemon)

    got = await daemon.client.post(
        f"{AGENTS}/web/{action}?{query}", json={"signal": "HUP"} if action == "signal" else None
    )

    assert (got.status, got.code) == (400, "malformed_request")


@pytest.mark.parametrize(
    "body", [{}, {"signal": "NOPE"}, {"signal": 0}, {"signal": "HUP", "grop": True}, {"signal": [1]}, []]
)
async def test_a_signal_that_is_none_is_refused(daemon: Daemon, body: object) -> None:
    await create(daemon)

    got = await daemon.client.post(f"{AGENTS}/web/signal", json=body)

    assert (got.status, got.code) == (422, "invalid_input")


async def test_an_action_that_takes_no_body_refuses_one_with_keys(daemon: Daemon) -> None:
    await create(daemon)

    got = await daemon.client.post(f"{AGENTS}/web/start", json={"wait": True})

    assert (got.status, got.json["errors"][0]["path"]) == (422, "wait")


async def test_a_full_directory_is_told_at_once(start: Start) -> None:
    blocked = trio.Event()

    class Busy(Actor[ListUnits]):
        async def handle(self, message: ListUnits, context: Context[ListUnits]) -> None:
            await blocked.wait()
            message.reply_to.send(())

    async with start(agents=actor("agents", Busy, mailbox=1)) as daemon, trio.open_nursery() as nursery:
        for _ in range(2):
            nursery.start_soon(daemon.client.get, AGENTS)
            await trio.sleep(0.05)

        got = await daemon.client.get(AGENTS)
        blocked.set()

    assert (got.status, got.code) == (503, "overloaded")
    assert got.headers["retry-after"] == "1"


async def test_a_directory_that_is_not_up_is_told_as_such(start: Start) -> None:
    class Other(Actor[ListUnits]):
        async def handle(self, message: ListUnits, context: Context[ListUnits]) -> None:
            message.reply_to.send(())

    async with start(agents=actor("somebody-else", Other)) as daemon:
        got = await daemon.client.get(AGENTS)

    assert (got.status, got.code) == (503, "actor_not_found")


async def test_an_agent_that_cannot_be_started_says_why_to_whoever_waits(daemon: Daemon) -> None:
    await daemon.client.post(f"{AGENTS}?start=false", json={"name": "web", "command": "broken"})

    got = await daemon.client.post(f"{AGENTS}/web/start?wait=true")

    assert (got.status, got.code) == (502, "spawn_failed")
    assert "no such file" in got.json["detail"]


async def test_the_same_request_under_one_key_is_done_once(daemon: Daemon) -> None:
    body = {"name": "web", "command": "true"}
    key = [("Idempotency-Key", "k1")]

    first = await daemon.client.post(AGENTS, json=body, headers=key)
    second = await daemon.client.post(AGENTS, json=body, headers=key)
    other = await daemon.client.post(AGENTS, json={**body, "shell": False}, headers=key)
    without = await daemon.client.post(AGENTS, json=body)

    assert (first.status, second.status) == (201, 201)
    assert first.body == second.body
    assert (other.status, other.code) == (422, "invalid_input")
    assert without.status == 409


async def test_a_request_that_failed_can_be_tried_again_under_its_key(daemon: Daemon) -> None:
    await create(daemon)
    body = {"name": "web", "command": "true"}
    key = [("Idempotency-Key", "k1")]

    refused = await daemon.client.post(AGENTS, json=body, headers=key)
    await daemon.client.ask("DELETE", f"{AGENTS}/web?force=true")
    done = await daemon.client.post(AGENTS, json=body, headers=key)

    assert (refused.status, done.status) == (409, 201)


@pytest.mark.parametrize(
    ("target", "header"),
    [
        (AGENTS, ("Idempotency-Key", "a b")),
        (AGENTS, ("Idempotency-Key", "k" * 129)),
        (AGENTS, ("If-Match", '"1"')),
    ],
)
async def test_a_header_that_is_not_taken_is_refused_and_not_ignored(
    daemon: Daemon, target: str, header: tuple[str, str]
) -> None:
    got = await daemon.client.post(target, json={"name": "web", "command": "true"}, headers=[header])

    assert (got.status, got.code) == (400, "malformed_request")


@pytest.mark.parametrize("verb", ["start", "stop", "restart", "signal"])
async def test_what_is_asked_of_an_older_revision_is_refused_and_not_done(daemon: Daemon, verb: str) -> None:
    await create(daemon)
    body = {"signal": "HUP"} if verb == "signal" else {}
    old = await daemon.client.post(f"{AGENTS}/web/{verb}", json=body, headers=[("If-Match", '"7"')])
    before = (await daemon.client.get(f"{AGENTS}/web")).json
    present = await daemon.client.post(f"{AGENTS}/web/{verb}", json=body, headers=[("If-Match", '"1"')])

    assert (old.status, old.code) == (412, "revision_mismatch")
    assert (before["status"]["state"], before["status"]["incarnation"]) == ("RUNNING", 1)
    assert present.status == 200


async def test_a_restart_under_one_key_is_done_once(daemon: Daemon) -> None:
    await create(daemon)
    for _ in range(2):
        await daemon.client.post(f"{AGENTS}/web/restart?wait=true", headers=[("Idempotency-Key", "k")])

    assert (await daemon.client.get(f"{AGENTS}/web")).json["status"]["incarnation"] == 2


async def test_agents_are_selected_by_their_labels(daemon: Daemon) -> None:
    for name, labels in (("a", {"tier": "web"}), ("b", {"tier": "api", "old": "yes"}), ("c", {})):
        await daemon.client.post(f"{AGENTS}?start=false", json={"name": name, "command": "x", "labels": labels})

    async def chosen(selector: str) -> list[str]:
        got = await daemon.client.get(f"{AGENTS}?selector={quote(selector)}")
        return [unit["name"] for unit in got.json["items"]]

    assert await chosen("tier in (web, api)") == ["a", "b"]
    assert await chosen("tier, !old") == ["a"]
    assert await chosen("tier!=web") == ["b", "c"]
    got = await daemon.client.get(f"{AGENTS}?selector=tier+in")
    assert (got.status, got.json["errors"][0]["path"]) == (400, "selector")


@pytest.mark.parametrize("tag", ["1", 'W/"1"', '"x"', '"1", "2"', '"-1"', '"' + "9" * 40 + '"'])
async def test_a_tag_that_is_none_of_ours_is_refused(daemon: Daemon, tag: str) -> None:
    await create(daemon)

    got = await daemon.client.ask("DELETE", f"{AGENTS}/web", headers=[("If-Match", tag)])

    assert (got.status, got.code) == (400, "malformed_request")


async def test_a_client_that_vanishes_at_once_cancels_nothing_that_it_asked_for(daemon: Daemon) -> None:
    await create(daemon, "a")
    for number in range(20):
        action = "stop" if number % 2 == 0 else "start"
        async with await daemon.client.connect() as connection:
            await connection.send("POST", f"{AGENTS}/a/{action}?wait=true")
        wanted = "STOPPED" if number % 2 == 0 else "RUNNING"
        with trio.fail_after(30):
            while (await daemon.client.get(f"{AGENTS}/a")).json["status"]["state"] != wanted:  # noqa: ASYNC110
                await trio.sleep(0.005)


async def test_a_client_that_vanishes_in_the_middle_of_its_body_has_asked_for_nothing(daemon: Daemon) -> None:
    body = json.dumps({"name": "web", "command": "true"}).encode()
    async with await daemon.client.connect() as connection:
        head = (
            f"POST {AGENTS} HTTP/1.1\r\nHost: {daemon.client.host}\r\nAuthorization: Bearer {daemon.client.token}\r\n"
        )
        await connection.stream.send_all(
            head.encode() + b"Content-Type: application/json\r\nContent-Length: 100\r\n\r\n" + body
        )
        await trio.sleep(0.05)
    await trio.sleep(0.05)

    assert (await daemon.client.get(AGENTS)).json["items"] == []
