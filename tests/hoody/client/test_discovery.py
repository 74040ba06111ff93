"""The daemon is found by what it wrote down, and the token goes to nobody else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from hoody.client.discover import HomeFinder, find_daemon
from hoody.daemon.alive import start_time
from hoody.home import Home
from supervisor.errors import DaemonNotRunning, InvalidInput, NotAllowed, Unauthorized


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in ("HOODY_URL", "HOODY_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOODY_HOME", str(tmp_path))
    found = Home(str(tmp_path), str(tmp_path / "state"), str(tmp_path / "run"))
    for folder in (found.state, found.runtime):
        Path(folder).mkdir(mode=0o700)
    write(found.token_file, "hdy_secret\n")
    return found


def write(path: str, text: str, mode: int = 0o600) -> None:
    Path(path).write_text(text)
    Path(path).chmod(mode)


def daemon_file(home: Home, *, pid: int, start: int) -> None:
    document = {
        "pid": pid,
        "start_time": start,
        "port": 4711,
        "url": "http://127.0.0.1:4711",
        "started": "2026-01-01T00:00:00Z",
        "instance": "i",
        "version": "1",
    }
    write(home.daemon_file, json.dumps(document))


def ours() -> dict[str, int]:
    found = start_time(os.getpid())
    assert found is not None
    return {"pid": os.getpid(), "start": found}


def test_the_daemon_of_the_home_is_found(home: Home) -> None:
    daemon_file(home, **ours())

    assert find_daemon().find() == ("127.0.0.1", 4711, "hdy_secret")


def test_without_its_file_no_daemon_runs(home: Home) -> None:
    with pytest.raises(DaemonNotRunning, match="no daemon is running"):
        find_daemon().find()


def test_a_file_whose_process_has_ended_is_not_followed(home: Home) -> None:
    daemon_file(home, pid=os.getpid(), start=1)

    with pytest.raises(DaemonNotRunning, match="has ended"):
        find_daemon().find()


def test_a_token_that_others_can_read_is_not_used(home: Home) -> None:
    daemon_file(home, **ours())
    Path(home.token_file).chmod(0o644)

    with pytest.raises(NotAllowed, match="open to other users"):
        find_daemon().find()


def test_a_missing_token_is_told(home: Home) -> None:
    daemon_file(home, **ours())
    Path(home.token_file).unlink()

    with pytest.raises(Unauthorized, match="no token file"):
        HomeFinder(home).find()


def test_the_environment_names_another_daemon(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOODY_URL", "http://localhost:99/")
    monkeypatch.setenv("HOODY_TOKEN", "mine")

    assert find_daemon().find() == ("127.0.0.1", 99, "mine")


def test_an_address_alone_goes_with_the_token_of_the_home(home: Home) -> None:
    assert find_daemon(url="http://[::1]:99").find() == ("::1", 99, "hdy_secret")


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1:1",
        "http://example.org:80",
        "http://127.0.0.1.example.org:80",
        "http://127.0.0.1",
        "http://127.0.0.1:70000",
        "http://127.0.0.1:1@example.org:80",
        "http://127.0.0.1:1/path",
        "127.0.0.1:1",
    ],
)
def test_an_address_that_is_not_on_this_machine_is_refused(home: Home, url: str) -> None:
    with pytest.raises(InvalidInput, match="not the address"):
        find_daemon(url=url)
