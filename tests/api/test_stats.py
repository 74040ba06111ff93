"""What agents use, over HTTP."""

from __future__ import annotations

from tests.api.conftest import Daemon

AGENTS = "/api/v1/agents"


async def run(daemon: Daemon, name: str) -> int:
    """Run an agent and return its pid."""
    created = await daemon.client.post(AGENTS, json={"name": name, "command": ["sleep", "1"], "start_seconds": 0})
    assert created.status == 201
    got = await daemon.client.post(f"{AGENTS}/{name}/start?wait=true")
    pid = got.json["status"]["pid"]
    assert isinstance(pid, int)
    return pid


async def test_an_agent_is_measured_when_it_is_asked_for(daemon: Daemon) -> None:
    pid = await run(daemon, "web")

    got = await daemon.client.get(f"{AGENTS}/web/stats")

    assert got.status == 200
    assert got.json["memory"] == pid * 1024
    assert got.json["by_process"] == [
        {"pid": pid, "name": "program", "cpu": 12.5, "memory": pid * 1024, "threads": 2},
    ]


async def test_an_agent_that_does_not_exist_has_no_figures(daemon: Daemon) -> None:
    got = await daemon.client.get(f"{AGENTS}/nobody/stats")

    assert (got.status, got.code) == (404, "not_found")


async def test_a_list_shows_figures_only_where_they_are_asked_for(daemon: Daemon) -> None:
    pid = await run(daemon, "web")
    await daemon.client.post(f"{AGENTS}?start=false", json={"name": "rest", "command": ["sleep", "1"]})

    plain = await daemon.client.get(AGENTS)
    measured = await daemon.client.get(f"{AGENTS}?include=stats")

    assert all("stats" not in item["status"] for item in plain.json["items"])
    document = measured.json
    figures = {item["name"]: item["status"].pop("stats") for item in document["items"]}
    assert figures["web"] == {
        "cpu": 12.5,
        "window": 2.0,
        "cpu_seconds": 0.0,
        "memory": pid * 1024,
        "processes": 1,
        "threads": 2,
    }
    assert figures["rest"]["processes"] == 0
    assert document == plain.json


async def test_a_page_is_measured_and_nothing_beside_it(daemon: Daemon) -> None:
    for name in ("a", "b", "c"):
        await run(daemon, name)

    got = await daemon.client.get(f"{AGENTS}?include=stats&limit=2")

    assert [(item["name"], "stats" in item["status"]) for item in got.json["items"]] == [("a", True), ("b", True)]
    assert got.json["next"] == "b"


async def test_what_cannot_be_included_is_refused(daemon: Daemon) -> None:
    got = await daemon.client.get(f"{AGENTS}?include=secrets")

    assert (got.status, got.code) == (400, "malformed_request")
    assert got.json["errors"][0]["path"] == "include[0]"
