"""A daemon that is killed in the middle of an apply has done all of it or nothing, and what runs is what it says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.end_to_end.harness import Daemon, eventually

AGENTS = 8


def document(version: int, number: int) -> str:
    """Declare so many agents; ``version`` is in the environment of each."""
    return "\n".join(
        f'[agents.a{index}]\ncommand = ["sleep", "1000"]\nstart_seconds = "0"\nenvironment = {{ V = "{version}" }}\n'
        for index in range(number)
    )


def versions(daemon: Daemon) -> list[str]:
    """Return the version in the definition of every agent."""
    found = daemon.json("export", "--reveal", "V")["agents"]
    return [agent["environment"]["V"] for agent in found.values()]


def runs_as_declared(daemon: Daemon, version: str) -> bool | None:
    units = daemon.json("ps")
    if any(unit["status"]["state"] != "RUNNING" for unit in units):
        return None
    for unit in units:
        try:
            variables = Path(f"/proc/{unit['status']['pid']}/environ").read_bytes().split(b"\0")
        except OSError:
            return None
        if f"V={version}".encode() not in variables:
            return None
    return True


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.0, 0.04, 0.06, 0.12])
def test_an_apply_that_is_cut_off_by_a_kill_was_done_whole_or_not_at_all(daemon: Daemon, after: float) -> None:
    file = daemon.home / "many.toml"
    file.write_text(document(1, AGENTS))
    daemon.hoody("apply", "-f", str(file))
    eventually("all to run", lambda: runs_as_declared(daemon, "1"))
    file.write_text(document(2, AGENTS + 4))
    pid = daemon.pid
    apply = subprocess.Popen(
        [sys.executable, "-m", "hoody", "apply", "-f", str(file)],
        env=daemon.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    # Until about when the request is there: a command takes that long to start.
    time.sleep(0.1 + after)
    os.kill(pid, signal.SIGKILL)
    apply.wait(30)
    daemon.up()
    found = versions(daemon)

    assert found in (["1"] * AGENTS, ["2"] * (AGENTS + 4))
    eventually("all to run as declared", lambda: runs_as_declared(daemon, found[0]))
    daemon.hoody("apply", "-f", str(file))
    eventually("all to run by the new definition", lambda: runs_as_declared(daemon, "2"))
    assert versions(daemon) == ["2"] * (AGENTS + 4)
