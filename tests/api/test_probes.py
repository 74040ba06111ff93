"""Liveness, readiness and health, as probes and people ask for them."""

from __future__ import annotations

import trio

from supervisor.runtime import Actor, Context, actor
from supervisor.store.health import Finding
from supervisor.units.messages import ListUnits
from tests.api.conftest import Daemon, Start


async def test_a_daemon_whose_parts_are_up_is_ready_and_tells_nothing_more(daemon: Daemon) -> None:
    daemon.client.token = None

    short = await daemon.client.get("/readyz")
    verbose = await daemon.client.get("/readyz?verbose")

    assert (short.status, short.body) == (200, b"ok\n")
    assert (verbose.status, verbose.body) == (200, b"[+]agents ok\n[+]daemon ok\n[+]logs ok\n[+]mailboxes ok\nok\n")


async def test_a_daemon_whose_directory_does_not_answer_is_alive_and_not_ready(start: Start) -> None:
    class Other(Actor[ListUnits]):
        async def handle(self, message: ListUnits, context: Context[ListUnits]) -> None:
            raise AssertionError("nobody asks it")

    async with start(agents=actor("somebody-else", Other)) as daemon:
        alive = await daemon.client.get("/livez")
        ready = await daemon.client.get("/readyz?verbose=true")
        health = await daemon.client.get("/api/v1/health")

    assert alive.status == 200
    assert (ready.status, ready.body) == (503, b"[-]agents failed\nnot ready\n")
    assert health.code == "actor_not_found"


async def test_health_counts_agents_and_names_those_that_are_not_well(daemon: Daemon) -> None:
    await daemon.client.post("/api/v1/agents", json={"name": "good", "command": "sleep", "start_seconds": 0})
    await daemon.client.post("/api/v1/agents/good/start?wait=true")
    await daemon.client.post("/api/v1/agents", json={"name": "bad", "command": "broken", "on_give_up": "retry"})
    with trio.fail_after(30):
        while not (health := (await daemon.client.get("/api/v1/health")).json)["kinds"]["agents"]["unhealthy"]:  # noqa: ASYNC110
            await trio.sleep(0.01)

    assert health["status"] == "degraded"
    assert health["kinds"]["agents"]["total"] == 2
    assert health["kinds"]["agents"]["unhealthy"] == ["bad"]


async def test_a_store_that_needs_attention_shows_in_the_health_and_leaves_the_daemon_ready(daemon: Daemon) -> None:
    daemon.store.add(Finding(sentence="a unit cannot be read", unreadable="old"))

    health = (await daemon.client.get("/api/v1/health")).json

    assert health["status"] == "degraded"
    assert health["store"]["unreadable"] == ["old"]
    assert (await daemon.client.get("/readyz")).status == 200
