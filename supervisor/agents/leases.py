"""Ports of this machine that are lent to units by name, and stay theirs until they are deleted.

They are taken from a range in which the kernel does not pick ports for outgoing connections by itself, so that nobody
takes one by accident while its unit is down.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from typing import Final

from supervisor.errors import SpawnFailed

FIRST_PORT: Final = 20_000
PORTS: Final = 10_000
LOOPBACK: Final = "127.0.0.1"


def is_free(port: int) -> bool:
    """Tell whether a program could listen on a port of the loopback interface now."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as tried:
        # As servers do: what is only left of earlier connections is no obstacle.
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def holder_of(port: int) -> str:
    """Return who listens on a port, for people. Blocks: it reads much of /proc."""
    import psutil  # half a megabyte that a daemon has no use for until a port is taken

    try:
        pids = {
            found.pid
            for found in psutil.net_connections("tcp")
            if found.status == psutil.CONN_LISTEN and found.laddr and found.laddr.port == port and found.pid
        }
        named = [f"process {pid} ({psutil.Process(pid).name()})" for pid in sorted(pids)]
    except psutil.Error:
        named = []
    return " and ".join(named) or "a process that this user may not look at"


class PortLeases:
    """Which unit has which ports. ``free`` tells whether a port can be listened on now."""

    def __init__(self, free: Callable[[int], bool] = is_free) -> None:
        self._free = free
        self._of: dict[str, dict[str, int]] = {}

    def take_up(self, unit: str, ports: Mapping[str, int]) -> None:
        """Take note of ports that a unit has had before."""
        self._of[unit] = dict(ports)

    def of(self, unit: str) -> Mapping[str, int]:
        """Return the ports of a unit by name."""
        return self._of.get(unit, {})

    def grant(self, unit: str, names: Iterable[str]) -> Mapping[str, int]:
        """Return a port for each name: those that the unit has already, and free ones for the rest.

        Raises ``SpawnFailed`` where there is none left.
        """
        had = self._of.get(unit, {})
        lent = {port for ports in self._of.values() for port in ports.values()}
        granted: dict[str, int] = {}
        for name in names:
            granted[name] = had[name] if name in had else self._find(unit, name, lent)
            lent.add(granted[name])
        self._of[unit] = granted
        return granted

    def release(self, unit: str) -> bool:
        """Take a unit's ports back; tell whether it had any."""
        return bool(self._of.pop(unit, {}))

    def taken(self, unit: str) -> tuple[str, int] | None:
        """Return a port of a unit, with its name, that somebody listens on at the moment."""
        return next(((name, port) for name, port in self.of(unit).items() if not self._free(port)), None)

    def _find(self, unit: str, name: str, lent: set[int]) -> int:
        # Beginning at a place of its own, so that the same unit tends to get the same port even without a memory.
        begin = int.from_bytes(hashlib.blake2b(f"{unit}/{name}".encode(), digest_size=4).digest(), "big")
        for step in range(PORTS):
            port = FIRST_PORT + (begin + step) % PORTS
            if port not in lent and self._free(port):
                return port
        raise SpawnFailed(f"no port between {FIRST_PORT} and {FIRST_PORT + PORTS - 1} is free for {name!r}")
