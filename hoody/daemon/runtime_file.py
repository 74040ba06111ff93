"""``daemon.json``: how to reach the running daemon. Written once the socket is bound, removed at an orderly end.

The file of a daemon that was killed stays behind and is no obstacle: it names a process that does not live, and the
next daemon replaces it.
"""

# Without pathlib: pathlib costs a light command several milliseconds.
# ruff: noqa: PTH108
from __future__ import annotations

import contextlib
import json
import os
from typing import Any, NamedTuple

from hoody.daemon.alive import start_time
from hoody.daemon.private_file import read_private, write_private
from hoody.home import Home
from supervisor.errors import NotAllowed


class DaemonFile(NamedTuple):
    """What ``daemon.json`` says."""

    pid: int
    start_time: int
    port: int
    url: str
    started: str
    instance: str
    version: str

    @property
    def alive(self) -> bool:
        """Tell whether the daemon that wrote this still lives (asked of the kernel, at each reading)."""
        return start_time(self.pid) == self.start_time


def write_daemon_file(path: str, found: DaemonFile) -> None:
    """Publish the address, for the owner alone, in one step."""
    write_private(path, json.dumps(found._asdict(), indent=2) + "\n")


def read_daemon_file(home: Home) -> DaemonFile | None:
    """Return what the last daemon of this home wrote, or None; ``.alive`` tells whether it still runs.

    A daemon that was started with another ``XDG_RUNTIME_DIR`` (from a desktop session, say, and asked from ssh) is
    found by its lock file. A file that is cut off or not ours counts as none.
    """
    found = _read(home.daemon_file)
    if found is None:
        holder = read_holder(home.lock_file)
        if holder is not None and holder.runtime and holder.runtime != home.runtime:
            return _read(home._replace(runtime=holder.runtime).daemon_file)
    return found


def remove_daemon_file(path: str) -> None:
    """Remove the file; nothing happens where there is none."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


class Holder(NamedTuple):
    """Who wrote itself into the lock file last; it holds the lock if it lives."""

    pid: int
    start_time: int
    since: str
    runtime: str

    @property
    def alive(self) -> bool:
        """Tell whether it still lives."""
        return start_time(self.pid) == self.start_time


def read_holder(lock_file: str) -> Holder | None:
    """Return who last held the lock, or None where nobody did or the file cannot be read."""
    try:
        document = _document(lock_file)
        return Holder(
            int(document["pid"]), int(document["start_time"]), str(document["since"]), str(document["runtime"])
        )
    except (OSError, ValueError, KeyError, TypeError, NotAllowed):
        return None


def _read(path: str) -> DaemonFile | None:
    try:
        document = _document(path)
        return DaemonFile(
            int(document["pid"]),
            int(document["start_time"]),
            int(document["port"]),
            *(str(document[key]) for key in ("url", "started", "instance", "version")),
        )
    except (OSError, ValueError, KeyError, TypeError, NotAllowed):
        return None


def _document(path: str) -> Any:  # noqa: ANN401 - whatever the file holds; the callers take it apart
    return json.loads(read_private(path))
