"""Programs that are run once, and waited for."""

from __future__ import annotations

import pytest

from tests.end_to_end.harness import Daemon

ONCE = ("--restart", "never", "--start-seconds", "0s")


@pytest.mark.parametrize(("script", "code"), [("exit 0", 0), ("sleep 0.3; exit 7", 7), ("kill -TERM $$", 143)])
def test_a_program_that_runs_once_is_waited_for_and_gives_its_exit_code(daemon: Daemon, script: str, code: int) -> None:
    result = daemon.hoody("run", "--name", "once", *ONCE, "--shell", "--", script, expect=code)

    assert "EXITED" in result.stdout
    status = daemon.unit("once")["status"]
    assert (status["state"], status["incarnation"], status["restarts"]) == ("EXITED", 1, 0)


def test_a_program_that_runs_once_for_too_long_goes_on_and_the_wait_ends(daemon: Daemon) -> None:
    daemon.hoody("run", "--name", "long", *ONCE, "--timeout", "1s", "--", "sleep", "1000", expect=6)
    assert daemon.unit("long")["status"]["state"] == "RUNNING"

    daemon.hoody("run", "--name", "later", *ONCE, "--no-wait", "--", "sleep", "1000")
    daemon.hoody("stop", "long", "later")
