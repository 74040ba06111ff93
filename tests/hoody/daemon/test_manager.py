"""What a service manager hears, and the files that tell it about the daemon."""

from __future__ import annotations

import os
import plistlib
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from hoody.daemon.installing import Service, describe_service, install, uninstall
from hoody.daemon.manager import ServiceManager
from hoody.daemon.service_files import systemd_unit
from supervisor.errors import StorageError, Unavailable


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(str(tmp_path / "notify"))
        found.setblocking(False)
        yield found


def test_facts_reach_the_manager(listener: socket.socket) -> None:
    ServiceManager({"NOTIFY_SOCKET": listener.getsockname()}).tell("READY=1", "STATUS=up")

    assert listener.recv(100) == b"READY=1\nSTATUS=up"


def test_facts_reach_a_manager_at_an_abstract_address() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind(f"\0hoody-test-{os.getpid()}")

        ServiceManager({"NOTIFY_SOCKET": f"@hoody-test-{os.getpid()}"}).tell("READY=1")

        assert found.recv(100) == b"READY=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
def test_where_nobody_listens_nothing_happens(environ: dict[str, str]) -> None:
    ServiceManager(environ).tell("READY=1")


async def test_the_watchdog_is_fed_three_times_within_its_time(
    listener: socket.socket, autojump_clock: MockClock
) -> None:
    environ = {"NOTIFY_SOCKET": listener.getsockname(), "WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}

    with trio.move_on_after(29):
        await ServiceManager(environ, pid=7).feed_watchdog()

    assert [listener.recv(100) for _ in range(3)] == [b"WATCHDOG=1"] * 3
    with pytest.raises(BlockingIOError):
        listener.recv(100)


@pytest.mark.parametrize(
    "environ",
    [{}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}],
    ids=["none", "zero", "no number", "for another process"],
)
async def test_no_watchdog_is_fed_where_none_watches(listener: socket.socket, environ: dict[str, str]) -> None:
    await ServiceManager({"NOTIFY_SOCKET": listener.getsockname(), **environ}, pid=7).feed_watchdog()

    with pytest.raises(BlockingIOError):
        listener.recv(100)


def test_the_unit_leaves_agents_alone_and_is_watched(tmp_path: Path) -> None:
    service = describe_service({"HOME": str(tmp_path), "PATH": "/bin:/opt/x y"}, platform="linux")

    assert service.path == str(tmp_path / ".config" / "systemd" / "user" / "hoody.service")
    lines = service.text.splitlines()
    for wanted in (
        "Type=notify",
        "Restart=always",
        "KillMode=process",
        "OOMPolicy=continue",
        "Delegate=yes",
        "WatchdogSec=30",
        'Environment="PATH=/bin:/opt/x y"',
    ):
        assert wanted in lines


def test_every_character_of_a_word_is_taken_as_it_is() -> None:
    text = systemd_unit(("/a b/py", "$HOME", "100%", 'say "hi"', "back\\slash"), {"A": "$x %d"})

    assert 'ExecStart="/a b/py" "$$HOME" "100%%" "say \\"hi\\"" "back\\\\slash"' in text
    assert 'Environment="A=$x %%d"' in text


def test_systemd_finds_no_fault_in_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not on this machine")
    unit = tmp_path / "hoody.service"
    unit.write_text(describe_service({"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}, platform="linux").text)

    found = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )

    ours = [line for line in found.stderr.splitlines() if "hoody" in line]
    assert (found.returncode, ours) == (0, [])


def test_a_relative_home_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    text = describe_service({"HOME": "/h", "HOODY_HOME": "mine"}, platform="linux").text

    assert f'Environment="HOODY_HOME={tmp_path}/mine"' in text


def test_launchd_is_told_the_same(tmp_path: Path) -> None:
    service = describe_service({"HOME": str(tmp_path), "PATH": "/bin"}, platform="darwin")

    told = plistlib.loads(service.text.encode())
    assert service.path == str(tmp_path / "Library" / "LaunchAgents" / "dev.hoody.daemon.plist")
    assert told["ProgramArguments"][1:] == ["-m", "hoody", "daemon", "run"]
    assert (told["KeepAlive"], told["AbandonProcessGroup"]) == ({"SuccessfulExit": False}, True)


def service_in(folder: Path, *, works: bool = True) -> Service:
    """A service whose manager is a command that always, or never, obeys."""
    word = (("true" if works else "false"),)
    return Service(
        path=str(folder / "deep" / "x.service"), text="text", take_up=(word,), let_go=(word,), forget=(word,)
    )


def test_installing_writes_the_file_and_uninstalling_removes_it(tmp_path: Path) -> None:
    service = service_in(tmp_path)

    install(service)

    path = Path(service.path)
    assert path.read_text() == "text"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert uninstall(service)
    assert not path.exists()
    assert not uninstall(service)


def test_a_manager_that_refuses_is_told_with_what_is_done_already(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"x\.service is written; false: exit code 1"):
        install(service_in(tmp_path, works=False))


def test_a_manager_that_is_not_there_is_told(tmp_path: Path) -> None:
    service = service_in(tmp_path)._replace(take_up=(("no-such-manager", "go"),))

    with pytest.raises(Unavailable, match="no-such-manager is not on this machine"):
        install(service)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "deep").write_text("a file")

    with pytest.raises(StorageError, match="cannot be written"):
        install(service_in(tmp_path))


def test_a_daemon_tells_its_manager_that_it_is_up_and_that_it_ends(tmp_path: Path, listener: socket.socket) -> None:
    listener.settimeout(30)
    environ = {
        **os.environ,
        "HOODY_HOME": str(tmp_path / "home"),
        "NOTIFY_SOCKET": listener.getsockname(),
        "WATCHDOG_USEC": "60000000",
    }
    command = [sys.executable, "-m", "hoody", "daemon", "run"]

    with subprocess.Popen(command, env=environ, stderr=subprocess.DEVNULL) as daemon:
        heard = [listener.recv(200).partition(b"\n")[0] for _ in range(2)]
        daemon.terminate()
        last = listener.recv(200)

    assert sorted(heard) == [b"READY=1", b"WATCHDOG=1"]
    assert (last, daemon.returncode) == (b"STOPPING=1", 0)
