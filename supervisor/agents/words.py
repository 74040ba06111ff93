"""Why a program could not be started, in words. The system's one number is looked into until it names the culprit."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import frozen

from supervisor.errors import SpawnFailed


@frozen(kw_only=True)
class Attempt:
    """What was to be started: enough to find out why it could not be."""

    argv: tuple[str, ...]
    directory: str
    environment: Mapping[str, str]
    user: str | None = None
    """Whom it was to run as, where that is another user than ours."""

    @property
    def program(self) -> str:
        """The program as it was written."""
        return self.argv[0]

    @property
    def on_path(self) -> bool:
        """Whether the program is looked up in the folders of PATH."""
        return "/" not in self.program

    @property
    def candidates(self) -> list[Path]:
        """The files that could be meant, in the order in which they are tried."""
        if not self.on_path:
            return [Path(self.directory, self.program)]
        return [Path(self.directory, folder, self.program) for folder in os.get_exec_path(dict(self.environment))]

    @property
    def executable(self) -> Path | None:
        """The file to execute, for a program that is looked up on PATH: the first that may be, else the first there is.

        The kernel tries one folder after the other and tells the first refusal of any of them; a folder that this user
        may not look into would then hide what is wrong with the program.
        """
        there = [path for path in self.candidates if os.path.isfile(path)]  # noqa: PTH113 - raises for no folder
        return next((path for path in there if os.access(path, os.X_OK)), there[0] if there else None)

    @property
    def found(self) -> Path | None:
        """The first candidate that exists, a dangling link included."""
        return next((path for path in self.candidates if os.path.lexists(path)), None)


_PLAIN: Final[Mapping[int, tuple[str, str | None]]] = {
    errno.E2BIG: (
        "its arguments and environment are longer than the system takes",
        "pass large values in a file; each argument and variable may have 128 KiB",
    ),
    errno.EMFILE: ("the daemon has no free descriptors", "raise its limit on open files (ulimit -n)"),
    errno.ENFILE: ("the system has no free descriptors", "raise fs.file-max, or find out what holds them all"),
    errno.ENOMEM: ("the system has not enough memory to make a process", None),
    errno.EAGAIN: (
        "the system makes no further process for this user",
        "raise the limit on processes (ulimit -u, or TasksMax of a systemd unit)",
    ),
    errno.ENOSPC: ("the system has no room for another process (a limit of its process namespace)", None),
    errno.ETXTBSY: ("{path} is being written at the moment", "replace programs by renaming a new file over the old"),
    errno.ELOOP: ("the symbolic links of {path} lead in a circle", None),
    errno.ENAMETOOLONG: ("the name of the program is longer than the system takes", None),
    errno.EIO: ("{path} cannot be read from its disk", None),
    errno.EPERM: ("the system does not permit this user to run {path}", None),
    errno.ENOEXEC: (
        "{path} is not a program that this system can run",
        "a script needs a first line such as #!/bin/sh; a binary must be made for this kind of machine",
    ),
}


def spawn_failure(attempt: Attempt, error: OSError | ValueError | UnicodeError) -> SpawnFailed:
    """Return the error to report. Looks at the file system, so call it where blocking is allowed."""
    try:
        what, hint = _explain(attempt, error)
    except OSError:
        # The look itself is refused (a folder on the way is closed to us): the first answer stands as it is.
        what, hint = str(error), None
    return SpawnFailed(f"{attempt.program} could not be started: {what}", hint=hint)


def _explain(attempt: Attempt, error: OSError | ValueError | UnicodeError) -> tuple[str, str | None]:
    if not isinstance(error, OSError):
        return f"its arguments or environment cannot be passed to a program ({error})", None
    if _is_about_folder(attempt, error):
        return _folder_fault(attempt.directory, error)
    path = attempt.found
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return _missing(attempt, path)
    if error.errno == errno.EACCES:
        return _forbidden(attempt, path)
    known = _PLAIN.get(error.errno or 0)
    if known is None:
        return f"{error.strerror or error} (error {error.errno})", None
    return known[0].format(path=path or attempt.program), known[1]


def _is_about_folder(attempt: Attempt, error: OSError) -> bool:
    """Tell whether entering the folder failed. Popen names what failed; it may be the same name for both."""
    if error.filename != attempt.directory:
        return False
    return attempt.program != attempt.directory or not Path(attempt.directory).is_dir()


def _folder_fault(directory: str, error: OSError) -> tuple[str, str | None]:
    match error.errno:
        case errno.ENOENT:
            return f"its folder {directory} does not exist", f"create it: mkdir -p {directory}"
        case errno.ENOTDIR:
            return f"its folder {directory} is a file, or lies below one", None
        case errno.EACCES:
            return f"this user may not enter its folder {directory}", None
        case _:
            return f"its folder {directory} cannot be entered ({error.strerror})", None


def _missing(attempt: Attempt, path: Path | None) -> tuple[str, str | None]:
    if path is None and attempt.on_path:
        folders = os.pathsep.join(os.get_exec_path(dict(attempt.environment)))
        return (
            f"there is no such program on its PATH ({folders})",
            f"install it, write its whole path, or write ./{attempt.program} if it lies in {attempt.directory}",
        )
    if path is None:
        return f"no such file: {attempt.candidates[0]}", None
    if not path.exists():
        return f"{path} is a link to {path.readlink()}, which does not exist", None
    if interpreter := _interpreter(path):
        hint = "the file has Windows line ends: convert it with dos2unix" if interpreter.endswith("\r") else None
        return f"{path} is a script for {interpreter.rstrip()!r}, which does not exist", hint
    return f"{path} needs a program loader that this system does not have", "it was built for another system"


def _forbidden(attempt: Attempt, path: Path | None) -> tuple[str, str | None]:
    if path is None:
        return f"this user may not look into a folder of {attempt.candidates[0]}", None
    if path.is_dir():
        return f"{path} is a folder", None
    if attempt.user is not None and os.access(path, os.X_OK):
        what = f"{path} may not be run by the user {attempt.user}"
        return what, "every folder above it must be open to that user, and so must a script's interpreter"
    if not os.access(path, os.X_OK):
        return f"{path} is not executable", f"make it executable: chmod +x {path}"
    if interpreter := _interpreter(path):
        return f"{path} is a script for {interpreter!r}, which may not be run", None
    return f"{path} may not be run from where it lies", "its file system may be mounted with noexec"


def _interpreter(path: Path) -> str | None:
    """Return what the ``#!`` line of a script names, with a trailing carriage return if there is one."""
    try:
        with path.open("rb") as file:
            line = file.readline(256)
    except OSError:
        return None  # execute-only files can be run and not read
    if not line.startswith(b"#!"):
        return None
    words = line[2:].rstrip(b"\n").lstrip(b" \t").split(b" ")
    return words[0].decode(errors="replace")
