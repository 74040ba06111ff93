"""One daemon per home, whoever dies how."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hoody.daemon.lock import HomeLock
from hoody.daemon.runtime_file import read_holder
from hoody.home import Home, find_home, prepare_home
from supervisor.errors import Locked, NotAllowed, StorageError

SINCE = "2030-01-02T03:04:05Z"

HOLD = """
import sys, time
from hoody.daemon.lock import HomeLock
from hoody.home import find_home
lock = HomeLock.take(find_home({"HOODY_HOME": sys.argv[1]}), since="2030-01-02T03:04:05Z")
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = find_home({"HOODY_HOME": str(tmp_path)})
    prepare_home(home)
    return home


def test_a_second_taker_is_told_who_holds_it_and_since_when(home: Home, tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"

            with pytest.raises(Locked, match=f"the daemon with pid {holder.pid}, since {SINCE}, owns this home"):
                HomeLock.take(home, since=SINCE)
        finally:
            holder.send_signal(signal.SIGKILL)
            holder.wait()
        HomeLock.take(home, since=SINCE).release()


def test_letting_go_leaves_the_file_and_frees_the_home(home: Home) -> None:
    lock = HomeLock.take(home, since=SINCE)
    with pytest.raises(Locked):
        HomeLock.take(home, since=SINCE)

    lock.release()
    lock.release()

    assert Path(home.lock_file).exists()
    HomeLock.take(home, since=SINCE).release()


def test_the_file_says_who_holds_it(home: Home) -> None:
    assert read_holder(home.lock_file) is None
    lock = HomeLock.take(home, since=SINCE)

    holder = read_holder(home.lock_file)

    assert holder is not None
    assert (holder.pid, holder.since, holder.runtime) == (os.getpid(), SINCE, home.runtime)
    assert holder.alive
    lock.release()


def test_a_shorter_text_replaces_a_longer_one_whole(home: Home) -> None:
    Path(home.lock_file).write_text("x" * 5000)
    Path(home.lock_file).chmod(0o600)

    lock = HomeLock.take(home, since=SINCE)

    assert read_holder(home.lock_file) is not None
    lock.release()


def test_no_child_inherits_the_lock(home: Home) -> None:
    lock = HomeLock.take(home, since=SINCE)
    with subprocess.Popen(["/bin/sleep", "60"], close_fds=False) as child:
        try:
            lock.release()

            HomeLock.take(home, since=SINCE).release()
        finally:
            child.kill()


def test_a_link_in_the_place_of_the_lock_is_not_followed(home: Home, tmp_path: Path) -> None:
    Path(home.lock_file).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StorageError, match="cannot be taken"):
        HomeLock.take(home, since=SINCE)

    assert not (tmp_path / "elsewhere").exists()


def test_a_missing_state_folder_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file or directory"):
        HomeLock.take(find_home({"HOODY_HOME": str(tmp_path / "none")}), since=SINCE)


def test_rubbish_in_the_lock_file_names_nobody(home: Home) -> None:
    for rubbish in ("", "{", "[]", '{"pid": "x"}', "\x00\xff" * 40):
        Path(home.lock_file).write_text(rubbish)
        Path(home.lock_file).chmod(0o600)

        assert read_holder(home.lock_file) is None


def test_the_errors_keep_their_class_for_the_command_line() -> None:
    assert (Locked("x").exit_code, NotAllowed("x").exit_code) == (1, 5)
