"""The standard input of agents that take one: a FIFO for each incarnation, which the agent itself holds open.

The agent has it open for reading and writing, so it never meets the end of its input: not when a writer has finished,
and not when the daemon dies; and what waits in it is still there for the agent after that. What an incarnation has not
read ends with it.
"""

from __future__ import annotations

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

import trio

from supervisor.errors import InvalidTransition, TimedOut

_MODE: Final = 0o600
_FOLDER_MODE: Final = 0o700


class InputPipes:
    """The FIFOs of one daemon, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._swept = False
        self._locks: WeakValueDictionary[Path, trio.Lock] = WeakValueDictionary()

    def open(self, unit: str, incarnation: int) -> int:
        """Make the FIFO of an incarnation; return a descriptor for it to read from. Blocks. Raises ``OSError``."""
        self._folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        if not self._swept:
            self._swept = True
            self._sweep()
        path = self._path(unit, incarnation)
        path.unlink(missing_ok=True)
        os.mkfifo(path, _MODE)
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def remove(self, unit: str, incarnation: int) -> None:
        """Remove the FIFO of an incarnation that is over."""
        self._path(unit, incarnation).unlink(missing_ok=True)

    async def write(self, unit: str, incarnation: int, data: bytes, *, within: float) -> None:
        """Give bytes to an incarnation: all of them, in one piece among those of several writers.

        Raises ``InvalidTransition`` where nobody has the other end, and ``TimedOut`` where it has not taken all of it
        in time; the sentence says how much it has taken.
        """
        path = self._path(unit, incarnation)
        lock = self._locks.setdefault(path, trio.Lock())
        taken = 0
        with trio.move_on_after(within) as patience:
            async with lock:
                descriptor = _open_for_writing(path, unit)
                try:
                    while taken < len(data):
                        taken += await _write_some(descriptor, data[taken:], unit)
                finally:
                    os.close(descriptor)
        if patience.cancelled_caught:
            raise TimedOut(
                f"{unit!r} has taken {taken} of {len(data)} bytes of input in {within:g} s: it does not read",
                hint="what it has taken is not taken back",
            )

    def _path(self, unit: str, incarnation: int) -> Path:
        return self._folder / f"{unit}.{incarnation}"

    def _sweep(self) -> None:
        """Remove the FIFOs that nobody has open: what they were made for has ended while no daemon was there."""
        for path in self._folder.iterdir():
            with suppress(OSError):
                if not stat.S_ISFIFO(path.lstat().st_mode):
                    continue
                try:
                    os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC))
                except OSError as error:
                    if error.errno == errno.ENXIO:
                        path.unlink()


def _open_for_writing(path: Path, unit: str) -> int:
    try:
        return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in {errno.ENXIO, errno.ENOENT}:
            raise _nobody(unit) from None
        raise


async def _write_some(descriptor: int, data: bytes, unit: str) -> int:
    while True:
        try:
            return os.write(descriptor, data)
        except BlockingIOError:
            await trio.lowlevel.wait_writable(descriptor)
        except BrokenPipeError:
            raise _nobody(unit) from None


def _nobody(unit: str) -> InvalidTransition:
    return InvalidTransition(f"{unit!r} does not read its input: it has ended, or has closed it")
