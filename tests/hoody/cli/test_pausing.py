"""Pause and resume, through the command line and a real daemon."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_an_agent_is_paused_over_a_restart_of_the_daemon_and_ends_when_it_is_stopped(hoody: Any) -> None:
    hoody("run", "--name", "napper", "--start-seconds", "50ms", "--", "sleep", "1000")
    pid = hoody.json("inspect", "napper")["status"]["pid"]

    assert hoody("pause", "napper").stdout == f"napper: paused (pid {pid})\n"
    hoody("down", "--leave-agents")
    assert state(pid) == "T"
    hoody("up")
    status = hoody.json("inspect", "napper")["status"]
    assert (status["state"], status["paused"], status["pid"]) == ("RUNNING", True, pid)

    assert hoody("resume", "napper").stdout == f"napper: resumed (pid {pid})\n"
    assert not hoody.json("inspect", "napper")["status"]["paused"]
    hoody("pause", "napper")
    hoody("stop", "napper")
    assert hoody.json("inspect", "napper")["status"]["exit"]["signal"] == "TERM"
    refused = hoody("pause", "napper", expect=1)
    assert "only what is RUNNING can be paused" in refused.stderr
    hoody.forget("napper")
