"""A new version is taken up in place: same process, same address, same agents, nothing refused and nothing lost."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

import pytest

from tests.end_to_end.harness import Daemon, eventually

_COUNTS = """
import itertools, os, time
for number in itertools.count():
    os.write(1, b"%d\\n" % number)
    time.sleep(0.0005)
"""


class Knocker:
    """Connects again and again, and counts what it is told."""

    def __init__(self, port: int) -> None:
        self.refused = 0
        self.served = 0
        self._port = port
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._knock)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        self._thread.join()

    def _knock(self) -> None:
        request = f"GET /livez HTTP/1.1\r\nHost: 127.0.0.1:{self._port}\r\nConnection: close\r\n\r\n".encode()
        while not self._enough.is_set():
            try:
                with socket.create_connection(("127.0.0.1", self._port), timeout=20) as connection:
                    connection.sendall(request)
                    self.served += b" 200 " in connection.recv(64)
            except ConnectionRefusedError:
                self.refused += 1
            except OSError:
                continue  # accepted by the old program at its very end, and cut: not refused


@pytest.mark.slow
def test_a_new_version_is_taken_up_in_place(daemon: Daemon) -> None:
    before = daemon.json("status")
    daemon.hoody("run", "--name", "counter", "--", sys.executable, "-S", "-c", _COUNTS)
    pid = daemon.running("counter")["status"]["pid"]

    with Knocker(urlsplit(before["url"]).port or 0) as knocker:
        for _ in range(3):
            daemon.hoody("daemon", "reload", "--binary")
        served = knocker.served
        eventually("more to be served", lambda: knocker.served > served)

    after = daemon.json("status")
    assert (after["pid"], after["url"]) == (before["pid"], before["url"])
    assert after["started_at"] > before["started_at"]
    assert knocker.refused == 0
    found = daemon.unit("counter")["status"]
    assert (found["pid"], found["incarnation"], found["restarts"]) == (pid, 1, 0)
    assert Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1] == str(before["pid"]), "still its child"
    assert _holders(daemon) == 1
    daemon.hoody("stop", "counter")
    lines = (daemon.home / "state" / "logs" / "counter" / "stdout.log").read_text().splitlines()
    assert lines == [str(number) for number in range(len(lines))]
    assert len(lines) > 100


@pytest.mark.slow
def test_after_a_replacement_ends_are_told_exactly_and_a_stop_is_in_order(daemon: Daemon) -> None:
    daemon.hoody("run", "--name", "web", "--restart", "never", "--", "sleep", "600")
    pid = daemon.running("web")["status"]["pid"]
    daemon.hoody("daemon", "reload", "--binary")

    os.kill(pid, signal.SIGSEGV)

    end = eventually("the end", lambda: daemon.unit("web")["status"]["exit"])
    assert end["signal"] == "SEGV"
    daemon.hoody("down")
    assert _holders(daemon) == 0
    daemon.up()


@pytest.mark.slow
def test_a_program_that_does_not_start_replaces_nothing(daemon: Daemon, tmp_path: Path) -> None:
    """The package that the daemon finds on its path is broken; the one that runs is not."""
    daemon.hoody("down")
    link = tmp_path / "program"
    link.symlink_to(daemon.environment["PYTHONPATH"])
    good = daemon.environment["PYTHONPATH"]
    daemon.environment["PYTHONPATH"] = str(link)
    daemon.up()
    before = daemon.json("status")
    broken = tmp_path / "broken" / "hoody"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('half installed')\n")
    link.unlink()
    link.symlink_to(broken.parent)
    daemon.environment["PYTHONPATH"] = good

    result = daemon.hoody("daemon", "reload", "--binary", expect=None)

    link.unlink()
    link.symlink_to(good)
    assert result.returncode != 0
    assert "does not start: ImportError: half installed" in result.stderr
    assert daemon.json("status")["started_at"] == before["started_at"]


def _holders(daemon: Daemon) -> int:
    mark, found = f"HOODY_HOME={daemon.home}".encode(), 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            is_one = b"holding.py" in (entry / "cmdline").read_bytes() and mark in (entry / "environ").read_bytes()
        except OSError:
            continue
        found += is_one
    return found
