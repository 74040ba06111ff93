"""Say in words what SQLite and the file system refuse."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path
from typing import Final

from supervisor.errors import StorageError

_FULL = ("the disk is full", "free some space; nothing was changed, and it goes on by itself")
_READ_ONLY = ("the folder or its file system is read-only", "make it writable; nothing was changed")
_REFUSED = ("access to it is refused", "check the owner and the mode of the folder")
_BUSY = ("another program holds it locked", "close the program that has it open, then try again")
_IO = ("the disk reports an error", "look at the system log for the disk behind this folder")

_SQLITE: Final = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _READ_ONLY,
    sqlite3.SQLITE_PERM: _REFUSED,
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", "check that the folder exists, is writable and has space left"),
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_IOERR: _IO,
    sqlite3.SQLITE_CORRUPT: ("the file is damaged", "it is moved aside at the next try"),
    sqlite3.SQLITE_NOTADB: ("the file is not a database", "it is moved aside at the next try"),
}

_ERRNO: Final = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EROFS: _READ_ONLY,
    errno.EACCES: _REFUSED,
    errno.EPERM: _REFUSED,
    errno.EIO: _IO,
}

DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


def primary_code(error: sqlite3.Error) -> int:
    """Return SQLite's primary result code, or -1 for an error that Python's own module raised."""
    code: int = getattr(error, "sqlite_errorcode", -1)
    return code & 0xFF if code >= 0 else code


def storage_error(error: sqlite3.Error | OSError | UnicodeDecodeError, path: Path) -> StorageError:
    """Build the error that is reported for ``error``."""
    found: tuple[str, str] | None
    if isinstance(error, UnicodeDecodeError):
        found, technical = _SQLITE[sqlite3.SQLITE_CORRUPT], "text that is no text"
    elif isinstance(error, OSError):
        found = _ERRNO.get(error.errno or 0)
        technical = error.strerror or str(error)
    else:
        found = _SQLITE.get(primary_code(error))
        technical = str(error)
    if found is None:
        return StorageError(f"the state in {path} cannot be used: {technical}")
    sentence, hint = found
    return StorageError(f"the state in {path} cannot be used: {sentence} ({technical})", hint=hint)
