"""The last lines of a file on this machine, and those that are added to it, over rotations."""

# Without pathlib: it is not worth its import here.
# ruff: noqa: PTH116, PTH123
from __future__ import annotations

import os
import time
from collections.abc import Generator, Iterator
from typing import BinaryIO, Final

_PAUSE: Final = 0.25
_BLOCK: Final = 64 * 1024


def last_lines(file: BinaryIO, count: int) -> Iterator[bytes]:
    """Yield the last ``count`` lines (all, where it is negative), and leave the file at its end."""
    file.seek(_start_of_last(file, count) if count >= 0 else 0)
    yield from file


def _start_of_last(file: BinaryIO, count: int) -> int:
    """Return where the last ``count`` lines begin, reading backwards in blocks."""
    position = end = file.seek(0, os.SEEK_END)
    if count == 0:
        return end
    missing = count
    while position > 0:
        start = max(0, position - _BLOCK)
        file.seek(start)
        block = file.read(position - start)
        # The line end that closes the file belongs to the last line, it does not begin another one.
        upto = len(block) - 1 if position == end else len(block)
        while (found := block.rfind(b"\n", 0, upto)) >= 0:
            missing -= 1
            if missing == 0:
                return start + found + 1
            upto = found
        position = start
    return 0


def added_lines(file: BinaryIO, path: str) -> Generator[bytes, None, None]:
    """Yield lines as they are added at ``path``, beginning where ``file`` stands; goes on until it is closed.

    When the file at ``path`` has become another one (a rotation), the rest of the old one comes first. Takes ``file``
    over: it, or what took its place, is closed in the end.
    """
    rest = b""
    try:
        while True:
            rotated = _is_another(file, path)
            while line := file.readline():
                rest += line
                if rest.endswith(b"\n"):
                    yield rest
                    rest = b""
            if rotated:
                old, file = file, open(path, "rb")  # noqa: SIM115 - closed in the end
                old.close()
            else:
                time.sleep(_PAUSE)
    finally:
        file.close()


def _is_another(file: BinaryIO, path: str) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False  # between the two steps of a rotation
    return (there.st_dev, there.st_ino) != (os.fstat(file.fileno()).st_dev, os.fstat(file.fileno()).st_ino)
