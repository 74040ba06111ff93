"""Fixtures of the end-to-end tests."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.harness import Daemon, need


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """Start a daemon, hand it out, and take it down with everything that it runs."""
    found = Daemon(tmp_path / "home")
    found.home.mkdir()
    found.up()
    yield found
    result = found.hoody("down", expect=None)
    if result.returncode != 0:
        # A test has broken the daemon on purpose or by accident: leave no process behind either way.
        for entry in Path("/proc").glob("[0-9]*/environ"):
            try:
                ours = f"HOODY_HOME={found.home}".encode() in entry.read_bytes()
            except OSError:
                continue
            if ours and int(entry.parent.name) != os.getpid():
                os.kill(int(entry.parent.name), signal.SIGKILL)


@pytest.fixture
def redis_server() -> str:
    return need("redis-server", "redis")


@pytest.fixture
def redis_cli() -> str:
    return need("redis-cli", "redis")


@pytest.fixture
def node() -> str:
    return need("node", "node")


@pytest.fixture
def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
