"""Following logs, choosing lines by time and text, and the demo: what takes the daemon up and down on the way."""

from __future__ import annotations

import itertools
import os
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio

from hoody.daemon.alive import start_time

COUNTER = "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done"


@pytest.fixture
def own(shell: Any) -> Iterator[Any]:
    """A daemon of one test alone."""
    shell("up")
    yield shell
    shell("down")


def lines_of(process: subprocess.Popen[bytes], count: int) -> list[str]:
    """Read so many lines, or fail within a time."""
    assert process.stdout is not None
    data, deadline = b"", time.monotonic() + 30
    while data.count(b"\n") < count:
        assert time.monotonic() < deadline, f"only got {data!r}"
        if select.select([process.stdout], [], [], 0.5)[0]:
            part = os.read(process.stdout.fileno(), 65536)
            assert part, f"ended after {data!r}"
            data += part
    return data.decode().splitlines()


def test_a_log_is_followed_over_a_restart_of_the_daemon_without_losing_a_line(own: Any) -> None:
    own("run", "--name", "counter", "--start-seconds", "50ms", "--shell", "--", COUNTER)
    process = own.begin("logs", "-f", "counter", "--tail", "all", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    before = lines_of(process, 5)
    own("down", "--leave-agents")
    own("up")
    after = lines_of(process, 10)
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=30)

    numbers = [int(line.removeprefix("line ")) for line in [*before, *after, *rest.decode().splitlines()]]
    assert numbers == list(range(1, len(numbers) + 1))
    assert (process.returncode, errors) == (130, b"")


def test_several_logs_are_followed_together_until_nobody_reads(own: Any) -> None:
    for name in ("tick", "tock"):
        own("run", "--name", name, "--start-seconds", "50ms", "--shell", "--", COUNTER)
    process = own.begin("logs", "-f", "t*", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    seen = lines_of(process, 1)
    while len({line[:4] for line in seen}) < 2:
        seen += lines_of(process, 1)
    assert process.stdout is not None
    process.stdout.close()

    assert process.wait(30) == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert all(re.fullmatch(r"t[io]ck \| line \d+", line) for line in seen)


def test_following_ends_with_an_error_when_there_is_nothing_to_follow(own: Any) -> None:
    assert "error: " in own("logs", "-f", "nobody", expect=3).stderr


def test_lines_are_chosen_by_time_text_and_incarnation(own: Any) -> None:
    script = "echo one; echo two >&2; sleep 0.3; echo three; exec sleep 1000"
    own("run", "--name", "speak", "--start-seconds", "500ms", "--shell", "--", script)

    assert sorted(own("logs", "speak").stdout.split()) == ["one", "three", "two"]
    assert own("logs", "speak", "--grep", "thr").stdout == "three\n"
    assert own("logs", "speak", "--since", "1h", "--stream", "stderr").stdout == "two\n"
    assert own("logs", "speak", "--until", "1h").stdout == ""
    assert own("logs", "speak", "--until", datetime.now(UTC).isoformat(), "-n", "1").stdout == "three\n"
    [stamped] = own("logs", "speak", "-t", "-n", "1").stdout.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z three", stamped)
    own("restart", "speak")
    assert sorted(own("logs", "speak", "--previous").stdout.split()) == ["one", "three", "two"]
    wrong = own("logs", "speak", "--since", "soon", expect=2)
    assert "expected a time such as" in wrong.stderr


async def test_the_trio_client_follows(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from hoody import AsyncClient

    monkeypatch.setenv("HOODY_HOME", str(own.home))
    own("run", "--name", "counter", "--start-seconds", "50ms", "--shell", "--", COUNTER)
    found = []
    with trio.fail_after(30):
        async for item in AsyncClient().agents.follow("counter"):
            found.append(item["text"])
            if len(found) == 5:
                break

    numbers = [int(text.removeprefix("line ")) for text in found]
    assert numbers == list(range(numbers[0], numbers[0] + 5))


def test_the_blocking_client_follows(own: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from hoody import Client

    monkeypatch.setenv("HOODY_HOME", str(own.home))
    own("run", "--name", "counter", "--start-seconds", "50ms", "--shell", "--", COUNTER)
    found = list(itertools.islice(Client().agents.follow("counter"), 5))

    assert len({item["text"] for item in found}) == 5


def test_the_demo_shows_an_agent_back_and_takes_everything_away(shell: Any) -> None:
    begun = time.monotonic()
    result = shell("demo", TMPDIR=str(shell.home))

    assert time.monotonic() - begun < 20
    assert re.search(r"\$ kill -9 \d+ .*demo-web", result.stdout)
    assert re.search(r"Killed to started again: \d+\.\d ms\.", result.stdout)
    assert re.search(r"crashed, signal KILL", result.stdout)
    assert "$ hoody tree\nhoody  [supervisor" in result.stdout
    assert "$ hoody health\nhealthy" in result.stdout
    assert list(shell.home.glob("hoody-demo-*")) == []


def test_an_interrupted_demo_takes_everything_away_too(shell: Any) -> None:
    shell.environment["TMPDIR"] = str(shell.home)
    process = shell.begin("demo", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    told = lines_of(process, 1)[0]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)

    assert (process.returncode, errors) == (130, b"")
    found = re.search(r"pid (\d+), home", told)
    assert found
    assert start_time(int(found[1])) is None
    assert list(shell.home.glob("hoody-demo-*")) == []


def test_the_demo_can_be_kept_and_says_how_to_clean_up(shell: Any) -> None:
    home = shell.home / "kept"
    result = shell("demo", "--keep", "--home", str(home))
    assert f"export HOODY_HOME={home}" in result.stdout

    assert shell("ps", "-q", HOODY_HOME=str(home)).stdout.split() == ["demo-ticker", "demo-web", "demo-worker"]
    assert "rm 'demo-*' --force --yes" in result.stdout
    shell("rm", "demo-*", "--force", "--yes", HOODY_HOME=str(home))
    shell("down", HOODY_HOME=str(home))
    assert shell("down", HOODY_HOME=str(home)).stderr == "no daemon is running\n"


def test_the_demo_leaves_a_daemon_that_ran_before_as_it_was(own: Any) -> None:
    pid = own.json("status")["pid"]
    own("demo", "--home", str(own.home))

    assert own.json("status")["pid"] == pid
    assert own.json("ps") == []


def test_the_daemon_runs_in_the_foreground_until_it_is_told_to_end(shell: Any) -> None:
    process = shell.begin("daemon", "run", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while shell("status", expect=None).returncode != 0:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.05)
    second = shell("daemon", "run", expect=1)
    assert f"pid {process.pid}" in second.stderr
    process.send_signal(signal.SIGTERM)

    process.communicate(timeout=30)
    assert process.returncode == 0
    assert not Path(shell.home, "run", "daemon.json").exists()
