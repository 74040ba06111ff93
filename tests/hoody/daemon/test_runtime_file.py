"""How a running daemon is found, and how a dead one is told from it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoody.daemon.alive import start_time
from hoody.daemon.lock import HomeLock
from hoody.daemon.private_file import read_private, write_private
from hoody.daemon.runtime_file import DaemonFile, read_daemon_file, remove_daemon_file, write_daemon_file
from hoody.home import Home, find_home, prepare_home
from supervisor.errors import NotAllowed


def daemon_file(pid: int, started: int) -> DaemonFile:
    return DaemonFile(pid, started, 4242, "http://127.0.0.1:4242", "2030-01-02T03:04:05Z", "an-instance", "1.2.3")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = find_home({"HOODY_HOME": str(tmp_path)})
    prepare_home(home)
    return home


@pytest.mark.parametrize("rubbish", ["", "{", "[1]", "null", '{"pid": 1}', '{"pid": {}, "start_time": 1}'])
def test_a_file_that_is_cut_off_counts_as_none(home: Home, rubbish: str) -> None:
    write_private(home.daemon_file, rubbish)

    assert read_daemon_file(home) is None


@given(st.text())
def test_no_content_of_the_file_raises(home: Home, text: str) -> None:
    Path(home.daemon_file).write_bytes(text.encode("utf-8", "surrogatepass"))
    Path(home.daemon_file).chmod(0o600)

    found = read_daemon_file(home)

    assert found is None or isinstance(found, DaemonFile)


def test_what_is_written_is_read_and_is_for_its_owner_alone(home: Home) -> None:
    mine = daemon_file(os.getpid(), start_time(os.getpid()) or 0)
    write_daemon_file(home.daemon_file, mine)

    assert read_daemon_file(home) == mine
    assert mine.alive
    assert Path(home.daemon_file).stat().st_mode & 0o7777 == 0o600


def test_a_file_that_others_could_write_is_not_believed(home: Home) -> None:
    write_daemon_file(home.daemon_file, daemon_file(1, 1))
    Path(home.daemon_file).chmod(0o666)

    assert read_daemon_file(home) is None


def test_a_recycled_pid_is_not_the_daemon(home: Home) -> None:
    assert not daemon_file(os.getpid(), (start_time(os.getpid()) or 0) + 1).alive


def test_an_ended_process_is_not_alive_even_while_nobody_has_reaped_it() -> None:
    with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE) as child:
        started = start_time(child.pid)
        assert started is not None
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

        assert start_time(child.pid) is None

        child.wait()

    assert start_time(child.pid) is None


@pytest.mark.parametrize("pid", [0, -1, 2**22 + 1])
def test_what_is_no_pid_is_not_alive(pid: int) -> None:
    assert start_time(pid) is None


def test_removing_the_file_twice_is_fine(home: Home) -> None:
    write_daemon_file(home.daemon_file, daemon_file(1, 1))

    remove_daemon_file(home.daemon_file)
    remove_daemon_file(home.daemon_file)

    assert read_daemon_file(home) is None


def test_a_daemon_started_with_another_runtime_folder_is_found_by_its_lock(tmp_path: Path) -> None:
    desktop = find_home({"HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(tmp_path / "run")})
    remote = find_home({"HOME": str(tmp_path)})
    prepare_home(desktop)
    lock = HomeLock.take(desktop, since="2030-01-02T03:04:05Z")
    write_daemon_file(desktop.daemon_file, daemon_file(os.getpid(), 1))

    found = read_daemon_file(remote)

    assert found is not None
    assert found.port == 4242
    lock.release()


def test_a_file_is_replaced_in_one_step_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    (tmp_path / "file.new").write_text("left over from a kill")

    write_private(str(path), "first")
    write_private(str(path), "second")

    assert read_private(str(path)) == "second"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "folder-in-the-way"
    path.mkdir()

    with pytest.raises(OSError, match="directory"):
        write_private(str(path), "text")

    assert [entry.name for entry in tmp_path.iterdir()] == ["folder-in-the-way"]


def test_a_link_is_not_followed_when_reading(tmp_path: Path) -> None:
    write_private(str(tmp_path / "real"), "secret")
    (tmp_path / "link").symlink_to(tmp_path / "real")

    with pytest.raises(NotAllowed, match="cannot be read"):
        read_private(str(tmp_path / "link"))


def test_a_pipe_in_the_place_of_a_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)

    with pytest.raises(NotAllowed, match="is not a plain file"):
        read_private(str(tmp_path / "pipe"))
