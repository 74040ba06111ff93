"""Where the files of one daemon live. Standard library only, and without pathlib: every command pays for this import.

| what | where |
| --- | --- |
| configuration | ``$XDG_CONFIG_HOME/hoody`` (``~/.config/hoody``) |
| state | ``$XDG_STATE_HOME/hoody`` (``~/.local/state/hoody``) |
| runtime | ``$XDG_RUNTIME_DIR/hoody``, or ``run`` below the state folder where that is unset |

``HOODY_HOME`` puts all three under one folder: ``hoody.toml`` itself, ``state`` and ``run``.
"""

# Without pathlib: pathlib costs a light command several milliseconds.
# ruff: noqa: PTH100, PTH101, PTH102, PTH103, PTH111, PTH116, PTH117, PTH118, PTH120
from __future__ import annotations

import contextlib
import os
import stat
import sys
from collections.abc import Mapping
from typing import NamedTuple

from supervisor.errors import NotAllowed, StorageError


class Home(NamedTuple):
    """The three folders of one daemon, as absolute paths, and the files in them."""

    config: str
    state: str
    runtime: str

    @property
    def config_file(self) -> str:
        """What somebody wrote down: ``hoody.toml``."""
        return os.path.join(self.config, "hoody.toml")

    @property
    def database(self) -> str:
        """Definitions and what is wanted of them."""
        return os.path.join(self.state, "hoody.db")

    @property
    def token_file(self) -> str:
        """The bearer token, for its owner alone."""
        return os.path.join(self.state, "token")

    @property
    def instance_file(self) -> str:
        """The id of this home, which marks every process that belongs to it."""
        return os.path.join(self.state, "instance")

    @property
    def lock_file(self) -> str:
        """Held by the daemon for life. In the state folder, since the state is what two daemons would spoil."""
        return os.path.join(self.state, "lock")

    @property
    def logs(self) -> str:
        """The output of units, a folder for each, and of the daemon itself."""
        return os.path.join(self.state, "logs")

    @property
    def daemon_log(self) -> str:
        """The daemon's log: one JSON object per line."""
        return os.path.join(self.logs, "daemon.log")

    @property
    def stderr_log(self) -> str:
        """What a daemon in the background prints beside its log: failures before there is a log."""
        return os.path.join(self.logs, "daemon.stderr.log")

    @property
    def daemon_file(self) -> str:
        """How to reach the running daemon."""
        return os.path.join(self.runtime, "daemon.json")

    @property
    def stopping_file(self) -> str:
        """What a daemon that is ending still waits for."""
        return os.path.join(self.runtime, "stopping.json")

    @property
    def inputs(self) -> str:
        """FIFOs that agents read from."""
        return os.path.join(self.runtime, "inputs")

    @property
    def fifos(self) -> str:
        """The pipes that units write their output to."""
        return os.path.join(self.runtime, "fifos")


def find_home(environ: Mapping[str, str] | None = None) -> Home:
    """Work out the folders from the environment. Touches no file.

    As the XDG specification asks, a variable that is empty or not absolute counts as unset.
    """
    variables = os.environ if environ is None else environ
    base = variables.get("HOODY_HOME")
    if base:
        base = os.path.abspath(os.path.expanduser(base))
        return Home(config=base, state=os.path.join(base, "state"), runtime=os.path.join(base, "run"))
    user = variables.get("HOME") or os.path.expanduser("~")
    if sys.platform == "darwin":
        config = state = os.path.join(user, "Library", "Application Support", "hoody")
    else:
        config = os.path.join(_xdg(variables, "XDG_CONFIG_HOME") or os.path.join(user, ".config"), "hoody")
        state = os.path.join(_xdg(variables, "XDG_STATE_HOME") or os.path.join(user, ".local", "state"), "hoody")
    runtime = _xdg(variables, "XDG_RUNTIME_DIR")
    return Home(config, state, os.path.join(runtime, "hoody") if runtime else os.path.join(state, "run"))


def _xdg(variables: Mapping[str, str], name: str) -> str | None:
    value = variables.get(name, "")
    return value if os.path.isabs(value) else None


def prepare_home(home: Home) -> None:
    """Make the folders that a daemon writes to, private to their owner.

    Raises ``NotAllowed`` for a folder that somebody else owns or may write to, ``StorageError`` where one cannot be
    made.
    """
    for folder in (home.state, home.runtime, home.logs):
        make_private_folder(folder)


def make_private_folder(folder: str) -> None:
    """Make ``folder`` with mode 0700, or see to it that the one that is there is ours; see :func:`prepare_home`."""
    try:
        os.makedirs(os.path.dirname(folder), exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        found = os.stat(folder)
        if not stat.S_ISDIR(found.st_mode):
            raise StorageError(f"{folder} is not a folder", hint="move it away, or set HOODY_HOME to another place")
        _check_private(folder, found)
        if stat.S_IMODE(found.st_mode) != 0o700:
            os.chmod(folder, 0o700)
    except OSError as error:
        raise StorageError(
            f"the folder {folder} cannot be made: {error.strerror or error}",
            hint="check the folder above it, or set HOODY_HOME to a place that is writable",
        ) from error


def _check_private(folder: str, found: os.stat_result) -> None:
    if found.st_uid != os.geteuid():
        raise NotAllowed(
            f"{folder} belongs to another user (uid {found.st_uid})",
            hint="set HOODY_HOME to a folder of your own",
        )
    if found.st_mode & 0o022:
        raise NotAllowed(
            f"{folder} can be written to by others (mode {stat.S_IMODE(found.st_mode):04o})",
            hint=f"look at what is in it, then: chmod 700 '{folder}'",
        )
