"""The one lock of a home: taken before anything else, held for life, inherited by no child.

The kernel lets go of it when its holder dies, however it dies, so nobody ever has to delete a file.
"""

# Without pathlib: the paths of hoody.home are text.
# ruff: noqa: PTH116, PTH120
from __future__ import annotations

import fcntl
import json
import os
import time
from typing import Final

from hoody.daemon.alive import start_time
from hoody.daemon.runtime_file import read_holder
from hoody.home import Home
from supervisor.errors import Locked, StorageError

PATIENCE: Final = 0.25
"""For how many seconds a held lock is tried again: a process that the last daemon was just starting holds a copy of the
lock until its ``exec`` has closed it, a moment after that daemon has gone."""
_PAUSE: Final = 0.01
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


class HomeLock:
    """The held lock. Keep it: letting go of the object lets go of the lock."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    @classmethod
    def take(cls, home: Home, *, since: str) -> HomeLock:
        """Take the lock, or raise ``Locked`` with who holds it. The state folder must exist."""
        try:
            descriptor = _take(home.lock_file)
        except OSError as error:
            raise StorageError(
                f"the lock {home.lock_file} cannot be taken: {error.strerror or error}",
                hint="check the owner and the mode of the folder",
            ) from error
        return cls._held(descriptor, home, since)

    @classmethod
    def inherit(cls, descriptor: int, home: Home, *, since: str) -> HomeLock:
        """Go on holding the lock that this process had before it replaced itself in place."""
        return cls._held(descriptor, home, since)

    @property
    def descriptor(self) -> int:
        """What the lock is held by."""
        return self._descriptor

    @classmethod
    def _held(cls, descriptor: int, home: Home, since: str) -> HomeLock:
        mine = {"pid": os.getpid(), "start_time": start_time(os.getpid()), "since": since, "runtime": home.runtime}
        # In place, never by a rename: the lock belongs to this very file. One write, so a reader sees old or new.
        content = json.dumps(mine).encode()
        os.pwrite(descriptor, content, 0)
        os.ftruncate(descriptor, len(content))
        return cls(descriptor)

    def release(self) -> None:
        """Let go. The file stays: removing it would let two daemons hold two files of one name."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _take(path: str) -> int:
    deadline = time.monotonic() + PATIENCE
    while True:
        descriptor = os.open(path, _FLAGS, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(descriptor, path):
                return descriptor
        except BlockingIOError:
            os.close(descriptor)
            if time.monotonic() > deadline:
                raise _locked(path) from None
            time.sleep(_PAUSE)
        except BaseException:
            os.close(descriptor)
            raise
        else:
            # Somebody removed the file between the two calls; a lock on a file without a name excludes nobody.
            os.close(descriptor)


def _is_at(descriptor: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _locked(path: str) -> Locked:
    holder = read_holder(path)
    if holder is None or not holder.alive:
        who = "another daemon, which has not said yet who it is,"
    else:
        who = f"the daemon with pid {holder.pid}, since {holder.since},"
    return Locked(
        f"{who} owns this home ({os.path.dirname(path)})", hint="see it with: hoody status; stop it with: hoody down"
    )
