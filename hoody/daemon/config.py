"""``[daemon]`` of ``hoody.toml``: what is configured of the daemon itself."""

from __future__ import annotations

import logging
import os
import stat
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Final

from attrs import field, frozen
from attrs.validators import ge, le

from supervisor.convert import structure
from supervisor.errors import InvalidInput, NotAllowed, Problem, StorageError
from supervisor.logs import StoreSettings
from supervisor.units.names import nearest
from supervisor.units.quantities import Size, format_size
from supervisor.units.services import STARTS_AT_ONCE

TABLES: Final = ("daemon", "agents", "containers", "workspaces", "workflows", "programs")
"""The tables that ``hoody.toml`` may have. All but the first are for ``hoody apply``."""
SMALLEST_QUOTA: Final = 1024**2
LARGEST_FILE: Final = 4 * 1024 * 1024


class LogLevel(StrEnum):
    """How much the daemon's log tells."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"

    @property
    def number(self) -> int:
        """The same for the ``logging`` module."""
        return logging.getLevelNamesMapping()[self.name]


def _some_room(_instance: object, _attribute: object, value: int) -> None:
    if 0 < value < SMALLEST_QUOTA:
        raise ValueError(f"must be 0 for no limit, or at least {format_size(SMALLEST_QUOTA)}")


@frozen(kw_only=True)
class DaemonConfig:
    """The keys of ``[daemon]``, all of which may be left out."""

    port: int = field(default=0, validator=[ge(0), le(65535)])
    """Where the API listens, on loopback only; 0 lets the kernel choose."""
    log_level: LogLevel = LogLevel.INFO
    """How much ``logs/daemon.log`` tells."""
    log_quota: Size = field(default=Size(2 * 1024**3), validator=_some_room)
    """The most that the output of all units may take on disk, 0 for no limit; the oldest backups go first."""
    starts_at_once: int = field(default=STARTS_AT_ONCE, validator=[ge(1), le(1000)])
    """How many units are being started at the same time."""

    @property
    def log_settings(self) -> StoreSettings:
        """The same for the log store."""
        return StoreSettings(quota=self.log_quota or None)


def load_config(path: Path) -> DaemonConfig:
    """Read the file at ``path``; the defaults where there is none.

    Raises ``InvalidInput`` with every fault of ``[daemon]``, ``NotAllowed`` where others could have written the file
    (it decides what runs as its owner), and ``StorageError`` where it cannot be read.
    """
    try:
        text = read_trusted(path)
    except FileNotFoundError:
        return DaemonConfig()
    try:
        document = tomllib.loads(text.decode())
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text (byte {error.start})") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInput(f"{path} is not TOML: {error}") from None
    _check_tables(path, document)
    try:
        return structure(DaemonConfig, document.get("daemon", {}), what=f"[daemon] in {path}")
    except InvalidInput as error:
        problems = [Problem(f"daemon.{each.path}" if each.path else "daemon", each.message) for each in error.problems]
        raise InvalidInput.of(str(path), problems) from None


def read_trusted(path: Path) -> bytes:
    """Read the file that decides what the daemon runs. Raises ``FileNotFoundError`` and what ``load_config`` raises."""
    try:
        return _read(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageError(f"{path} cannot be read: {error.strerror or error}") from error


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        if found.st_uid not in {os.geteuid(), 0} or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise NotAllowed(
                f"{path} could have been written by somebody else "
                f"(uid {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o})",
                hint=f"look at what it says, then: chmod go-w '{path}'",
            )
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise InvalidInput(f"{path} is larger than {LARGEST_FILE} bytes")
    return content


def _check_tables(path: Path, document: dict[str, object]) -> None:
    problems = []
    for name in document.keys() - set(TABLES):
        meant = nearest(name, TABLES)
        problems.append(Problem(name, "is no table of this file" + (f"; did you mean {meant!r}?" if meant else "")))
    if problems:
        raise InvalidInput.of(str(path), sorted(problems))
