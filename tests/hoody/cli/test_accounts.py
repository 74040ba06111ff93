"""Users, groups and places in the queue, through the command line and a real daemon."""

from __future__ import annotations

import os
from typing import Any

import psutil
import pytest


def test_a_user_that_does_not_exist_is_refused_before_anything_is_kept(hoody: Any) -> None:
    refused = hoody("run", "--name", "stranger", "--user", "no-such-user", "--", "sleep", "1000", expect=2)

    assert "user: there is no user 'no-such-user' on this machine" in refused.stderr
    assert [unit["name"] for unit in hoody.json("ps")] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may run programs as another user")
def test_an_agent_of_another_user_runs_logs_and_stops_like_any_other(hoody: Any) -> None:
    script = "id -un; echo again >/dev/stdout; umask; sleep 1000 & wait"
    flags = ["--user", "nobody", "--umask", "077", "--nice", "3", "--directory", "/", "--start-seconds", "50ms"]
    hoody("run", "--name", "guest", *flags, "--shell", "--", script)
    unit = hoody.json("inspect", "guest")
    process = psutil.Process(unit["status"]["pid"])

    assert (process.username(), process.nice()) == ("nobody", 3)
    assert unit["spec"]["user"] == "nobody"
    for _ in range(200):
        if hoody("logs", "guest").stdout.count("\n") == 3:
            break
    assert hoody("logs", "guest").stdout == "nobody\nagain\n0077\n"
    hoody("stop", "guest")
    assert not process.is_running()
    hoody.forget("guest")
