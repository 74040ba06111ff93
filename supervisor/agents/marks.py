"""How a process can be recognised as ours, whatever it has done to its family ties. Pure.

Three environment variables name the incarnation: readable by people, but a program may clear or overwrite them
(``redis-server`` and others write their title over that memory). So there is also a *seal*: a number that the kernel
hands on through fork, exec, ``setsid`` and re-parenting, in the soft limit on real-time scheduling time
(``RLIMIT_RTTIME``). The number is so large (over 100,000 years) that it means "no limit", and programs have no reason
to touch it. ``/proc/PID/limits`` shows it, even for processes of other users.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Final

from attrs import frozen

UNIT: Final = "HOODY_UNIT"
INCARNATION: Final = "HOODY_INCARNATION"
INSTANCE: Final = "HOODY_INSTANCE"

_SEALED: Final = 1 << 61
_SEAL_LINE: Final = re.compile(rb"^Max realtime timeout +(\d+) ", re.MULTILINE)


@frozen
class Mark:
    """Which incarnation of which unit of which daemon a process belongs to."""

    unit: str
    incarnation: int
    instance: str

    @property
    def seal(self) -> int:
        """The number for the kernel: the same for the same incarnation, and 60 bits apart from every other."""
        text = f"{self.instance}\0{self.unit}\0{self.incarnation}".encode()
        return _SEALED | int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") >> 4

    def environment(self) -> dict[str, str]:
        """Return the variables that carry the mark."""
        return {UNIT: self.unit, INCARNATION: str(self.incarnation), INSTANCE: self.instance}


def mark_from(environment: Mapping[str, str]) -> Mark | None:
    """Return the mark that these variables carry, or None where they carry none or a damaged one."""
    try:
        return Mark(environment[UNIT], int(environment[INCARNATION]), environment[INSTANCE])
    except (KeyError, ValueError):
        return None


def mark_from_block(block: bytes) -> Mark | None:
    """Return the mark in an environment as ``/proc/PID/environ`` shows it, or None."""
    if b"HOODY_INSTANCE=" not in block:
        return None
    found: dict[str, str] = {}
    for entry in block.split(b"\0"):
        if entry.startswith(b"HOODY_"):
            name, _, value = entry.decode(errors="replace").partition("=")
            found.setdefault(name, value)
    return mark_from(found)


def seal_from(limits: bytes) -> int | None:
    """Return the seal that ``/proc/PID/limits`` shows, or None where the limit is somebody else's."""
    found = _SEAL_LINE.search(limits)
    if found is None:
        return None
    number = int(found[1])
    return number if number & _SEALED and number < _SEALED << 1 else None
