"""A real daemon: up, down, killed, started twice, with a real agent under it."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hoody.client.blocking import Client
from hoody.client.discover import HomeFinder
from hoody.daemon.background import Up, start_in_background, stop_in_background
from hoody.daemon.runtime_file import read_daemon_file
from supervisor.errors import Conflict, DaemonNotRunning, HoodyError, InvalidInput, NotAllowed, TimedOut, Unauthorized
from tests.hoody.daemon.conftest import HomeUnderTest


def up(under_test: HomeUnderTest) -> Up:
    return start_in_background(environ=under_test.environ)


def client(under_test: HomeUnderTest) -> Client:
    return Client(finder=HomeFinder(under_test.home))


def eventually(condition: Callable[[], Any], seconds: float = 10) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return found


def run_agent(under_test: HomeUnderTest, name: str = "web", *command: str, **more: Any) -> int:
    """Define an agent, wait until it runs, and return its pid."""
    agents = client(under_test).agents
    agents.create(name, command or ("sleep", "600"), start_seconds=0, **more)
    return pid_of(under_test, name)


def pid_of(under_test: HomeUnderTest, name: str = "web", *, other_than: int = 0) -> int:
    def running() -> int | None:
        status = client(under_test).agents.get(name)["status"]
        pid = status["pid"]
        return pid if status["state"] == "RUNNING" and pid and pid != other_than else None

    found: int = eventually(running)
    return found


def progress_on_disk(under_test: HomeUnderTest) -> str:
    connection = sqlite3.connect(under_test.home.database)
    try:
        return str(connection.execute("select document from progress").fetchall())
    finally:
        connection.close()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] not in b"ZX"
    except FileNotFoundError:
        return False


def test_up_serves_and_down_leaves_nothing(under_test: HomeUnderTest) -> None:
    started = up(under_test)
    assert not started.already
    assert started.daemon.alive
    status = client(under_test).status()
    assert (status["pid"], status["instance"]) == (started.daemon.pid, started.daemon.instance)

    assert up(under_test) == Up(started.daemon, already=True)

    assert stop_in_background(environ=under_test.environ).pid == started.daemon.pid
    assert read_daemon_file(under_test.home) is None
    assert not is_alive(started.daemon.pid)
    assert stop_in_background(environ=under_test.environ).pid is None


def test_two_starts_at_the_same_instant_make_one_daemon(under_test: HomeUnderTest) -> None:
    found: list[Up] = []
    threads = [threading.Thread(target=lambda: found.append(up(under_test))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 2
    assert {each.daemon.pid for each in found} == {under_test.daemon_pid}


def test_a_second_daemon_in_the_foreground_says_who_holds_the_home(served: HomeUnderTest) -> None:
    pid = served.daemon_pid

    second = subprocess.run(
        [sys.executable, "-m", "hoody.daemon"],
        env=served.environ,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert second.returncode == 1
    assert f"error: the daemon with pid {pid}, since 20" in second.stderr
    assert "hint: " in second.stderr
    assert client(served).status()["pid"] == pid


def test_an_agent_that_is_killed_is_back(served: HomeUnderTest) -> None:
    first = run_agent(served, "killed")

    os.kill(first, signal.SIGKILL)

    second = pid_of(served, "killed", other_than=first)
    status = client(served).agents.get("killed")["status"]
    assert is_alive(second)
    assert (status["restarts"], status["exit"]["signal"]) == (1, "KILL")


def test_a_daemon_that_is_killed_is_followed_by_one_that_takes_up_its_agents(under_test: HomeUnderTest) -> None:
    first = up(under_test).daemon
    token = Path(under_test.home.token_file).read_bytes()
    agent = run_agent(under_test)

    under_test.kill_daemon()
    assert is_alive(agent)
    left = read_daemon_file(under_test.home)
    assert left is not None
    assert not left.alive
    with pytest.raises(DaemonNotRunning):
        client(under_test).status()
    second = up(under_test).daemon

    assert second.pid != first.pid
    assert second.instance == first.instance
    assert pid_of(under_test) == agent
    assert client(under_test).agents.get("web")["status"]["restarts"] == 0
    assert Path(under_test.home.token_file).read_bytes() == token


def test_a_start_right_after_a_kill_waits_for_the_dying_daemon(under_test: HomeUnderTest) -> None:
    first = up(under_test).daemon.pid
    os.kill(first, signal.SIGKILL)

    second = up(under_test)

    assert second.daemon.pid != first
    assert not second.already


def test_a_start_while_the_last_daemon_is_ending_waits_for_its_end(under_test: HomeUnderTest) -> None:
    first = up(under_test).daemon.pid
    run_agent(under_test, "slow", "sh", "-c", "trap 'sleep 1; exit' TERM; while :; do sleep 0.1; done")
    os.kill(first, signal.SIGTERM)
    eventually(lambda: read_daemon_file(under_test.home) is None)

    second = up(under_test)

    assert second.daemon.pid != first
    assert not second.already
    assert is_alive(pid_of(under_test, "slow"))


def test_a_start_that_was_not_written_down_is_taken_up_and_not_repeated(under_test: HomeUnderTest) -> None:
    up(under_test)
    agent = run_agent(under_test)
    under_test.kill_daemon()
    with sqlite3.connect(under_test.home.database) as connection:
        connection.execute("delete from progress")
    connection.close()

    up(under_test)

    assert pid_of(under_test) == agent
    assert len(under_test.processes()) == 1


def test_an_agent_that_died_without_a_daemon_is_started_again_once_its_left_overs_are_gone(
    under_test: HomeUnderTest,
) -> None:
    up(under_test)
    agent = run_agent(under_test, "web", "sh", "-c", "setsid sleep 601 & exec sleep 600")
    eventually(lambda: len(under_test.processes()) == 2)
    (helper,) = set(under_test.processes()) - {agent}
    eventually(lambda: f'"pid":{agent}' in progress_on_disk(under_test))
    under_test.kill_daemon()
    os.kill(agent, signal.SIGKILL)

    up(under_test)

    assert not is_alive(helper)
    assert is_alive(pid_of(under_test, other_than=agent))
    eventually(lambda: len(under_test.processes()) == 2)


def test_down_stops_the_agents_and_the_next_up_starts_them_again(under_test: HomeUnderTest) -> None:
    up(under_test)
    agent = run_agent(under_test)
    client(under_test).agents.create("idle", ["sleep", "600"], start=False)

    stop_in_background(environ=under_test.environ)
    assert not is_alive(agent)
    assert under_test.processes() == []
    up(under_test)

    assert is_alive(pid_of(under_test, other_than=agent))
    assert client(under_test).agents.get("idle")["status"]["state"] == "STOPPED"


def test_agents_can_be_left_running_for_the_next_daemon(under_test: HomeUnderTest) -> None:
    up(under_test)
    agent = run_agent(under_test)

    stop_in_background(leave_agents=True, environ=under_test.environ)
    assert is_alive(agent)
    up(under_test)

    assert pid_of(under_test) == agent


def test_a_stop_tells_what_it_waits_for_and_a_second_one_hurries_it(under_test: HomeUnderTest) -> None:
    up(under_test)
    stubborn = "trap '' TERM; echo ready; while :; do sleep 1; done"
    agent = run_agent(under_test, "stubborn", "sh", "-c", stubborn, stop_timeout="60s")
    output = Path(under_test.home.logs) / "stubborn" / "stdout.log"
    eventually(lambda: output.exists() and output.read_bytes() == b"ready\n")
    told: list[tuple[str, ...]] = []

    with pytest.raises(TimedOut, match="it waits for stubborn"):
        stop_in_background(timeout=2, on_wait=told.append, environ=under_test.environ)
    assert ("stubborn",) in told
    assert is_alive(agent)
    begin = time.monotonic()
    stop_in_background(timeout=30, environ=under_test.environ)

    assert time.monotonic() - begin < 10
    assert under_test.processes() == []


def test_a_start_that_cannot_succeed_says_why(under_test: HomeUnderTest) -> None:
    config = Path(under_test.home.config_file)
    config.parent.mkdir()
    config.write_text("[daemon]\nprot = 1\n")
    with pytest.raises(InvalidInput, match=r"daemon\.prot"):
        up(under_test)

    with socket.create_server(("127.0.0.1", 0)) as taken:
        config.write_text(f"[daemon]\nport = {taken.getsockname()[1]}\n")
        with pytest.raises(Conflict, match="is in use by another program"):
            up(under_test)

    config.write_text("")
    up(under_test)
    stop_in_background(environ=under_test.environ)
    Path(under_test.home.token_file).chmod(0o644)
    with pytest.raises(NotAllowed, match="open to other users"):
        up(under_test)


def test_a_daemon_that_dies_without_a_word_is_told_with_its_last_lines(under_test: HomeUnderTest) -> None:
    environ = {**under_test.environ, "PYTHONPATH": str(Path(under_test.home.config) / "broken")}
    broken = Path(under_test.home.config) / "broken" / "trio"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise RuntimeError('no trio today')\n")

    with pytest.raises(HoodyError, match=r"ended with code 1 before it was up(.|\n)*no trio today"):
        start_in_background(environ=environ)


def test_the_foreground_daemon_ends_orderly_on_a_signal(under_test: HomeUnderTest) -> None:
    command = [sys.executable, "-m", "hoody.daemon"]
    with subprocess.Popen(command, env=under_test.environ, stderr=subprocess.PIPE, text=True) as daemon:
        assert daemon.stderr is not None
        up_at = next(line for line in map(json.loads, daemon.stderr) if "is up at" in line["message"])
        assert up_at["message"].endswith(client(under_test).status()["url"])

        daemon.send_signal(signal.SIGINT)
        last = [json.loads(line)["message"] for line in daemon.stderr]

    assert daemon.returncode == 0
    assert last[0] == "received SIGINT"
    assert last[-1] == "the daemon has ended"


def test_hangup_takes_up_a_moved_log_and_a_changed_token(served: HomeUnderTest) -> None:
    pid = served.daemon_pid
    log = Path(served.home.daemon_log)
    log.rename(log.with_name("moved"))
    token = "hdy_" + "A" * 43
    Path(served.home.token_file).write_text(token)
    with pytest.raises(Unauthorized):
        client(served).status()

    os.kill(pid, signal.SIGHUP)

    eventually(log.exists)

    def accepted() -> bool:
        try:
            return client(served).status()["pid"] == pid
        except Unauthorized:
            return False

    eventually(accepted)


def test_the_log_holds_no_secret(under_test: HomeUnderTest) -> None:
    up(under_test)
    run_agent(under_test, environment={"PASSWORD": "very-secret-word"})
    client(under_test).rotate_token()
    tokens = Path(under_test.home.token_file).read_text().strip()

    stop_in_background(environ=under_test.environ)

    text = Path(under_test.home.daemon_log).read_text() + Path(under_test.home.stderr_log).read_text()
    assert "very-secret-word" not in text
    assert tokens not in text
    assert all(json.loads(line)["level"] in {"debug", "info", "warning"} for line in text.splitlines())


def test_the_files_of_a_running_daemon_are_private(served: HomeUnderTest) -> None:
    run_agent(served, "private")
    home = served.home

    for folder in (home.state, home.runtime, home.logs, home.fifos):
        assert Path(folder).stat().st_mode & 0o7777 == 0o700, folder
    for file in (home.database, home.token_file, home.instance_file, home.lock_file, home.daemon_file, home.daemon_log):
        assert Path(file).stat().st_mode & 0o7777 == 0o600, file
