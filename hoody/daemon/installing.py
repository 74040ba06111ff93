"""Install the daemon as a service of this user, and take it out again."""

# Without pathlib: the paths of hoody.home are text.
# ruff: noqa: PTH103, PTH108, PTH118, PTH120
from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from hoody.daemon.private_file import write_private
from hoody.daemon.service_files import LABEL, UNIT_NAME, launchd_plist, systemd_unit
from hoody.home import Home, find_home
from supervisor.errors import StorageError, Unavailable

_WITHIN: Final = 120.0
_KEPT: Final = ("HOODY_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "PATH", "LANG", "LC_ALL")
"""What the daemon and its agents should find as the user who installs it does; XDG_RUNTIME_DIR is the manager's."""


class Service(NamedTuple):
    """A file for a service manager, and the commands that make it take it up or let go of it."""

    path: str
    text: str
    take_up: Sequence[Sequence[str]]
    let_go: Sequence[Sequence[str]]
    forget: Sequence[Sequence[str]]
    """What is said once the file is gone."""


def describe_service(environ: Mapping[str, str], *, platform: str = sys.platform) -> Service:
    """Return what this user's service manager is told. Touches nothing."""
    home = find_home(environ)
    command = (sys.executable, "-m", "hoody", "daemon", "run")
    kept = {name: environ[name] for name in _KEPT if environ.get(name)}
    if "HOODY_HOME" in kept:
        kept["HOODY_HOME"] = home.config  # absolute: a service starts in another folder
    if platform == "darwin":
        return _launchd(command, kept, home, environ)
    folder = environ.get("XDG_CONFIG_HOME") or os.path.join(_user_home(environ), ".config")
    control = ("systemctl", "--user")
    return Service(
        path=os.path.join(folder, "systemd", "user", UNIT_NAME),
        text=systemd_unit(command, kept),
        take_up=((*control, "daemon-reload"), (*control, "enable", "--now", UNIT_NAME)),
        let_go=((*control, "disable", "--now", UNIT_NAME),),
        forget=((*control, "daemon-reload"),),
    )


def install(service: Service) -> None:
    """Write the file and have the manager start the daemon. Raises ``StorageError`` and ``Unavailable``."""
    try:
        os.makedirs(os.path.dirname(service.path), exist_ok=True)
        write_private(service.path, service.text)
    except OSError as error:
        raise StorageError(f"{service.path} cannot be written: {error.strerror or error}") from error
    for words in service.take_up:
        _run(words, f"{service.path} is written; ")


def uninstall(service: Service) -> bool:
    """Have the manager stop the daemon, and remove the file. Returns whether there was one."""
    if not os.path.lexists(service.path):
        return False
    for words in service.let_go:
        _run(words, "")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(service.path)
    for words in service.forget:
        _run(words, f"{service.path} is removed; ")
    return True


def _launchd(command: Sequence[str], kept: Mapping[str, str], home: Home, environ: Mapping[str, str]) -> Service:
    path = os.path.join(_user_home(environ), "Library", "LaunchAgents", f"{LABEL}.plist")
    domain = f"gui/{os.getuid()}"
    return Service(
        path=path,
        text=launchd_plist(command, kept, home.stderr_log),
        take_up=(("launchctl", "bootstrap", domain, path),),
        let_go=(("launchctl", "bootout", f"{domain}/{LABEL}"),),
        forget=(),
    )


def _user_home(environ: Mapping[str, str]) -> str:
    return environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - as above


def _run(words: Sequence[str], so_far: str) -> None:
    said = " ".join(words)
    if shutil.which(words[0]) is None:
        raise Unavailable(
            f"{so_far}{words[0]} is not on this machine, so nobody takes it up",
            hint="see the file with: hoody daemon install --print",
        )
    try:
        found = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_WITHIN)
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{so_far}{said} did not answer for {_WITHIN:g} s") from None
    if found.returncode != 0:
        why = (found.stderr.strip() or found.stdout.strip() or f"exit code {found.returncode}").splitlines()[0]
        raise Unavailable(f"{so_far}{said}: {why}", hint="is there a session of this user? (loginctl enable-linger)")
