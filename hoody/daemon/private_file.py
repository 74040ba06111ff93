"""Write a small file so that it is there whole or not at all, and for its owner alone. Cheap to import."""

# Without pathlib: pathlib costs a light command several milliseconds.
# ruff: noqa: PTH104, PTH108, PTH120, PTH123
from __future__ import annotations

import contextlib
import os
import stat

from supervisor.errors import NotAllowed

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_private(path: str, text: str) -> None:
    """Replace the file at ``path`` in one step, mode 0600, and on disk when this returns. Raises ``OSError``.

    The caller holds the lock of the home, so a file left over from an interrupted write is nobody's and is removed.
    """
    beside = f"{path}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(beside)
    descriptor = os.open(beside, _NEW, 0o600)
    try:
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.rename(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
    folder = os.open(os.path.dirname(path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_private(path: str, limit: int = 65536) -> str:
    """Return the text of a file that must be ours alone.

    Raises ``FileNotFoundError``, and ``NotAllowed`` where the file is a link or no file, belongs to somebody else, or
    is open to others.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise NotAllowed(f"{path} cannot be read: {error.strerror}", hint="it must be a plain file of yours") from error
    with open(descriptor, "rb") as file:
        _check_ours(path, os.fstat(descriptor))
        return file.read(limit).decode("utf-8", "replace")


def _check_ours(path: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise NotAllowed(f"{path} is not a plain file", hint="remove it")
    if found.st_uid != os.geteuid():
        raise NotAllowed(f"{path} belongs to another user (uid {found.st_uid})", hint="remove it")
    if found.st_mode & 0o077:
        raise NotAllowed(
            f"{path} is open to other users (mode {stat.S_IMODE(found.st_mode):04o})",
            hint=f"if nobody else has read it: chmod 600 '{path}'; otherwise remove it",
        )
