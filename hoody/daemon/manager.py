"""Tell a service manager (systemd, ``Type=notify``) how the daemon is, and feed its watchdog."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping
from typing import Final

import trio

_PARTS: Final = 3
"""The watchdog is fed this often within its time, so that one late turn kills nobody."""


class ServiceManager:
    """Whoever started this process and wants to hear of it; nobody, where ``NOTIFY_SOCKET`` is not set."""

    def __init__(self, environ: Mapping[str, str], *, pid: int | None = None) -> None:
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog = _watchdog(environ, os.getpid() if pid is None else pid)

    def tell(self, *facts: str) -> None:
        """Send facts such as ``READY=1``. Never waits; a manager that does not listen misses them."""
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
            sender.setblocking(False)  # noqa: FBT003 - the standard library's own signature
            sender.sendto("\n".join(facts).encode(), self._address)

    async def feed_watchdog(self) -> None:
        """Say that the scheduler still takes turns, as often as the manager wants to hear it. Runs until cancelled."""
        if self._watchdog is None:
            return
        while True:
            self.tell("WATCHDOG=1")
            await trio.sleep(self._watchdog / _PARTS)


def _watchdog(environ: Mapping[str, str], pid: int) -> float | None:
    """Return the seconds within which the manager wants to hear something, None where it does not watch."""
    told, whom = environ.get("WATCHDOG_USEC", ""), environ.get("WATCHDOG_PID", "")
    if not told.isdecimal() or int(told) == 0 or (whom and whom != str(pid)):
        return None
    return int(told) / 1_000_000
