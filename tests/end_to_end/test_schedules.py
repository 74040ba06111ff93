"""Real programs that run by the clock."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.harness import Daemon, eventually


def test_a_program_runs_by_its_schedule_over_a_restart_of_the_daemon(daemon: Daemon, tmp_path: Path) -> None:
    log = tmp_path / "log"
    said = f"date +%s >> {log}"
    started = daemon.hoody("run", "--name", "tick", "--schedule", "* * * * * *", "--shell", "--", said)
    assert "tick" in started.stdout

    eventually("two runs", lambda: log.exists() and len(log.read_text().split()) >= 2)
    unit = daemon.unit("tick")
    assert unit["spec"]["restart"] == "temporary"
    assert unit["status"]["next_run_at"] is not None
    assert "next run" in daemon.hoody("inspect", "tick").stdout

    daemon.hoody("down")
    count = len(log.read_text().split())
    daemon.up()
    eventually("a run after that", lambda: len(log.read_text().split()) > count)
    seconds = [int(word) for word in log.read_text().split()]
    assert len(seconds) == len(set(seconds)), "no run twice"
    daemon.hoody("rm", "tick", "--force")


def test_a_line_that_is_no_schedule_is_refused_in_words(daemon: Daemon) -> None:
    result = daemon.hoody("run", "--name", "x", "--schedule", "61 * * * *", "--", "true", expect=None)
    both = daemon.hoody(
        "run", "--name", "x", "--schedule", "* * * * *", "--restart", "always", "--", "true", expect=None
    )

    assert result.returncode == both.returncode == 2
    assert "its minute cannot be read" in result.stderr
    assert "cannot be given together with schedule" in both.stderr
