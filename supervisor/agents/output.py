"""Where the output of a process goes: the seam between starting processes and keeping logs."""

from __future__ import annotations

import os
from typing import Literal, Protocol, TypeAlias

Stream: TypeAlias = Literal["stdout", "stderr"]


class Output(Protocol):
    """Gives every incarnation its two output descriptors."""

    def open(self, unit: str, stream: Stream, incarnation: int) -> int:
        """Return a descriptor for the child to write to; the caller owns it and closes it once the child has it.

        Called from a thread that may block. The descriptor must be close-on-exec. ``OSError`` or ``HoodyError`` fail
        the start, with their sentence.
        """

    def begun(self, unit: str) -> None:
        """Take note that the process exists which the descriptors were opened for.

        Called from the same thread. Whatever of :meth:`open` the process need not wait for belongs here. Never raises.
        """


class Discard:
    """An output that keeps nothing."""

    def open(self, unit: str, stream: Stream, incarnation: int) -> int:  # noqa: ARG002 - the protocol names them
        """Return a descriptor of ``/dev/null``."""
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)

    def begun(self, unit: str) -> None:
        """Do nothing."""
