"""Programs that nobody here wrote are killed in every way, and come back; every view tells the same story."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.harness import Daemon, eventually, fetch

WAYS_TO_DIE = [signal.SIGKILL, signal.SIGTERM, signal.SIGSEGV]


def survives(daemon: Daemon, name: str, works: Callable[[], object | None]) -> None:
    """Kill the program in each way and check that it is back, works, and is told the same by all views."""
    for restarts, number in enumerate(WAYS_TO_DIE, start=1):
        pid = daemon.running(name)["status"]["pid"]
        os.kill(pid, number)

        unit = daemon.running(name, other_than=pid)
        eventually(f"{name} works again after {number.name}", works)
        told = unit["status"]["exit"]

        assert restarts == unit["status"]["restarts"]
        assert not Path(f"/proc/{pid}").exists()
        if told["signal"]:
            assert number.name.removeprefix("SIG") == told["signal"]
        else:  # the program handles the signal and ends by itself: its code is told instead
            assert told["code"] is not None
        assert told["incarnation"] == unit["status"]["incarnation"] - 1
    same_story(daemon, name)


def same_story(daemon: Daemon, name: str) -> None:
    """Compare the API, the command line and the health."""
    unit = daemon.unit(name)
    [row] = [entry for entry in daemon.json("ps") if entry["name"] == name]
    health = daemon.json("health")

    assert unit == daemon.json("inspect", name)
    assert unit["status"] == row["status"]
    assert health["status"] == "healthy"


def test_redis_keeps_its_data_through_every_kind_of_death(
    daemon: Daemon, redis_server: str, redis_cli: str, free_port: int, tmp_path: Path
) -> None:
    data = tmp_path / "redis"
    data.mkdir()

    def ask(*words: str) -> str:
        command = [redis_cli, "-p", str(free_port), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=10).stdout.strip()

    words = ["--port", str(free_port), "--dir", str(data), "--appendonly", "yes", "--appendfsync", "always"]
    daemon.hoody("run", "--name", "redis", "--backoff-initial", "100ms", "--", redis_server, *words)
    eventually("redis answers", lambda: ask("ping") == "PONG")
    assert ask("set", "motto", "still here") == "OK"

    survives(daemon, "redis", lambda: ask("get", "motto") == "still here")

    assert "Ready to accept connections" in daemon.hoody("logs", "redis", "--tail", "all").stdout


def test_pythons_http_server_serves_again(daemon: Daemon, free_port: int, tmp_path: Path) -> None:
    (tmp_path / "page.txt").write_text("hello")
    words = ["-m", "http.server", str(free_port), "--bind", "127.0.0.1", "--directory", str(tmp_path)]
    daemon.hoody("run", "--name", "web", "--backoff-initial", "100ms", "--", sys.executable, *words)

    survives(daemon, "web", lambda: fetch(f"http://127.0.0.1:{free_port}/page.txt") == "hello")


def test_a_node_program_serves_again(daemon: Daemon, node: str, free_port: int) -> None:
    script = (
        f"require('http').createServer((q, a) => a.end('from node ' + process.pid)).listen({free_port}, '127.0.0.1')"
    )
    daemon.hoody("run", "--name", "node", "--backoff-initial", "100ms", "--", node, "-e", script)

    survives(daemon, "node", lambda: (fetch(f"http://127.0.0.1:{free_port}/") or "").startswith("from node"))


def test_an_mcp_server_speaks_http_again_and_takes_its_child_along(daemon: Daemon, free_port: int) -> None:
    """mcp-proxy speaks HTTP and starts mcp-server-time as a child of its own: both are one agent."""
    tools = Path(sys.executable).parent
    words = ["--port", str(free_port), "--host", "127.0.0.1", str(tools / "mcp-server-time")]
    daemon.hoody("run", "--name", "mcp", "--backoff-initial", "100ms", "--", str(tools / "mcp-proxy"), *words)

    def initialize() -> Any:
        client = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": client}
        headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
        return "mcp-time" in (fetch(f"http://127.0.0.1:{free_port}/mcp", json.dumps(body).encode(), headers) or "")

    survives(daemon, "mcp", initialize)
    daemon.hoody("stop", "mcp")

    assert not [line for line in running_commands() if "mcp-server-time" in line and str(tools) in line]


def running_commands() -> list[str]:
    """Return the command line of every process of this machine."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(entry.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("code", "restart", "state"),
    [(0, "always", "RUNNING"), (3, "on-failure", "RUNNING"), (0, "on-failure", "EXITED"), (3, "never", "EXITED")],
)
def test_an_exit_by_itself_is_judged_by_the_restart_policy(
    daemon: Daemon, tmp_path: Path, code: int, restart: str, state: str
) -> None:
    """The program ends once by itself, with the given code, and stays the next time."""
    script = f"test -e done && exec sleep 1000; touch done; sleep 0.3; exit {code}"
    words = ["--restart", restart, "--start-seconds", "100ms", "--directory", str(tmp_path), "--shell"]
    daemon.hoody("run", "--name", "once", *words, "--", script)

    unit = eventually(
        state, lambda: (u := daemon.unit("once"))["status"]["state"] == state and u["status"]["exit"] and u
    )

    assert unit["status"]["exit"]["code"] == code
    assert unit["status"]["restarts"] == (1 if state == "RUNNING" else 0)
    assert daemon.json("inspect", "once")["status"]["state"] == state
