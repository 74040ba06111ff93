"""Look the machine and the installation over, and say what to mend. Changes nothing."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Final
from urllib.parse import quote

from attrs import frozen

from hoody.client.blocking import Client
from hoody.client.discover import HomeFinder, read_token
from hoody.daemon.config import load_config
from hoody.daemon.installing import describe_service
from hoody.daemon.runtime_file import read_holder
from hoody.home import Home, find_home
from hoody.version import __version__
from supervisor.agents.host import check_system
from supervisor.errors import DaemonNotRunning, HoodyError
from supervisor.logs.mover import CAN_SPLICE
from supervisor.units.quantities import format_size

EXACT_ENDS: Final = (6, 15)
"""The kernel from which on the end of an adopted process is always told exactly."""
FEW_DESCRIPTORS: Final = 4096
LITTLE_ROOM: Final = 256 * 1024 * 1024
_OLD: Final = "an older kernel does not always tell how a process ended that an earlier daemon had started"


class Verdict(StrEnum):
    """How it stands with one thing."""

    OK = "ok"
    WARNING = "warning"
    """it works, and could be better"""
    BROKEN = "broken"
    """something does not work until it is mended"""


@frozen(kw_only=True)
class Finding:
    """What was found of one thing."""

    subject: str
    verdict: Verdict = Verdict.OK
    detail: str
    hint: str = ""


def examine(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Look at everything, one thing after the other. Never raises because of what it finds."""
    home = find_home(environ)
    yield Finding(subject="program", detail=f"hoody {__version__}, Python {platform.python_version()}")
    yield _guarded("system", _system)
    yield _kernel(platform.release())
    yield _descriptors(resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    yield _capture(can_splice=CAN_SPLICE)
    for subject, folder in (("state", home.state), ("runtime", home.runtime)):
        yield _folder(subject, folder)
    yield _room(home.state)
    yield _guarded("configuration", lambda: _configuration(home))
    yield _guarded("token", lambda: _token(home))
    yield _database(home.database)
    yield _guarded("daemon", lambda: _daemon(home))
    yield _service(environ)


def _guarded(subject: str, look: Callable[[], Finding]) -> Finding:
    """Take an error for what was found."""
    try:
        return look()
    except HoodyError as error:
        return Finding(subject=subject, verdict=Verdict.BROKEN, detail=str(error), hint=error.hint or "")


def _system() -> Finding:
    check_system()
    return Finding(subject="system", detail="processes can be watched by descriptor")


def _kernel(release: str) -> Finding:
    numbers = tuple(int(part) for part in release.split("-", maxsplit=1)[0].split(".")[:2] if part.isdecimal())
    if numbers >= EXACT_ENDS:
        return Finding(subject="kernel", detail=f"{release}: every end is told exactly")
    return Finding(subject="kernel", verdict=Verdict.WARNING, detail=f"{release}: {_OLD}")


def _descriptors(hard: int) -> Finding:
    if hard == resource.RLIM_INFINITY or hard >= FEW_DESCRIPTORS:
        allowed = "any number" if hard == resource.RLIM_INFINITY else str(hard)
        return Finding(subject="descriptors", detail=f"{allowed} may be open, an agent takes 3")
    return Finding(
        subject="descriptors",
        verdict=Verdict.WARNING,
        detail=f"only {hard} may be open, which is enough for some {hard // 4} agents",
        hint="raise the hard limit: ulimit -Hn, or LimitNOFILE= of the service",
    )


def _capture(*, can_splice: bool) -> Finding:
    if can_splice:
        return Finding(subject="output", detail="moved by the kernel, so that a killed daemon loses none")
    return Finding(
        subject="output",
        verdict=Verdict.WARNING,
        detail="this system has no splice: a daemon that is killed loses up to 256 KiB of each stream",
    )


def _folder(subject: str, folder: str) -> Finding:
    path = Path(folder)
    try:
        found = path.stat()
    except FileNotFoundError:
        return Finding(subject=subject, detail=f"{folder} will be made by the first daemon")
    except OSError as error:
        return Finding(subject=subject, verdict=Verdict.BROKEN, detail=f"{folder}: {error.strerror}")
    if found.st_uid != os.geteuid():
        return Finding(
            subject=subject,
            verdict=Verdict.BROKEN,
            detail=f"{folder} belongs to another user (uid {found.st_uid})",
            hint="set HOODY_HOME to a folder of your own",
        )
    if found.st_mode & 0o022:
        return Finding(
            subject=subject,
            verdict=Verdict.BROKEN,
            detail=f"{folder} can be written to by others",
            hint=f"look at what is in it, then: chmod 700 '{folder}'",
        )
    if not os.access(path, os.W_OK | os.X_OK):
        return Finding(
            subject=subject,
            verdict=Verdict.BROKEN,
            detail=f"{folder} cannot be written to",
            hint=f"chmod u+wx '{folder}', or mount its file system for writing",
        )
    return Finding(subject=subject, detail=folder)


def _room(folder: str) -> Finding:
    place = Path(folder)
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    words = f"{format_size(free // 2**20 * 2**20)} are free at {place}"
    if free >= LITTLE_ROOM:
        return Finding(subject="room", detail=words)
    return Finding(
        subject="room",
        verdict=Verdict.WARNING,
        detail=words,
        hint="logs take up to log_quota of [daemon] in hoody.toml; agents wait while the disk is full",
    )


def _configuration(home: Home) -> Finding:
    path = Path(home.config_file)
    load_config(path)
    return Finding(subject="configuration", detail=str(path) if path.exists() else f"none at {path}: the defaults hold")


def _token(home: Home) -> Finding:
    if not Path(home.token_file).exists():
        return Finding(subject="token", detail="will be made by the first daemon")
    read_token(home)
    return Finding(subject="token", detail=f"{home.token_file}, readable for you alone")


def _database(path: str) -> Finding:
    if not Path(path).exists():
        return Finding(subject="database", detail="will be made by the first daemon")
    try:
        connection = sqlite3.connect(f"file:{quote(path)}?mode=ro", uri=True)
        try:
            answer = str(connection.execute("pragma quick_check(1)").fetchone()[0])
        finally:
            connection.close()
    except sqlite3.Error as error:
        answer = str(error)
    if answer == "ok":
        return Finding(subject="database", detail=f"{path} is whole")
    return Finding(
        subject="database",
        verdict=Verdict.BROKEN,
        detail=f"{path}: {answer}",
        hint="the next daemon moves it aside and keeps what can be read: hoody down && hoody up",
    )


def _daemon(home: Home) -> Finding:
    holder = read_holder(home.lock_file)
    if holder is None or not holder.alive:
        return Finding(subject="daemon", detail="does not run; start it with: hoody up")
    client = Client(finder=HomeFinder(home))
    try:
        status, health = client.status(), client.health()
    except DaemonNotRunning:
        return Finding(
            subject="daemon",
            verdict=Verdict.BROKEN,
            detail=f"owns this home (pid {holder.pid}) and does not serve",
            hint="see: hoody daemon logs",
        )
    if status["version"] != __version__:
        return Finding(
            subject="daemon",
            verdict=Verdict.WARNING,
            detail=f"is version {status['version']}, this is {__version__}",
            hint="take it up without stopping an agent: hoody daemon reload --binary",
        )
    if health["status"] != "healthy":
        return Finding(
            subject="daemon", verdict=Verdict.WARNING, detail=f"is {health['status']}", hint="see: hoody health"
        )
    return Finding(subject="daemon", detail=f"runs and is well: {status['url']} (pid {status['pid']})")


def _service(environ: Mapping[str, str]) -> Finding:
    service = describe_service(environ)
    try:
        text = Path(service.path).read_text()
    except FileNotFoundError:
        return Finding(subject="service", detail="not installed; to have it started at login: hoody daemon install")
    except (OSError, UnicodeDecodeError) as error:
        return Finding(subject="service", verdict=Verdict.BROKEN, detail=f"{service.path}: {error}")
    if sys.executable in text:
        return Finding(subject="service", detail=service.path)
    return Finding(
        subject="service",
        verdict=Verdict.WARNING,
        detail=f"{service.path} starts another Python than this one ({sys.executable})",
        hint="write it anew: hoody daemon install",
    )
