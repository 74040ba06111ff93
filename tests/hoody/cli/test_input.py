"""Input for agents, through the command line and a real daemon."""

from __future__ import annotations

import time
from typing import Any


def test_input_reaches_an_agent_over_a_restart_of_the_daemon(hoody: Any) -> None:
    script = 'while read -r line; do echo "got $line"; done'
    hoody("run", "--name", "echo", "--stdin", "pipe", "--start-seconds", "50ms", "--shell", "--", script)

    hoody("input", "echo", "one", "line")
    hoody("input", "echo", "--no-newline", "tw")
    hoody("input", "echo", stdin="o\nthree\n")
    hoody("down", "--leave-agents")
    hoody("up")
    hoody("input", "echo", "four")

    deadline = time.monotonic() + 20
    while (shown := hoody("logs", "echo").stdout).count("\n") < 4 and time.monotonic() < deadline:
        time.sleep(0.05)
    assert shown == "got one line\ngot two\ngot three\ngot four\n"
    hoody.forget("echo")


def test_an_agent_without_a_pipe_is_told_with_what_to_do(hoody: Any) -> None:
    hoody.client.agents.create("deaf", ["sleep", "1000"])
    hoody.client.agents.start("deaf", wait=True)

    refused = hoody("input", "deaf", "x", expect=1)

    assert "'deaf' takes no input" in refused.stderr
    assert 'stdin = "pipe"' in refused.stderr
    hoody.forget("deaf")
