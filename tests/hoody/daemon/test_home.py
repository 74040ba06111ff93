"""Where the files live, and which folders are trusted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hoody.home import Home, find_home, make_private_folder, prepare_home
from supervisor.errors import NotAllowed, StorageError


def test_one_variable_puts_everything_under_one_folder(tmp_path: Path) -> None:
    home = find_home({"HOODY_HOME": str(tmp_path / "h"), "XDG_STATE_HOME": "/elsewhere", "HOME": "/home/me"})

    assert home == Home(str(tmp_path / "h"), str(tmp_path / "h/state"), str(tmp_path / "h/run"))
    assert home.config_file == str(tmp_path / "h/hoody.toml")
    assert home.database == str(tmp_path / "h/state/hoody.db")
    assert home.daemon_file == str(tmp_path / "h/run/daemon.json")


def test_a_relative_home_is_taken_from_the_present_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert find_home({"HOODY_HOME": "here"}).state == str(tmp_path / "here/state")


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has its own places")
def test_without_variables_the_xdg_defaults_hold() -> None:
    home = find_home({"HOME": "/home/me", "HOODY_HOME": ""})

    assert home == Home("/home/me/.config/hoody", "/home/me/.local/state/hoody", "/home/me/.local/state/hoody/run")


@pytest.mark.skipif(sys.platform == "darwin", reason="macOS has its own places")
def test_the_xdg_variables_are_followed_and_relative_ones_are_ignored() -> None:
    variables = {
        "HOME": "/home/me",
        "XDG_CONFIG_HOME": "/c",
        "XDG_STATE_HOME": "not/absolute",
        "XDG_RUNTIME_DIR": "/run/user/7",
    }

    assert find_home(variables) == Home("/c/hoody", "/home/me/.local/state/hoody", "/run/user/7/hoody")


def test_all_files_of_a_home_have_places_of_their_own() -> None:
    home = find_home({"HOODY_HOME": "/h"})
    places = [
        home.config_file, home.database, home.token_file, home.instance_file, home.lock_file, home.daemon_log,
        home.stderr_log, home.daemon_file, home.fifos,
    ]  # fmt: skip

    assert len(set(places)) == len(places)


def test_the_folders_are_made_private_whatever_the_umask(tmp_path: Path) -> None:
    home = find_home({"HOODY_HOME": str(tmp_path / "deep" / "er")})
    before = os.umask(0)
    try:
        prepare_home(home)
    finally:
        os.umask(before)

    for folder in (home.state, home.runtime, home.logs):
        assert Path(folder).stat().st_mode & 0o7777 == 0o700


def test_making_the_folders_again_changes_nothing(tmp_path: Path) -> None:
    home = find_home({"HOODY_HOME": str(tmp_path)})
    prepare_home(home)
    (Path(home.state) / "kept").write_text("x")

    prepare_home(home)

    assert (Path(home.state) / "kept").read_text() == "x"


def test_a_folder_that_others_may_only_read_is_closed_to_them(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o755)

    make_private_folder(str(folder))

    assert folder.stat().st_mode & 0o7777 == 0o700


def test_a_folder_that_others_may_write_to_is_refused_in_words(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    folder.chmod(0o777)

    with pytest.raises(NotAllowed, match=r"can be written to by others \(mode 0777\)") as caught:
        make_private_folder(str(folder))

    assert "chmod 700" in str(caught.value.hint)
    assert folder.stat().st_mode & 0o7777 == 0o777


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_somebody_else_is_refused_in_words(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, 12345, 12345)

    with pytest.raises(NotAllowed, match="belongs to another user \\(uid 12345\\)"):
        make_private_folder(str(folder))


def test_a_file_in_the_place_of_a_folder_is_told_in_words(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("not a folder")

    with pytest.raises(StorageError, match="is not a folder"):
        make_private_folder(str(tmp_path / "state"))
    with pytest.raises(StorageError, match="cannot be made: File exists"):
        make_private_folder(str(tmp_path / "state" / "below"))


def test_the_places_cost_a_light_command_no_heavy_import() -> None:
    program = "import hoody.home, hoody.daemon.runtime_file, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()

    assert not {"trio", "pathlib", "attrs", "attr", "cattrs", "asyncio", "logging", "sqlite3"} & set(loaded)
