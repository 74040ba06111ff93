"""Publish where the daemon is, from when its API serves until it is asked to end. The last child of the tree."""

from __future__ import annotations

import os
from collections.abc import Callable

import trio

from hoody.daemon.alive import start_time
from hoody.daemon.control import Control
from hoody.daemon.runtime_file import DaemonFile, remove_daemon_file, write_daemon_file
from supervisor.convert import format_time
from supervisor.errors import StorageError
from supervisor.runtime import ServiceContext


class Address:
    """Writes ``daemon.json`` at ``path``; what a ``ChildSpec`` takes as its ``start``.

    ``up`` is called each time it is there. Being the first to stop, it takes the address back before the API goes away;
    not where the API or the whole program is only being replaced, since the sockets stay and clients are served in a
    moment.
    """

    def __init__(self, path: str, *, port: int, url: str, control: Control, up: Callable[[], None]) -> None:
        self._path = path
        self._control = control
        self._port = port
        self._url = url
        self._up = up

    async def __call__(self, context: ServiceContext) -> None:
        """Publish, wait for the stop, take back at the end of the daemon. Raises ``StorageError``."""
        try:
            await trio.to_thread.run_sync(write_daemon_file, self._path, self._content())
        except OSError as error:
            raise StorageError(f"the address cannot be written to {self._path}: {error.strerror or error}") from error
        context.started()
        self._up()
        await context.stopping.wait()
        if self._control.stopping.is_set() and self._control.inheritance is None:
            remove_daemon_file(self._path)

    def _content(self) -> DaemonFile:
        pid = os.getpid()
        return DaemonFile(
            pid=pid,
            start_time=start_time(pid) or 0,
            port=self._port,
            url=self._url,
            started=format_time(self._control.started_at),
            instance=self._control.instance,
            version=self._control.version,
        )
