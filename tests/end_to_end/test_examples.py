"""The complete files under docs/examples run as they are, and do what they are there to show."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.harness import ROOT, Daemon, eventually, fetch

EXAMPLES = ROOT / "docs" / "examples"


@pytest.fixture
def example(tmp_path: Path) -> Callable[[str], tuple[Daemon, Path]]:
    """Return a function that applies an example from a copy of its folder, with the test's own tools on PATH."""
    daemons: list[Daemon] = []

    def run(name: str) -> tuple[Daemon, Path]:
        folder = tmp_path / name
        shutil.copytree(EXAMPLES / name, folder)
        daemon = Daemon(tmp_path / "home")
        daemon.home.mkdir()
        daemon.environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        daemons.append(daemon)
        daemon.up()
        daemon.hoody("apply", "-f", str(folder / "hoody.toml"))
        return daemon, folder

    yield run
    for daemon in daemons:
        daemon.hoody("down", expect=None)


Example = Callable[[str], tuple[Daemon, Path]]


def test_every_example_is_a_valid_document_and_applies_twice_without_a_change(daemon: Daemon) -> None:
    names = sorted(path.parent.name for path in EXAMPLES.glob("*/hoody.toml"))

    assert names
    for name in names:
        plan = daemon.hoody("apply", "-f", str(EXAMPLES / name / "hoody.toml"), "--dry-run").stdout
        assert "agents" in plan or "create" in plan


def test_a_shop_counts_its_visits_over_the_death_of_web_and_database(example: Example, redis_server: str) -> None:
    daemon, _ = example("shop")
    daemon.running("shop-web")
    page = "http://127.0.0.1:18080/"

    assert fetch(page) == "visit 1"
    os.kill(daemon.unit("shop-web")["status"]["pid"], signal.SIGKILL)
    assert eventually("the web program answers", lambda: fetch(page)) == "visit 2"
    pid = daemon.unit("shop-db")["status"]["pid"]
    os.kill(pid, signal.SIGKILL)
    daemon.running("shop-db", other_than=pid)
    assert eventually("the database answers", lambda: fetch(page)) == "visit 3"


def test_the_report_of_the_shop_has_a_time_to_run_and_runs_when_asked(example: Example, redis_server: str) -> None:
    daemon, _ = example("shop")
    daemon.running("shop-web")

    assert daemon.unit("shop-report")["status"]["next_run_at"]
    daemon.hoody("restart", "shop-report", "--no-wait")
    report = eventually("the report", lambda: daemon.hoody("logs", "shop-report", expect=None).stdout)

    assert report.strip() == "visits so far: 0"


def test_the_stages_after_a_dead_one_start_again_and_the_one_before_it_runs_on(example: Example) -> None:
    daemon, folder = example("pipeline")
    names = ["pipe-source", "pipe-filter", "pipe-sink"]
    eventually("lines at the sink", lambda: "16" in daemon.hoody("logs", "pipe-sink", expect=None).stdout.split())
    before: dict[str, Any] = {name: daemon.running(name)["status"]["pid"] for name in names}

    os.kill(before["pipe-filter"], signal.SIGKILL)
    after = {
        name: daemon.running(name, other_than=before[name] if name != "pipe-source" else None)["status"]["pid"]
        for name in names
    }

    assert after["pipe-source"] == before["pipe-source"]
    eventually("new lines at the sink", lambda: len((folder / "squares").read_text().split()) > 10)
