"""The sockets on which the daemon listens: loopback only, whatever is configured."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from supervisor.errors import Conflict, DriverError, InvalidInput

BACKLOG: Final = 256
_NO_ADDRESS: Final = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT})


@frozen
class Listening:
    """Sockets that are bound and listening. They outlive a restart of the HTTP service, so its port stays."""

    sockets: tuple[socket.socket, ...]
    port: int
    """The same on all of them; still known when they are closed."""

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop listening. Idempotent."""
        for each in self.sockets:
            each.close()


def listen(port: int = 0) -> Listening:
    """Listen on 127.0.0.1 and, where this machine has it, on ::1, both on one port; 0 lets the kernel choose.

    So ``localhost`` works whichever way it resolves. Raises ``Conflict`` where the port is taken, ``InvalidInput``
    where it is none, and ``DriverError``.
    """
    if not 0 <= port < 2**16:
        raise InvalidInput(f"{port} is not a port; one is a number from 1 to 65535, and 0 lets the kernel choose")
    attempts = 1 if port else 10
    for attempt in range(1, attempts + 1):
        first = _bound(socket.AF_INET, "127.0.0.1", port)
        chosen: int = first.getsockname()[1]
        try:
            second = _bound(socket.AF_INET6, "::1", chosen)
        except DriverError:
            return Listening((first,), chosen)
        except Conflict:
            # The kernel chose a port that is free on one of the two only; it will choose another one.
            first.close()
            if attempt == attempts:
                raise
        else:
            return Listening((first, second), chosen)
    raise AssertionError("the loop returns or raises")


def inherited(descriptors: Sequence[int]) -> Listening:
    """Take over sockets that an earlier process of this daemon listened on."""
    sockets = tuple(socket.socket(fileno=number) for number in descriptors)
    return Listening(sockets, sockets[0].getsockname()[1])


def _bound(family: int, host: str, port: int) -> socket.socket:
    try:
        made = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise DriverError(f"cannot listen on {host}: {error.strerror}") from None
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        if error.errno == errno.EADDRINUSE:
            raise Conflict(
                f"port {port} on {host} is in use by another program",
                hint="choose another port, or none, so that a free one is taken",
            ) from None
        if error.errno in _NO_ADDRESS:
            raise DriverError(f"cannot listen on {host}: {error.strerror}") from None
        raise DriverError(f"cannot listen on port {port} of {host}: {error.strerror}") from None
    made.setblocking(False)  # noqa: FBT003 - the standard library's own signature
    return made
