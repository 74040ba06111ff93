"""Apply and export over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Daemon
from tests.api.wire import Got

WEB = {"command": ["sleep", "9"], "environment": {"KEY": "secret"}}
DOCUMENT = {"agents": {"web": WEB, "job": {"command": "true"}}}


async def apply(daemon: Daemon, document: Any = DOCUMENT, **more: Any) -> Got:
    return await daemon.client.post("/api/v1/apply", json={"document": document, "source": "here", **more})


def actions(got: Got) -> dict[str, str]:
    return {change["name"]: change["action"] for change in got.json["changes"]}


async def test_a_document_is_applied_and_told_and_a_second_time_nothing_is_done(daemon: Daemon) -> None:
    first, second = await apply(daemon), await apply(daemon)

    assert (first.status, first.json["applied"], actions(first)) == (200, True, {"job": "create", "web": "create"})
    assert actions(second) == {"job": "unchanged", "web": "unchanged"}
    web = (await daemon.client.get("/api/v1/agents/web")).json
    assert (web["source"], web["spec"]["command"]) == ("here", ["sleep", "9"])


async def test_what_is_exported_changes_nothing_when_it_is_applied_and_hides_secrets(daemon: Daemon) -> None:
    await apply(daemon)
    exported = (await daemon.client.get("/api/v1/export")).json
    revealed = (await daemon.client.get("/api/v1/export?reveal=KEY")).json
    others = (await daemon.client.get("/api/v1/export?source=elsewhere")).json

    assert exported["agents"] == {"job": {"command": "true"}, "web": {**WEB, "environment": {"KEY": "***"}}}
    assert revealed == {**DOCUMENT, "groups": {}}
    assert others == {"agents": {}, "groups": {}}
    assert set(actions(await apply(daemon, exported, prune=True)).values()) == {"unchanged"}


async def test_a_change_is_told_key_by_key_without_secrets_and_a_dry_run_does_nothing(daemon: Daemon) -> None:
    await apply(daemon)
    web = {"command": ["sleep", "9"], "environment": {"KEY": "hunter2"}, "labels": {"a": "b"}}
    got = await apply(daemon, {"agents": {"web": web}}, prune=True, dry_run=True)

    assert got.json["applied"] is False
    assert b"hunter2" not in got.body
    assert b"secret" not in got.body
    job, change = got.json["changes"]
    assert (job["action"], change["action"]) == ("delete", "replace")
    assert [key["key"] for key in change["keys"]] == ["environment.KEY", "labels.a"]
    assert actions(await apply(daemon)) == {"job": "unchanged", "web": "unchanged"}


async def test_pruning_removes_what_is_not_declared_any_more(daemon: Daemon) -> None:
    await apply(daemon)
    got = await apply(daemon, {}, prune=True)

    assert actions(got) == {"job": "delete", "web": "delete"}
    assert [change["error"] for change in got.json["changes"]] == [None, None]
    assert (await daemon.client.get("/api/v1/agents")).json["items"] == []


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        (
            {"document": {"agents": {"web": {"comand": "x", "backoff": {"max": "soon"}}, "ok": {"command": "x"}}}},
            {"agents.web.comand", "agents.web.command", "agents.web.backoff.max"},
        ),
        ({"document": {"agents": {"x": {"command": "x", "environment": {"A": "***"}}}}}, {"agents.x.environment.A"}),
        ({"document": {"daemon": {}}}, {"daemon"}),
        ({"document": []}, {"document"}),
        ({"document": {}, "source": ""}, {"source"}),
        ({"dokument": {}}, {"dokument"}),
    ],
)
async def test_bad_documents_change_nothing_and_are_told_with_every_fault(
    daemon: Daemon, body: Any, paths: set[str]
) -> None:
    got = await daemon.client.post("/api/v1/apply", json=body)

    assert (got.status, got.code) == (422, "invalid_input")
    assert {error["path"] for error in got.json["errors"]} == paths
    assert (await daemon.client.get("/api/v1/agents")).json["items"] == []


async def test_an_idempotency_key_gets_the_first_answer_again(daemon: Daemon) -> None:
    body = {"document": DOCUMENT}
    key = [("Idempotency-Key", "one")]
    first = await daemon.client.post("/api/v1/apply", json=body, headers=key)
    second = await daemon.client.post("/api/v1/apply", json=body, headers=key)

    assert first.json == second.json
    assert actions(second) == {"job": "create", "web": "create"}


PIPELINE = {
    "agents": {name: {"command": ["sleep", "9"]} for name in ("pipe-source", "pipe-filter", "pipe-sink")},
    "groups": {"pipeline": {"members": ["pipe-source", "pipe-filter", "pipe-sink"], "strategy": "rest_for_one"}},
}


def groups_in(got: Got) -> dict[str, str]:
    return {each["name"]: each["action"] for each in got.json["changes"] if each["kind"] == "group"}


async def test_groups_are_applied_exported_and_pruned_with_the_agents_in_them(daemon: Daemon) -> None:
    first, second = await apply(daemon, PIPELINE), await apply(daemon, PIPELINE)
    exported = (await daemon.client.get("/api/v1/export")).json
    from_elsewhere = (await daemon.client.get("/api/v1/export?source=elsewhere")).json
    of_a_workspace = (await daemon.client.get("/api/v1/export?workspace=x")).json
    shown = (await daemon.client.get("/api/v1/groups/pipeline")).json
    again = await apply(daemon, exported, prune=True)
    left = (await apply(daemon, {})).json["left"]
    gone = await apply(daemon, {}, prune=True)

    assert (first.status, groups_in(first)) == (200, {"pipeline": "create"})
    assert exported == PIPELINE
    assert from_elsewhere["groups"] == of_a_workspace["groups"] == {}
    assert (shown["source"], shown["spec"]["strategy"]) == ("here", "rest_for_one")
    assert {each["action"] for got in (second, again) for each in got.json["changes"]} == {"unchanged"}
    assert left == ["pipe-filter", "pipe-sink", "pipe-source", "groups/pipeline"]
    assert groups_in(gone) == {"pipeline": "delete"}
    assert (await daemon.client.get("/api/v1/groups")).json["items"] == []


async def test_a_change_of_a_group_is_told_key_by_key(daemon: Daemon) -> None:
    await apply(daemon, PIPELINE)
    changed = {"pipeline": {"members": ["pipe-source", "pipe-sink"], "strategy": "one_for_all"}}
    got = await apply(daemon, {**PIPELINE, "groups": changed})

    (change,) = [each for each in got.json["changes"] if each["action"] != "unchanged"]
    assert (change["kind"], change["action"], change["restart"]) == ("group", "replace", False)
    assert {key["key"]: key["after"] for key in change["keys"]} == {
        "members": ["pipe-source", "pipe-sink"],
        "strategy": "one_for_all",
    }


@pytest.mark.parametrize(
    ("group", "path"),
    [
        ({"members": ["nobody"]}, "groups.pipe.members[0]"),
        ({"members": ["groups/pipe"]}, "groups.pipe.members"),
        ({"members": []}, "groups.pipe.members"),
        ({"members": ["web"], "stategy": "one_for_all"}, "groups.pipe.stategy"),
        ({"strategy": "one_for_all"}, "groups.pipe.members"),
        ([], "groups.pipe"),
    ],
)
async def test_a_group_that_cannot_be_keeps_the_whole_document_out(daemon: Daemon, group: Any, path: str) -> None:
    got = await apply(daemon, {"agents": {"web": WEB}, "groups": {"pipe": group}})

    assert got.status == 422
    assert path in {each["path"] for each in got.json["errors"]}
    assert (await daemon.client.get("/api/v1/agents")).json["items"] == []
