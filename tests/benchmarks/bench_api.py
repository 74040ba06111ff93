"""Measure the HTTP API against a bare Quart-Trio route on the same server, and at 10 against 1,000 agents.

Each server is a process of its own; rounds of all of them take turns, so that a busy machine is busy for all alike. The
processor time per request is told beside the rate, since it is the steadier of the two on a shared machine. Run it as
``python tests/benchmarks/bench_api.py [--quick] [--json FILE]``.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

import trio
from quart_trio import QuartTrio

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from api.connections import serve
from api.finishing import Finishing
from api.listening import Listening, listen
from api.server import HttpService
from supervisor.agents.inputs import InputPipes
from supervisor.agents.meter import ProcessMeter
from supervisor.events import EventLog
from supervisor.health import HealthWatch
from supervisor.logs import LogReader, LogStore
from supervisor.runtime import ChildSpec, Shutdown, System, run, supervisor
from supervisor.store.health import StoreReport
from supervisor.units.directory import unit_children
from supervisor.units.services import UnitServices
from supervisor.units.spec import AgentSpec
from supervisor.units.testing import Program, Shelf, Units, fake_driver, memory_store

BARE = b'{"status":"healthy"}\n'


# ---- the servers ----


class Control:
    """A daemon that takes any token and never ends by itself."""

    version = instance = python = "bench"

    def verify_token(self, token: bytes) -> bool:
        return bool(token)


async def serve_bare(listening: Listening) -> None:
    """Serve one route that returns a constant."""
    app = QuartTrio("bare", static_folder=None)

    @app.get("/x")
    async def route() -> tuple[bytes, int, dict[str, str]]:
        return BARE, 200, {"content-type": "application/json"}

    await app.startup()
    application: Any = Finishing(app)  # type: ignore[arg-type]
    await serve(application, listening, stopping=trio.Event(), grace=1, started=partial(announce, listening))


async def serve_api(listening: Listening, agents: int) -> None:
    """Serve the API over that many running agents."""
    system, watch = System(), HealthWatch(StoreReport())
    system.telemetry.attach(watch)
    logs = LogStore(Path("/nonexistent/logs"), Path("/nonexistent/fifos"))
    events, reader = EventLog(wall=lambda: datetime.now(UTC)), LogReader(logs.logs, logs)
    service = HttpService(
        Control(),
        listening,
        logs=reader,
        health=watch,
        meter=ProcessMeter("bench"),
        inputs=InputPipes(Path("/nonexistent/inputs")),
        events=events,
    )  # type: ignore[arg-type]
    async with fake_driver(agent=Program()) as driver, trio.open_nursery() as nursery:
        services = UnitServices(driver=driver)
        events.watch(services.roster)
        shelf = Shelf()
        children = [
            memory_store(shelf),
            ChildSpec("events", events.serve),
            *unit_children(services),
            ChildSpec("http", service, shutdown=Shutdown.within(3)),
        ]
        await nursery.start(partial(run, system=system), supervisor("hoody", children=children))
        units = Units(system, services, shelf)
        spec = AgentSpec(command=("agent", "--serve"), environment={"LOG_LEVEL": "info"})
        for number in range(agents):
            await units.create(f"agent-{number:04}", spec)
        announce(listening)
        await trio.sleep_forever()


def announce(listening: Listening) -> None:
    print(listening.port, flush=True)


# ---- the load ----


class Server:
    """A server process and a client's connection to it."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, __file__, "--serve", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()

    def processor_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def load(self, target: str, count: int) -> list[float]:
        """Send requests one after another on one connection; return the seconds of each but the first."""
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            stream = connection.makefile("rb", 1 << 16)
            self._one(connection, stream, target)
            return [self._one(connection, stream, target) for _ in range(count)]

    def _one(self, connection: socket.socket, stream: Any, target: str) -> float:
        request = f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer x\r\n\r\n"
        begun = time.perf_counter()
        connection.sendall(request.encode())
        status, length = stream.readline(), 0
        if b" 200" not in status:
            raise RuntimeError(f"{target} was answered {status!r}")
        while (line := stream.readline()) not in {b"\r\n", b""}:
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        stream.read(length)
        return time.perf_counter() - begun


def measure(rounds: int, requests: int) -> dict[str, dict[str, float]]:
    """Let the servers take turns; return what each request cost, by name."""
    with ExitStack() as stack:
        bare, few, many = (
            stack.enter_context(Server(*arguments)) for arguments in (("bare",), ("api", "10"), ("api", "1000"))
        )
        cases = {
            "bare route": (bare, "/x", requests),
            "readyz, 10 agents": (few, "/readyz", requests),
            "readyz, 1000 agents": (many, "/readyz", requests),
            "health, 10 agents": (few, "/api/v1/health", requests),
            "health, 1000 agents": (many, "/api/v1/health", requests),
            "one agent of 1000": (many, "/api/v1/agents/agent-0500", requests),
            "list of 1000": (many, "/api/v1/agents", max(3, requests // 10)),
            "list of 1000, filtered": (many, "/api/v1/agents?state=RUNNING", max(3, requests // 10)),
        }
        times: dict[str, list[float]] = {name: [] for name in cases}
        spent: dict[str, float] = dict.fromkeys(cases, 0.0)
        for server, target, _ in cases.values():
            server.load(target, 20)
        for _ in range(rounds):
            for name, (server, target, count) in cases.items():
                before = server.processor_seconds()
                times[name] += server.load(target, count)
                spent[name] += server.processor_seconds() - before
    return {
        name: {
            "p50_ms": statistics.median(found) * 1000,
            "p99_ms": sorted(found)[int(len(found) * 0.99)] * 1000,
            # The quarter of the requests that was disturbed least by whatever else the machine does.
            "per_second": 1 / statistics.quantiles(found, n=8)[0],
            "processor_ms": spent[name] / len(found) * 1000,
        }
        for name, found in times.items()
    }


def goals(results: Mapping[str, Mapping[str, float]]) -> dict[str, tuple[float, float, bool]]:
    """Return each goal with its figure, its limit, and whether it is met."""

    def ratio(name: str, floor: str, key: str) -> float:
        return results[name][key] / results[floor][key]

    found = {
        "readyz against a bare route, rate": (ratio("readyz, 10 agents", "bare route", "per_second"), 0.9),
        "health against a bare route, rate": (ratio("health, 10 agents", "bare route", "per_second"), 0.9),
        "health at 1000 against 10 agents, rate": (
            ratio("health, 1000 agents", "health, 10 agents", "per_second"),
            0.9,
        ),
        "readyz at 1000 against 10 agents, rate": (
            ratio("readyz, 1000 agents", "readyz, 10 agents", "per_second"),
            0.9,
        ),
    }
    judged = {name: (figure, limit, figure >= limit) for name, (figure, limit) in found.items()}
    listing = results["list of 1000"]["processor_ms"]
    return {**judged, "listing 1000 agents, ms in the daemon": (listing, 20.0, listing <= 20.0)}


def main() -> int:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--serve", nargs="+")
    options = parser.parse_args()
    if options.serve:
        kind, *more = options.serve
        trio.run(serve_bare, listen()) if kind == "bare" else trio.run(serve_api, listen(), int(more[0]))
        return 0
    results = measure(*((20, 30) if options.quick else (100, 50)))
    print(f"{'':28}{'p50 ms':>9}{'p99 ms':>9}{'CPU ms':>9}")
    for name, row in results.items():
        print(f"{name:28}{row['p50_ms']:9.2f}{row['p99_ms']:9.2f}{row['processor_ms']:9.2f}")
    judged = goals(results)
    for name, (figure, limit, met) in judged.items():
        print(f"{'met   ' if met else 'MISSED'} {name}: {figure:.2f} (goal {limit:g})")
    if options.json:
        options.json.write_text(json.dumps({"results": results, "goals": judged}, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
