"""Groups over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.conftest import Daemon

SPEC = {"members": ["a", "b"], "strategy": "rest_for_one", "period": "30s"}


async def define(daemon: Daemon) -> Any:
    for name in ("a", "b"):
        body = {"name": name, "command": "sleep", "start_seconds": 0}
        await daemon.client.post("/api/v1/agents?start=false", json=body)
    return await daemon.client.post("/api/v1/groups", json={"name": "pipe", **SPEC})


async def test_a_group_is_defined_shown_started_stopped_and_forgotten(daemon: Daemon) -> None:
    got = await define(daemon)
    assert got.status == 201
    assert (got.json["name"], got.json["state"], got.json["spec"]["max_restarts"]) == ("pipe", "stopped", 10)
    assert got.json["spec"]["period"] == "30s"

    got = await daemon.client.post("/api/v1/groups/pipe/start?wait=true", json={})
    assert (got.status, got.json["state"]) == (200, "up")
    assert [member["state"] for member in got.json["members"]] == ["RUNNING", "RUNNING"]
    assert (await daemon.client.get("/api/v1/groups/pipe")).json == got.json
    assert (await daemon.client.get("/api/v1/groups")).json == {"items": [got.json]}
    assert (await daemon.client.post("/api/v1/groups/pipe/restart?wait=true", json={})).json["state"] == "up"
    assert (await daemon.client.post("/api/v1/groups/pipe/stop", json={})).json["state"] == "stopped"
    got = await daemon.client.ask("PUT", "/api/v1/groups/pipe", json={"members": ["b"]})
    assert (got.status, got.json["spec"]["strategy"]) == (200, "one_for_one")

    assert (await daemon.client.ask("DELETE", "/api/v1/groups/pipe")).status == 204
    assert (await daemon.client.get("/api/v1/groups/pipe")).status == 404


async def test_the_tree_shows_groups_with_their_strategy_and_members(daemon: Daemon) -> None:
    await define(daemon)

    tree = (await daemon.client.get("/api/v1/tree")).json

    (keeper,) = [child for child in tree["children"] if child["id"] == "groups"]
    (group,) = keeper["children"]
    assert (group["id"], group["kind"], group["strategy"], group["state"]) == (
        "pipe",
        "group",
        "rest_for_one",
        "stopped",
    )
    assert [(child["id"], child["state"]) for child in group["children"]] == [
        ("agents/a", "STOPPED"),
        ("agents/b", "STOPPED"),
    ]


@pytest.mark.parametrize(
    ("body", "status", "sentence"),
    [
        ([], 422, "expected a table"),
        ({}, 422, "name"),
        ({"name": "x"}, 422, "members: is required"),
        ({"name": "x", "members": []}, 422, "at least one member"),
        ({"name": "x", "members": ["ghost"]}, 422, "there is no unit 'ghost'"),
        ({"name": "x", "members": ["a"], "strategy": "all"}, 422, "one_for_all"),
        ({"name": "x", "members": ["a"], "membrs": 1}, 422, "membrs"),
        ({"name": "pipe", "members": ["a"]}, 409, "exists already"),
        ({"name": "x", "members": ["a"]}, 422, "is a member of the group 'pipe' already"),
    ],
)
async def test_a_group_that_cannot_be_is_refused(daemon: Daemon, body: Any, status: int, sentence: str) -> None:
    await define(daemon)

    got = await daemon.client.post("/api/v1/groups", json=body)

    assert got.status == status
    assert sentence in got.json["detail"]


async def test_a_group_that_is_not_there_is_not_found(daemon: Daemon) -> None:
    await define(daemon)

    got = await daemon.client.post("/api/v1/groups/pipes/start", json={})

    assert (got.status, got.json["hint"]) == (404, "did you mean 'pipe'?")
