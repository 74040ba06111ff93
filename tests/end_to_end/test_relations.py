"""Real programs that depend on each other are started and ended in their order."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from tests.end_to_end.harness import Daemon, eventually

SAYS = (
    "echo begin-$HOODY_UNIT >> {log}; trap 'sleep 0.3; echo end-$HOODY_UNIT >> {log}; exit 0' TERM; "
    "while :; do sleep 0.05; done"
)


def run(daemon: Daemon, log: Path, name: str, *flags: str) -> None:
    said = SAYS.format(log=log)
    daemon.hoody("run", "--name", name, "--start-seconds", "0.2s", "--no-wait", *flags, "--shell", "--", said)


def words(log: Path) -> list[str]:
    return [line.replace("agents/", "") for line in log.read_text().split()] if log.exists() else []


def test_a_chain_of_programs_goes_up_and_down_in_its_order(daemon: Daemon, tmp_path: Path) -> None:
    log = tmp_path / "log"
    daemon.hoody("agents", "create", "--name", "z-db", "--start-seconds", "0.2s", "--shell", "--", SAYS.format(log=log))
    run(daemon, log, "m-api", "--depends-on", "z-db", "--on-dependency-restart", "restart")
    run(daemon, log, "a-web", "--depends-on", "m-api=started", "--on-dependency-restart", "restart")
    assert daemon.unit("a-web")["status"]["waiting_for"] == ["m-api"]
    assert "z-db to be ready, but it is STOPPED" in daemon.unit("m-api")["status"]["reason"]
    assert words(log) == []

    daemon.hoody("start", "z-db")
    daemon.running("a-web")
    assert words(log) == ["begin-z-db", "begin-m-api", "begin-a-web"]

    log.unlink()
    daemon.hoody("restart", "z-db")
    daemon.running("a-web")
    eventually("all of them again", lambda: len(words(log)) == 6)
    assert words(log)[:3] == ["end-a-web", "end-m-api", "end-z-db"]
    assert words(log)[3:] == ["begin-z-db", "begin-m-api", "begin-a-web"]

    log.unlink()
    daemon.hoody("down")
    assert words(log) == ["end-a-web", "end-m-api", "end-z-db"]
    log.unlink()
    daemon.up()
    eventually("all of them after a restart of the daemon", lambda: len(words(log)) == 3)
    assert words(log) == ["begin-z-db", "begin-m-api", "begin-a-web"]


def test_of_several_programs_those_that_depend_on_others_are_stopped_first(daemon: Daemon, tmp_path: Path) -> None:
    log = tmp_path / "log"
    run(daemon, log, "a-db")
    run(daemon, log, "z-web", "--depends-on", "a-db")
    daemon.running("z-web")
    log.unlink()

    stopped = daemon.json("stop", "a-db", "z-web")

    assert words(log) == ["end-z-web", "end-a-db"]
    assert [unit["name"] for unit in stopped] == ["a-db", "z-web"]


@pytest.mark.parametrize(
    ("flag", "sentence"), [("nobody", "there is no unit 'nobody'"), ("x=rdy", "did you mean 'ready'")]
)
def test_a_dependency_that_cannot_be_is_refused_in_words(daemon: Daemon, flag: str, sentence: str) -> None:
    result = daemon.hoody("run", "--name", "x", "--depends-on", flag, "--", "sleep", "5", expect=None)

    assert result.returncode == 2
    assert sentence in result.stderr


def test_a_group_of_programs_goes_down_and_comes_up_together(daemon: Daemon, tmp_path: Path) -> None:
    log = tmp_path / "log"
    for name in ("source", "transform", "sink"):
        words_of = ("--name", name, "--start-seconds", "0.2s", "--shell", "--", SAYS.format(log=log))
        daemon.hoody("agents", "create", *words_of)
    daemon.hoody("groups", "create", "pipeline", "source", "transform", "sink", "--strategy", "rest_for_one")
    result = daemon.hoody("groups", "start", "pipeline")
    assert "pipeline  [rest_for_one]  up" in result.stdout
    assert words(log) == ["begin-source", "begin-transform", "begin-sink"]

    log.unlink()
    source = daemon.unit("source")["status"]["pid"]
    os.kill(daemon.unit("transform")["status"]["pid"], signal.SIGKILL)
    eventually("the rest again", lambda: len(words(log)) == 3)
    assert words(log) == ["end-sink", "begin-transform", "begin-sink"]
    assert daemon.unit("source")["status"]["pid"] == source
    eventually("the group is up", lambda: daemon.json("groups", "show", "pipeline")["state"] == "up")

    log.unlink()
    daemon.hoody("down")
    assert words(log) == ["end-sink", "end-transform", "end-source"]
    log.unlink()
    daemon.up()
    eventually("all of them again", lambda: len(words(log)) == 3)
    assert words(log) == ["begin-source", "begin-transform", "begin-sink"]
    assert "pipeline" in daemon.hoody("groups", "list").stdout
    assert "[group (rest_for_one)]" in daemon.hoody("tree").stdout
    daemon.hoody("groups", "stop", "pipeline")
    assert words(log)[3:] == ["end-sink", "end-transform", "end-source"]


def test_a_server_listens_on_the_port_that_it_was_given_and_a_conflict_names_its_holder(daemon: Daemon) -> None:
    serve = "exec python3 -m http.server --bind 127.0.0.1 $PORT"
    daemon.hoody("run", "--name", "web", "--port", "http", "-e", "SELF=http://{name}:{port}", "--shell", "--", serve)
    port = daemon.unit("web")["status"]["ports"]["http"]

    def answers() -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", port)) == 0

    eventually("the server answers", answers)
    pid = daemon.unit("web")["status"]["pid"]
    assert f"SELF=http://web:{port}" in Path(f"/proc/{pid}/environ").read_text().split("\0")
    daemon.hoody("restart", "web")
    daemon.hoody("down")
    daemon.up()
    daemon.running("web")
    assert daemon.unit("web")["status"]["ports"] == {"http": port}

    daemon.hoody("stop", "web")
    with socket.create_server(("127.0.0.1", port)):
        result = daemon.hoody("start", "web", expect=None)
        assert result.returncode == 1
        assert f"port {port}, which it has as 'http', is taken by process {os.getpid()} (" in result.stderr
    daemon.running("web")
