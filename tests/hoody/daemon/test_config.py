"""What is configured of the daemon, and how faults are told."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from hoody.daemon.config import DaemonConfig, LogLevel, load_config
from hoody.daemon.instance import load_or_create_instance
from supervisor.errors import InvalidInput, NotAllowed, StorageError
from supervisor.units.quantities import Size


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "hoody.toml"


def test_without_a_file_the_defaults_hold(path: Path) -> None:
    assert load_config(path) == DaemonConfig()


def test_every_key_is_read(path: Path) -> None:
    path.write_text('[daemon]\nport = 4242\nlog_level = "debug"\nlog_quota = "1GiB"\nstarts_at_once = 3\n')

    assert load_config(path) == DaemonConfig(
        port=4242, log_level=LogLevel.DEBUG, log_quota=Size(1024**3), starts_at_once=3
    )


def test_a_quota_of_nothing_is_no_limit_and_one_too_small_to_work_with_is_refused(path: Path) -> None:
    path.write_text("[daemon]\nlog_quota = 0\n")
    assert load_config(path).log_settings.quota is None

    path.write_text("[daemon]\nlog_quota = 1000\n")
    with pytest.raises(InvalidInput, match=r"daemon\.log_quota: must be 0 for no limit, or at least 1MiB"):
        load_config(path)


def test_tables_for_others_are_left_to_them(path: Path) -> None:
    path.write_text('[agents.web]\nanything = "goes"\n[daemon]\nport = 1\n')

    assert load_config(path).port == 1


def test_every_fault_is_told_at_once_with_its_path(path: Path) -> None:
    path.write_text('[daemon]\nport = 70000\nlog_level = "loud"\nprot = 1\n')

    with pytest.raises(InvalidInput) as caught:
        load_config(path)

    assert {problem.path for problem in caught.value.problems} == {"daemon.port", "daemon.log_level", "daemon.prot"}
    assert str(path) in str(caught.value)


def test_a_table_that_is_mistyped_is_refused_with_the_nearest_name(path: Path) -> None:
    path.write_text("[deamon]\nport = 1\n")

    with pytest.raises(InvalidInput, match="did you mean 'daemon'"):
        load_config(path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"port = = 1", "is not TOML"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"daemon = 3", "expected"),
        (b"x" * 5_000_000, "larger than"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused_in_words(path: Path, content: bytes, told: str) -> None:
    path.write_bytes(content)

    with pytest.raises(InvalidInput, match=told):
        load_config(path)


def test_a_file_that_others_may_write_is_refused(path: Path) -> None:
    path.write_text("")
    path.chmod(0o666)

    with pytest.raises(NotAllowed, match="could have been written by somebody else"):
        load_config(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(path: Path) -> None:
    path.write_text("")
    os.chown(path, 12345, 12345)

    with pytest.raises(NotAllowed, match="uid 12345"):
        load_config(path)


def test_a_folder_in_its_place_is_told_in_words(path: Path) -> None:
    path.mkdir()

    with pytest.raises(StorageError, match="cannot be read"):
        load_config(path)


def test_levels_are_those_of_the_logging_module() -> None:
    assert [level.number for level in LogLevel] == [logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR]


def test_the_id_of_a_home_is_made_once_and_kept(path: Path) -> None:
    first = load_or_create_instance(str(path))

    assert load_or_create_instance(str(path)) == first
    assert path.stat().st_mode & 0o7777 == 0o600


def test_a_damaged_id_is_refused_since_another_one_would_double_what_runs(path: Path) -> None:
    path.write_text("not an id")
    path.chmod(0o600)

    with pytest.raises(StorageError, match="does not hold the id"):
        load_or_create_instance(str(path))
