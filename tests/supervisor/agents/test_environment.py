"""The folder and the variables that a program starts with."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.agents.environment import build_environment, inherited_environment, working_directory
from supervisor.agents.marks import Mark, mark_from
from supervisor.errors import SpawnFailed
from supervisor.units.spec import AgentSpec

MARK = Mark("web", 3, "home")


def spec(**settings: Any) -> AgentSpec:
    return AgentSpec(command="true", **settings)


def build(folder: Path, *files: str, inherited: dict[str, str] | None = None, **environment: str) -> dict[str, str]:
    definition = spec(environment=environment, environment_files=files)
    return build_environment(definition, MARK, inherited or {}, str(folder))


def test_agents_inherit_what_the_daemon_has_but_nothing_that_is_its_own() -> None:
    daemon = {"PATH": "/bin", "LANG": "C", "HOODY_HOME": "/h", "HOODY_TOKEN": "s", "HOODY_UNIT": "outer"}
    daemon |= {"NOTIFY_SOCKET": "/run/x", "LISTEN_FDS": "3", "WATCHDOG_USEC": "1", "OLDPWD": "/old"}

    assert inherited_environment(daemon) == {"PATH": "/bin", "LANG": "C", "HOODY_HOME": "/h"}


@pytest.mark.parametrize(
    ("directory", "expected"),
    [
        (None, "/home/me"),
        ("/srv", "/srv"),
        ("work", "/home/me/work"),
        ("~", "/home/me"),
        ("~/work", "/home/me/work"),
        ("./a/../b/", "/home/me/b"),
    ],
)
def test_a_folder_counts_from_the_home_of_the_user(directory: str | None, expected: str) -> None:
    assert expected == working_directory(spec(directory=directory), "/home/me")


def test_later_sources_win_and_the_mark_wins_last(tmp_path: Path) -> None:
    (tmp_path / "one").write_text("A=file1\nB=file1\nC=file1\n")
    (tmp_path / "two").write_text("B=file2\nHOODY_UNIT=forged\n")

    found = build(tmp_path, "one", "two", inherited={"A": "daemon", "D": "daemon"}, C="spec")

    assert {name: found[name] for name in "ABCD"} == {"A": "file1", "B": "file2", "C": "spec", "D": "daemon"}
    assert mark_from(found) == MARK
    assert found["PWD"] == str(tmp_path)


def test_files_are_read_as_people_write_them(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# a comment\n\nexport KEY=plain\nQUOTED='with spaces'\nDOUBLE=\"a\\nb\"\nEMPTY=\nBARE\nREF=${KEY}-${NONE:-x}\n"
    )

    found = build(tmp_path, ".env")

    assert tuple(found[name] for name in ("KEY", "QUOTED", "DOUBLE", "EMPTY", "REF")) == (
        "plain",
        "with spaces",
        "a\nb",
        "",
        "plain-x",
    )
    assert "BARE" not in found


def test_a_reference_sees_what_is_known_so_far_and_never_the_daemon_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOODY_TOKEN", "secret")
    (tmp_path / "one").write_text("BASE=/srv\n")
    (tmp_path / "two").write_text("WHERE=${BASE}/data\nSTOLEN=${HOODY_TOKEN}\n")

    found = build(tmp_path, "one", "two")

    assert (found["WHERE"], found["STOLEN"]) == ("/srv/data", "")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist"),
        (b"A=1\nthis is no line\n", "line 2 is not KEY=value"),
        (b"A=\xff\n", "not UTF-8 text (at byte 2)"),
        (b"A=a\0b\n", "NUL character in line 1"),
        (b"A=" + b"x" * (1 << 20), "larger than 1 MiB"),
    ],
)
def test_a_file_that_cannot_be_used_fails_the_start_in_words(tmp_path: Path, content: bytes | None, words: str) -> None:
    if content is not None:
        (tmp_path / "env").write_bytes(content)

    with pytest.raises(SpawnFailed) as caught:
        build(tmp_path, "env")

    assert words in str(caught.value)
    assert str(tmp_path / "env") in str(caught.value)


def test_a_folder_or_a_pipe_is_not_read_as_a_file(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(SpawnFailed, match="is a folder"):
        build(tmp_path, "folder")
    with pytest.raises(SpawnFailed, match="not an ordinary file"):
        build(tmp_path, "pipe")


def test_a_name_that_no_file_can_have_fails_in_words(tmp_path: Path) -> None:
    with pytest.raises(SpawnFailed, match="cannot be read"):
        build(tmp_path, "x" * 300)
    with pytest.raises(SpawnFailed, match="cannot be read"):
        build(tmp_path, "nul\0byte")


@given(st.binary(max_size=200))
def test_any_file_is_either_read_or_refused_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "env").write_bytes(content)

    found: dict[str, str] = {}
    with contextlib.suppress(SpawnFailed):
        found = build(tmp_path, "env")

    assert all(name and "\0" not in name + value for name, value in found.items())
