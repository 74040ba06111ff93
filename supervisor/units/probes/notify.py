"""The socket by which a program tells how it is, in the protocol of systemd (``sd_notify``).

It has a name in the abstract name space: made from the daemon's instance and the unit's name, so that the next daemon
binds the same one for a program that runs on; reachable for programs of other users; and gone with whoever held it.
The kernel says who sent a message, and only processes of the incarnation are listened to.
"""

from __future__ import annotations

import array
import os
import socket
import struct
from collections.abc import Callable
from typing import Final

import trio
from attrs import frozen

_LARGEST: Final = 4096
_CREDENTIALS: Final = struct.Struct("iII")
_DESCRIPTORS: Final = 16
_LONGEST_TEXT: Final = 200
_MICRO: Final = 1_000_000


@frozen(kw_only=True)
class Notice:
    """What one message says."""

    ready: bool = False
    stopping: bool = False
    alive: bool = False
    failed: bool = False
    """The program itself says that its watchdog should bite."""
    extension: float | None = None
    """Seconds from now on for which it asks."""
    text: str | None = None


def parse_notice(message: bytes) -> Notice:
    """Read a message: lines of ``KEY=VALUE``. What is not known or cannot be read is passed over. Pure."""
    found = dict(line.split("=", 1) for line in message.decode(errors="replace").splitlines() if "=" in line)
    text = found.get("STATUS")
    return Notice(
        ready=found.get("READY") == "1",
        stopping=found.get("STOPPING") == "1",
        alive=found.get("WATCHDOG") == "1",
        failed=found.get("WATCHDOG") == "trigger",
        extension=_seconds(found.get("EXTEND_TIMEOUT_USEC", "")),
        text=None if text is None else clean(text),
    )


def clean(text: str) -> str:
    """Return text as it may be shown: printable, on one line, not too long."""
    line = "".join(character if character.isprintable() else " " for character in text).strip()
    return line if len(line) <= _LONGEST_TEXT else line[: _LONGEST_TEXT - 3] + "..."


def _seconds(micros: str) -> float | None:
    if not (micros.isascii() and micros.isdecimal()) or len(micros) > 15:
        return None
    return int(micros) / _MICRO


class NotifySocket:
    """A bound notification socket. Raises ``OSError`` where it cannot be bound."""

    def __init__(self, name: str) -> None:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            made.bind(b"\0" + name.encode())
        except OSError:
            made.close()
            raise
        self._socket = trio.socket.from_stdlib_socket(made)

    async def receive(self, belongs: Callable[[int], bool]) -> Notice:
        """Return the next notice that comes from a process of which ``belongs`` is true."""
        space = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(_DESCRIPTORS * array.array("i").itemsize)
        while True:
            message, extras, _, _ = await self._socket.recvmsg(_LARGEST, space, socket.MSG_CMSG_CLOEXEC)
            # Descriptors come along with BARRIER=1: their being closed tells the sender that it was heard, and until
            # then it stays alive, so that it can be looked at.
            descriptors = _descriptors(extras)
            try:
                sender = _sender(extras)
                if sender and belongs(sender):
                    return parse_notice(message)
            finally:
                for descriptor in descriptors:
                    os.close(descriptor)

    def close(self) -> None:
        """Free the name."""
        self._socket.close()


def _sender(extras: list[tuple[int, int, bytes]]) -> int:
    for level, kind, data in extras:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
            return int(_CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0])
    return 0


def _descriptors(extras: list[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, data in extras:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return found.tolist()
