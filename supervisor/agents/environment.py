"""The working directory and the environment that a program is started with."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from dotenv.parser import parse_stream
from dotenv.variables import parse_variables

from supervisor.agents.marks import Mark
from supervisor.errors import SpawnFailed
from supervisor.units.spec import AgentSpec

_KEPT: Final = frozenset({"HOODY_HOME"})
"""Of the daemon's own variables, what an agent needs to talk to the daemon that runs it."""

_DAEMON_ONLY: Final = frozenset(
    {
        # What a service manager tells the daemon about itself; a child that believed it would speak for the daemon.
        "INVOCATION_ID",
        "JOURNAL_STREAM",
        "LISTEN_FDNAMES",
        "LISTEN_FDS",
        "LISTEN_PID",
        "LISTEN_PIDFDID",
        "MAINPID",
        "NOTIFY_SOCKET",
        "WATCHDOG_PID",
        "WATCHDOG_USEC",
        # Where the shell that started the daemon was.
        "OLDPWD",
        "PWD",
    }
)
_LARGEST_FILE: Final = 1 << 20
NO_VARIABLES: Final[Mapping[str, str]] = {}


def inherited_environment(daemon: Mapping[str, str]) -> dict[str, str]:
    """Return what agents inherit of the daemon's environment: all of it but what concerns the daemon alone."""
    return {
        name: value
        for name, value in daemon.items()
        if name in _KEPT or not (name.startswith("HOODY_") or name in _DAEMON_ONLY)
    }


def working_directory(spec: AgentSpec, home: str) -> str:
    """Return the absolute folder that the program starts in; a relative one counts from ``home``."""
    if spec.directory is None:
        return home
    directory = spec.directory
    if directory == "~" or directory.startswith("~/"):
        directory = home + directory[1:]
    return os.path.normpath(Path(home, directory))


def build_environment(
    spec: AgentSpec,
    mark: Mark,
    inherited: Mapping[str, str],
    directory: str,
    of_user: Mapping[str, str] = NO_VARIABLES,
) -> dict[str, str]:
    """Return the whole environment of a program; later sources win: inherited, user, files, definition, mark.

    Reads the files, so call it where blocking is allowed. Raises ``SpawnFailed``.
    """
    environment = {**inherited, **of_user, "PWD": directory}
    for name in spec.environment_files:
        path = Path(directory, Path(name).expanduser())
        add_environment_file(environment, path)
    environment.update(spec.environment)
    environment.update(notification(spec, mark))
    environment.update(mark.environment())
    return environment


def notification(spec: AgentSpec, mark: Mark) -> dict[str, str]:
    """Return the variables by which a program learns where to tell how it is (sd_notify), if anybody listens."""
    if not spec.is_told_to_notify:
        return {}
    found = {"NOTIFY_SOCKET": f"@{notify_name(mark.instance, mark.unit)}"}
    if spec.liveness is not None and spec.liveness.notify:
        found["WATCHDOG_USEC"] = str(round(spec.liveness.interval * 1_000_000))
    return found


def notify_name(instance: str, unit: str) -> str:
    """Return the name of a unit's notification socket: the same for every daemon of this home, and short."""
    return f"hoody/notify/{hashlib.blake2b(f'{instance}/{unit}'.encode(), digest_size=12).hexdigest()}"


def add_environment_file(environment: dict[str, str], path: Path) -> None:
    """Add the ``KEY=value`` lines of a file. Blocks. Raises ``SpawnFailed`` in words."""
    for binding in parse_stream(io.StringIO(_read(path))):
        if binding.error:
            raise SpawnFailed(
                f"the environment file {path} cannot be read: line {binding.original.line} is not KEY=value",
                hint="a line is KEY=value, a comment that starts with #, or empty; quote values with spaces",
            )
        if binding.key is None or binding.value is None:
            continue
        if "\0" in binding.key + binding.value:
            raise SpawnFailed(f"the environment file {path} has a NUL character in line {binding.original.line}")
        # "${NAME}" means what is known so far, and so may name a variable of an earlier file or line.
        parts = parse_variables(binding.value)
        environment[binding.key] = "".join(part.resolve(environment) for part in parts)


def _read(path: Path) -> str:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not an ordinary file"
            raise SpawnFailed(f"the environment file {path} is {kind}")
        if status.st_size > _LARGEST_FILE:
            raise SpawnFailed(f"the environment file {path} is larger than 1 MiB")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpawnFailed(
            f"the environment file {path} does not exist",
            hint="create it, or take it out of environment_files",
        ) from None
    except PermissionError:
        raise SpawnFailed(f"the environment file {path} may not be read by this user") from None
    except UnicodeDecodeError as error:
        raise SpawnFailed(f"the environment file {path} is not UTF-8 text (at byte {error.start})") from None
    except (OSError, ValueError) as error:
        raise SpawnFailed(f"the environment file {path} cannot be read: {error}") from error
