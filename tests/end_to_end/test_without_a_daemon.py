"""What happens while no daemon runs is found by the next one: processes, their ends, and every byte of their output."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
from pathlib import Path

from tests.end_to_end.harness import Daemon, eventually

_WORDS = """
import hashlib, os, sys, time
while not os.path.exists(sys.argv[1]):
    time.sleep(0.005)
text = b"".join(hashlib.sha256(b"%d" % line).hexdigest().encode() + b"\\n" for line in range(1600))
os.write(1, text[:1000])
sys.stdout.buffer.write(text[1000:])
sys.stdout.flush()
os.write(2, b"the last word\\n")
"""
"""Waits for a file to appear, writes 104,000 bytes, and ends."""


def expected() -> bytes:
    return b"".join(hashlib.sha256(b"%d" % line).hexdigest().encode() + b"\n" for line in range(1600))


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b") ")[2][:1] in b"ZX"
    except FileNotFoundError:
        return True


def kill_daemon(daemon: Daemon) -> None:
    pid = daemon.pid
    os.kill(pid, signal.SIGKILL)
    eventually("the daemon to be gone", lambda: gone(pid))


def test_what_an_agent_writes_and_its_end_while_no_daemon_runs_are_not_lost(daemon: Daemon, tmp_path: Path) -> None:
    go = tmp_path / "go"
    daemon.hoody("run", "--name", "talker", "--restart", "never", "--", sys.executable, "-c", _WORDS, str(go))
    pid = daemon.running("talker")["status"]["pid"]

    kill_daemon(daemon)
    go.touch()
    eventually("the agent to end", lambda: gone(pid))
    daemon.up()

    logs = daemon.home / "state" / "logs" / "talker"
    eventually("all output", lambda: (logs / "stdout.log").stat().st_size >= len(expected()))
    assert (logs / "stdout.log").read_bytes() == expected()
    eventually("the last word", lambda: (logs / "stderr.log").read_bytes() == b"the last word\n")
    status = daemon.unit("talker")["status"]
    assert (status["state"], status["pid"], status["incarnation"]) == ("EXITED", None, 1)


def test_a_daemon_that_goes_down_in_order_leaves_no_process_behind(daemon: Daemon) -> None:
    daemon.hoody("run", "--name", "web", "--", "sleep", "600")
    holder = next(
        int(entry.parent.name)
        for entry in Path("/proc").glob("[0-9]*/cmdline")
        if b"holding.py" in entry.read_bytes()
        and f"HOODY_HOME={daemon.home}".encode() in (entry.parent / "environ").read_bytes()
    )

    daemon.hoody("down")

    assert gone(holder)
    daemon.up()


def test_the_same_process_the_same_logs_and_the_same_counters_after_a_killed_daemon(daemon: Daemon) -> None:
    daemon.hoody("run", "--name", "web", "--shell", "--", "echo hello from $HOODY_INCARNATION; exec sleep 600")
    first = daemon.running("web")["status"]["pid"]
    os.kill(first, signal.SIGKILL)
    before = daemon.running("web", other_than=first)["status"]
    daemon.hoody("run", "--name", "idle", "--", "sleep", "600")
    daemon.hoody("stop", "idle")

    kill_daemon(daemon)
    daemon.up()

    after = daemon.running("web")["status"]
    kept = ("pid", "incarnation", "restarts", "counters", "desired", "started_at", "exit")
    assert {key: after[key] for key in kept} == {key: before[key] for key in kept}
    assert after["restarts"] == 1
    assert daemon.unit("idle")["status"]["desired"] == "stopped"
    assert (daemon.home / "state" / "logs" / "web" / "stdout.log").read_text() == "hello from 1\nhello from 2\n"
