"""The server as such: connections, and their end. Each of these went wrong on the stack as shipped."""

from __future__ import annotations

import pytest
import trio

from tests.api.conftest import Daemon, Start


async def test_a_daemon_answers(daemon: Daemon) -> None:
    got = await daemon.client.get("/livez")

    assert (got.status, got.body) == (200, b"ok\n")


async def test_one_connection_serves_many_requests(daemon: Daemon) -> None:
    async with await daemon.client.connect() as connection:
        statuses = [(await connection.ask("GET", "/api/v1/agents")).status for _ in range(3)]

    assert statuses == [200, 200, 200]


async def test_a_client_that_asks_for_the_connection_to_be_closed_sees_it_closed(daemon: Daemon) -> None:
    async with await daemon.client.connect() as connection:
        await connection.ask("GET", "/api/v1/agents", headers=[("Connection", "close")])

        assert await connection.closed_by_server(within=20)


async def test_idle_clients_do_not_delay_the_stop(start: Start) -> None:
    async with start(grace=30) as daemon, await daemon.client.connect() as connection:
        await connection.ask("GET", "/api/v1/agents")

        assert await daemon.stop() < 20
        assert await connection.closed_by_server(within=20)


async def test_a_client_that_connected_and_says_nothing_does_not_delay_the_stop(start: Start) -> None:
    async with start(grace=30) as daemon, await daemon.client.connect():
        await trio.sleep(0.05)

        assert await daemon.stop() < 20


async def test_a_client_that_stops_reading_delays_the_stop_by_the_grace_and_no_more(start: Start) -> None:
    async with start(grace=0.3) as daemon:
        for number in range(20):
            body = {"name": f"a{number}", "command": ["true", "x" * 100_000]}
            assert (await daemon.client.post("/api/v1/agents", json=body)).status == 201
        async with await daemon.client.connect() as connection:
            for _ in range(8):
                await connection.send("GET", "/api/v1/agents")
                connection.protocol = type(connection.protocol)(connection.protocol.our_role)
            await trio.sleep(0.3)

            assert await daemon.stop() < 1.5


async def test_a_stopped_daemon_refuses_connections_instead_of_leaving_them_hanging(start: Start) -> None:
    async with start() as daemon:
        await daemon.stop()

        with pytest.raises(OSError, match="all attempts to connect"):
            await daemon.client.connect()


async def test_a_service_that_crashed_comes_back_on_its_port_with_the_clients_that_waited(start: Start) -> None:
    async with start() as daemon:
        (node,) = [child for child in daemon.system.tree().children if child.id == "http"]
        daemon.http.crash.set()
        got = await daemon.client.get("/livez")
        (after,) = [child for child in daemon.system.tree().children if child.id == "http"]

    assert got.status == 200
    assert after.incarnation == node.incarnation + 1


async def test_a_service_that_is_cancelled_drops_a_client_that_stopped_reading(start: Start) -> None:
    async with start(grace=30) as daemon:
        await daemon.client.post("/api/v1/agents", json={"name": "big", "command": ["sleep", "x" * 900_000]})
        async with await daemon.client.connect() as connection:
            for _ in range(8):
                await connection.send("GET", "/api/v1/agents/big")
                connection.protocol = type(connection.protocol)(connection.protocol.our_role)
            await trio.sleep(0.2)
            began = trio.current_time()
            daemon.http.crash.set()
            await daemon.client.get("/livez")

            assert trio.current_time() - began < 20
