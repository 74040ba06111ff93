"""The page about the daemon says what is true."""

from __future__ import annotations

import tomllib
from pathlib import Path

import attrs

from hoody.daemon.config import DaemonConfig
from hoody.daemon.log import BACKUPS, MAX_BYTES
from hoody.daemon.main import EXIT_STUCK
from hoody.daemon.runtime_file import DaemonFile
from hoody.daemon.stopping import MARGIN
from hoody.home import Home
from supervisor.convert import structure
from supervisor.errors import Conflict, InvalidInput, Locked, NotAllowed, StorageError

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "daemon.md").read_text()


def test_every_key_of_the_configuration_is_described_with_its_default() -> None:
    example = tomllib.loads(PAGE.split("```toml\n")[1].split("```")[0])["daemon"]

    assert set(example) == {field.name for field in attrs.fields(DaemonConfig)}
    assert structure(DaemonConfig, example) == DaemonConfig()
    assert all(f"| `{name}` |" in PAGE for name in example)


def test_every_field_of_the_address_is_named() -> None:
    assert all(f"`{name}`" in PAGE for name in DaemonFile._fields)


def test_every_file_of_a_home_is_named() -> None:
    home = Home("/c", "/s", "/r")
    properties = [name for name, value in vars(Home).items() if isinstance(value, property)]

    assert len(properties) > 8
    for name in properties:
        assert f"{Path(getattr(home, name)).name}" in PAGE


def test_every_exit_code_is_told() -> None:
    codes = {0, EXIT_STUCK} | {each.exit_code for each in (Conflict, InvalidInput, Locked, NotAllowed, StorageError)}

    assert all(f"| {code} |" in PAGE for code in codes)


def test_the_numbers_are_those_of_the_code() -> None:
    assert f"at most the longest stop timeout of the units and {MARGIN:g} seconds" in PAGE
    assert f"rotated at {MAX_BYTES // 1024**2} MiB with {BACKUPS} backups" in PAGE
