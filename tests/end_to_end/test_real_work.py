"""Programs that nobody here wrote go on working while the daemon above them is killed again and again."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import threading
import time
from pathlib import Path

import pytest

from tests.end_to_end.harness import PATIENCE, Daemon, eventually

KILLS = 20


class Counting:
    """One connection to redis that counts up and checks every answer, until told to stop."""

    def __init__(self, port: int) -> None:
        self.count = 0
        self.fault = ""
        self._enough = threading.Event()
        self._connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._enough.set()
        self._thread.join()
        self._connection.close()

    def _run(self) -> None:
        answers = self._connection.makefile("rb")
        while not self._enough.is_set():
            try:
                self._connection.sendall(b"INCR counter\r\n")
                answer = answers.readline()
            except OSError as error:
                self.fault = f"after {self.count}: {error}"
                return
            if answer != f":{self.count + 1}\r\n".encode():
                self.fault = f"after {self.count}: {answer!r}"
                return
            self.count += 1


def kill(daemon: Daemon) -> None:
    pid = daemon.pid
    os.kill(pid, signal.SIGKILL)
    stat = Path(f"/proc/{pid}/stat")
    eventually("the daemon to be gone", lambda: not stat.exists() or ") Z" in stat.read_text())


@pytest.mark.slow
@pytest.mark.redis
@pytest.mark.timeout(240)
def test_redis_serves_one_connection_through_twenty_deaths_of_the_daemon(
    daemon: Daemon, redis_server: str, free_port: int, tmp_path: Path
) -> None:
    daemon.hoody(
        "run", "--name", "redis", "--readiness", f"tcp={free_port}", "--",
        redis_server, "--port", str(free_port), "--save", "", "--dir", str(tmp_path),
    )  # fmt: skip
    pid = daemon.running("redis")["status"]["pid"]
    counting = Counting(free_port)
    try:
        for _ in range(KILLS):
            before = counting.count
            kill(daemon)
            eventually("redis to count without a daemon", lambda before=before: counting.count > before)  # type: ignore[misc]
            daemon.up()
    finally:
        counting.stop()

    assert counting.fault == ""
    assert counting.count > KILLS
    status = daemon.running("redis")["status"]
    assert (status["pid"], status["incarnation"], status["restarts"]) == (pid, 1, 0)


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_a_build_that_goes_on_through_deaths_of_the_daemon_has_its_output_byte_for_byte(
    daemon: Daemon, tmp_path: Path
) -> None:
    """The build compiles a part of Python's own library, naming every file."""
    source = tmp_path / "source"
    library = Path(sysconfig.get_path("stdlib"))
    for part in ("asyncio", "email", "json", "xml", "unittest", "multiprocessing"):
        shutil.copytree(library / part, source / part, ignore=shutil.ignore_patterns("__pycache__"))
    build = [sys.executable, "-m", "compileall", "-f", str(source)]
    expected = subprocess.run(build, capture_output=True, check=True).stdout
    log = daemon.home / "state" / "logs" / "build" / "stdout.log"

    daemon.hoody("run", "--name", "build", "--restart", "never", "--no-wait", "--", *build)
    deaths = 0
    deadline = time.monotonic() + PATIENCE
    while daemon.unit("build")["status"]["state"] != "EXITED" and time.monotonic() < deadline:
        kill(daemon)
        daemon.up()
        deaths += 1

    assert deaths > 0
    eventually("all output", lambda: len(log.read_bytes()) >= len(expected))
    assert log.read_bytes() == expected
    assert daemon.unit("build")["status"]["incarnation"] == 1
