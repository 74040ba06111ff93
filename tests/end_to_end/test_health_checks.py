"""Real programs that load, hang, fall silent, or speak for themselves, under a real daemon."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.harness import ROOT, Daemon, eventually

NOTIFIER = """
import os, signal, socket, sys, time

def tell(message):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as to:
        try:
            to.sendto(message.encode(), chr(0) + os.environ["NOTIFY_SOCKET"][1:])
        except ConnectionRefusedError:
            pass  # there is no daemon at this moment

assert os.environ["WATCHDOG_USEC"] == "1000000"
time.sleep(0.3)
tell("STATUS=loading")
time.sleep(0.3)
tell("READY=1\\nSTATUS=serving")
while not os.path.exists("hang"):
    tell("WATCHDOG=1")
    time.sleep(0.2)
os.unlink("hang")
time.sleep(1000)
"""


def serve(daemon: Daemon, port: int, folder: Path, *flags: str) -> None:
    words = ["-m", "http.server", str(port), "--bind", "127.0.0.1", "--directory", str(folder)]
    daemon.hoody("run", "--name", "web", "--stop-timeout", "300ms", *flags, "--", sys.executable, *words)


def probe(flag: str, *pairs: str) -> list[str]:
    return [word for pair in pairs for word in (flag, pair)]


def once(daemon: Daemon, name: str, what: str, look: Any) -> Any:
    def found() -> Any:
        status = daemon.unit(name)["status"]
        return status if look(status) else None

    return eventually(f"{name} {what}", found)


def sleepers(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if entry.read_bytes() == f"sleep\0{mark}\0".encode():
                found.append(int(entry.parent.name))
        except OSError:
            continue
    return found


def test_a_web_server_is_running_once_it_answers_and_replaced_when_it_hangs(
    daemon: Daemon, free_port: int, tmp_path: Path
) -> None:
    url = f"http=http://127.0.0.1:{free_port}/"
    ready = probe("--readiness", url, "interval=50ms")
    alive = probe("--liveness", url, "interval=200ms", "timeout=300ms", "failures=2")
    serve(daemon, free_port, tmp_path, *ready, *alive)
    first = daemon.unit("web")["status"]
    daemon.hoody("wait", "web", "--for", "healthy", "--timeout", "10s")

    os.kill(first["pid"], signal.SIGSTOP)
    again = once(daemon, "web", "back and well", lambda s: s["incarnation"] == 2 and s["health"] == "healthy")

    assert (first["state"], first["ready"], first["incarnation"]) == ("RUNNING", True, 1)
    assert again["exit"]["reason"] == "liveness"
    assert again["exit"]["detail"].startswith("liveness probe: no answer within 0.3 s (2 times in a row)")
    assert again["counters"]["liveness_failures"] == 1
    assert again["counters"]["crashes"] == 0
    assert not Path(f"/proc/{first['pid']}").exists()


def test_a_server_that_never_comes_up_is_told_with_what_the_probe_saw(daemon: Daemon, free_port: int) -> None:
    flags = ["--readiness", f"tcp={free_port}", "--start-timeout", "500ms", "--stop-timeout", "300ms"]
    result = daemon.hoody("run", "--name", "never", *flags, "--", "sleep", "1000", expect=None)

    assert result.returncode == 1
    assert "it did not become ready within 0.5" in result.stderr
    assert f"nobody listens at 127.0.0.1:{free_port}" in result.stderr
    assert once(daemon, "never", "ended", lambda s: s["exit"])["exit"]["reason"] == "not_ready"


def test_a_program_speaks_for_itself_also_to_the_next_daemon(daemon: Daemon, tmp_path: Path) -> None:
    flags = [
        *probe("--readiness", "notify"),
        *probe("--liveness", "notify", "interval=1s", "failures=1", "start_period=0s"),
        *("--stop-timeout", "300ms", "--directory", str(tmp_path)),
    ]
    daemon.hoody("run", "--name", "talks", *flags, "--", sys.executable, "-c", NOTIFIER)
    first = once(daemon, "talks", "well", lambda s: s["health"] == "healthy" and s["says"] == "serving")

    os.kill(daemon.pid, signal.SIGKILL)
    daemon.up()
    kept = once(daemon, "talks", "well again", lambda s: s["health"] == "healthy")
    (tmp_path / "hang").touch()
    again = once(daemon, "talks", "replaced", lambda s: s["incarnation"] == 2 and s["ready"])

    assert first["ready"]
    assert (kept["pid"], kept["ready"], kept["state"]) == (first["pid"], True, "RUNNING")
    assert again["exit"]["reason"] == "liveness"
    assert "no sign of life for 1 s" in again["exit"]["detail"]


def test_a_probe_that_hangs_leaves_nothing_whatever_becomes_of_unit_and_daemon(daemon: Daemon, tmp_path: Path) -> None:
    mark = str(100_000 + os.getpid())
    check = f"exec=sh -c 'setsid sleep {mark} & sleep {mark}'"
    flags = [
        "--liveness",
        check,
        "--liveness",
        "timeout=400ms",
        "--liveness",
        "interval=50ms",
        "--on-unhealthy",
        "ignore",
    ]
    daemon.hoody("run", "--name", "hung", *flags, "--liveness", "start_period=0s", "--", "sleep", "1000")
    ill = once(daemon, "hung", "unhealthy", lambda s: s["health"] == "unhealthy")
    _, health = daemon.request("GET", "/api/v1/health")
    seen = [eventually("a probe at work", lambda: sleepers(mark)) for _ in range(3)]

    os.kill(daemon.pid, signal.SIGKILL)
    left = sleepers(mark)
    daemon.up()
    eventually("the old probe is gone", lambda: not set(left) & set(sleepers(mark)))
    after = once(daemon, "hung", "unhealthy", lambda s: s["health"] == "unhealthy")
    daemon.hoody("stop", "hung")

    assert ill["reason"].startswith("unhealthy: no answer within 0.4 s (3 times in a row)")
    assert health["status"] == "degraded"
    assert max(map(len, seen)) <= 2
    assert (after["incarnation"], after["pid"]) == (1, ill["pid"])
    eventually("no probe is left", lambda: not sleepers(mark))


def test_a_line_of_output_and_a_touched_file_make_ready(daemon: Daemon, tmp_path: Path) -> None:
    script = "echo starting; sleep 0.3; echo 'listening on port 80'; exec sleep 1000"
    daemon.hoody("run", "--name", "log", "--readiness", r"log=listening on port \d+", "--shell", "--", script)
    script = "sleep 0.3; touch beat; exec sleep 1000"
    (tmp_path / "beat").touch()
    place = ["--directory", str(tmp_path), "--readiness", "heartbeat=beat", "--readiness", "interval=50ms"]
    began = time.monotonic()
    daemon.hoody("run", "--name", "beat", *place, "--shell", "--", script)

    assert time.monotonic() - began >= 0.3, "the touch of an earlier time is no sign of this one's life"
    for name in ("log", "beat"):
        assert daemon.unit(name)["status"]["ready"]


@pytest.mark.parametrize(
    ("flags", "reason", "words"),
    [
        (["--silence", "400ms"], "stalled", "it wrote nothing for 0.4 s"),
        (["--runtime", "400ms"], "limit", "it ran for 0.4 s, which is its limit"),
    ],
)
def test_what_is_too_quiet_or_too_long_is_ended(daemon: Daemon, flags: list[str], reason: str, words: str) -> None:
    daemon.hoody("run", "--name", "long", "--no-wait", *flags, "--", "sleep", "1000")

    found = once(daemon, "long", "ended", lambda s: s["exit"])

    assert found["exit"]["reason"] == reason
    assert found["exit"]["detail"].startswith(words)


def test_what_goes_on_writing_is_not_silent(daemon: Daemon) -> None:
    script = "while :; do echo tick >&2; sleep 0.1; done"
    daemon.hoody("run", "--name", "chatty", "--silence", "600ms", "--shell", "--", script)
    time.sleep(1.5)

    assert daemon.unit("chatty")["status"]["incarnation"] == 1


def test_a_probe_that_cannot_be_carried_out_is_refused_with_its_path(daemon: Daemon) -> None:
    code, answer = daemon.request(
        "POST",
        "/api/v1/agents",
        {
            "name": "web",
            "command": "serve",
            "readiness": {"http": "http://example.org/", "interval": 0},
            "liveness": {"log": "(?=x)"},
            "limits": {"silence": "soon"},
        },
    )

    assert code == 422
    paths = {problem["path"] for problem in answer["errors"]}
    assert paths == {"readiness.http", "readiness.interval", "liveness.log", "limits.silence"}
    result = daemon.hoody("run", "--readiness", "notfy", "--", "sleep", "1", expect=2)
    assert "--readiness expects KEY=VALUE, got 'notfy'" in result.stderr


def test_a_script_notifies_with_the_tool_of_systemd(daemon: Daemon) -> None:
    """The tool ends right after its message: it waits until it was heard, so that it can be seen who has spoken."""
    if shutil.which("systemd-notify") is None:
        pytest.skip("systemd-notify is not installed on this machine")
    script = "sleep 0.2; systemd-notify --ready --status='up and running'; exec sleep 1000"
    daemon.hoody("run", "--name", "script", "--readiness", "notify", "--shell", "--", script, timeout=90)

    found = once(daemon, "script", "heard", lambda s: s["says"])

    assert (found["ready"], found["says"]) == (True, "up and running")


def test_the_example_of_two_mcp_servers_runs_and_one_that_hangs_is_replaced(daemon: Daemon, tmp_path: Path) -> None:
    tools = Path(sys.executable).parent
    text = (ROOT / "docs" / "examples" / "mcp-servers.toml").read_text(encoding="utf-8")
    for port in ("8731", "8732"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            text = text.replace(port, str(free.getsockname()[1]))
    for short, real in (('"mcp-proxy"', f'"{tools}/mcp-proxy"'), ('"mcp-server-time"', f'"{tools}/mcp-server-time"')):
        text = text.replace(short, real)
    # As it stands, but for patience.
    text = text.replace('"5s"', '"200ms"').replace('stop_timeout = "3s"', 'stop_timeout = "500ms"')
    (tmp_path / "mcp.toml").write_text(text, encoding="utf-8")

    daemon.hoody("apply", "-f", str(tmp_path / "mcp.toml"))
    daemon.hoody("wait", "mcp-time", "mcp-time-tokyo", "--for", "healthy", "--timeout", "60s", timeout=90)
    other = daemon.unit("mcp-time-tokyo")["status"]
    os.kill(daemon.unit("mcp-time")["status"]["pid"], signal.SIGSTOP)
    again = once(daemon, "mcp-time", "replaced", lambda s: s["incarnation"] == 2 and s["health"] == "healthy")

    assert again["exit"]["reason"] == "liveness"
    assert daemon.unit("mcp-time-tokyo")["status"]["pid"] == other["pid"]
