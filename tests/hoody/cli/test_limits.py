"""Limits, through the command line and a real daemon."""

from __future__ import annotations

import sys
import time
from typing import Any


def test_a_program_that_takes_too_much_memory_is_ended_for_its_limit_and_shows_how_it_is_held(hoody: Any) -> None:
    """Whether the kernel or a look once a second holds it to that, depends on the machine."""
    program = "x = bytearray(300_000_000); import time; time.sleep(1000)"
    flags = ["--memory", "60MiB", "--cpu", "0.5", "--restart", "never", "--start-seconds", "50ms", "--no-wait"]
    hoody("run", "--name", "greedy", *flags, "--", sys.executable, "-S", "-c", program)
    deadline = time.monotonic() + 20
    while not (unit := hoody.client.agents.get("greedy"))["status"]["exit"] and time.monotonic() < deadline:
        time.sleep(0.05)

    shown = hoody("inspect", "greedy").stdout
    assert unit["status"]["exit"]["reason"] == "limit"
    assert unit["status"]["counters"]["limits"] == 1
    assert unit["spec"]["limits"]["memory"] == 60 << 20
    assert set(unit["status"]["limits"]) == {"memory", "cpu"}
    assert "limit on memory" in shown
    assert "60MiB" in unit["status"]["exit"]["detail"]
    hoody.forget("greedy")


def test_a_limit_that_cannot_be_is_refused_with_its_place(hoody: Any) -> None:
    refused = hoody("run", "--name", "odd", "--open-files", "2", "--", "sleep", "1", expect=2)

    assert "limits.open_files: must be between 3 and" in refused.stderr
