"""Where the files of a unit's logs are, and what they are called.

``<logs>/<unit>/stdout.log`` is always the current file; ``stdout.log.1`` to ``stdout.log.N`` (``.gz`` when compressed)
are the backups, the newest first. The index of each is ``.stdout.<base>.idx`` in the same folder, where ``base`` is the
logical offset of its first byte. An index is never renamed: it names its log file by inode, so a rotation is a series
of single renames, and a crash between two of them separates nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from attrs import frozen

from supervisor.logs.index import HEADER_SIZE, Header, decode_header, records_in
from supervisor.logs.settings import STREAMS, StreamName

_BACKUP: Final = re.compile(r"(stdout|stderr)\.log\.([1-9][0-9]{0,5})(\.gz)?")
_INDEX: Final = re.compile(r"\.(stdout|stderr)\.([0-9]{20})\.idx")
_FIFO: Final = re.compile(r"(.+)\.(stdout|stderr)")


@frozen
class Backup:
    """A rotated file."""

    path: Path
    number: int
    compressed: bool


@frozen
class IndexFile:
    """An index on disk, with what its header says."""

    path: Path
    header: Header
    records: int


def current(folder: Path, stream: StreamName) -> Path:
    """Return the path of the current file."""
    return folder / f"{stream}.log"


def backup(folder: Path, stream: StreamName, number: int, *, compressed: bool = False) -> Path:
    """Return the path of a backup."""
    return folder / f"{stream}.log.{number}{'.gz' if compressed else ''}"


def index(folder: Path, stream: StreamName, base: int) -> Path:
    """Return the path of the index of the file whose first byte has the logical offset ``base``."""
    return folder / f".{stream}.{base:020d}.idx"


def fifo(runtime: Path, unit: str, stream: StreamName) -> Path:
    """Return the path of the FIFO that a unit writes a stream into."""
    return runtime / f"{unit}.{stream}"


def unit_of_fifo(name: str) -> tuple[str, StreamName] | None:
    """Return the unit and stream that a file of the runtime folder belongs to; None where it is none of ours."""
    match = _FIFO.fullmatch(name)
    return (match[1], _stream(match[2])) if match else None


def backups(folder: Path, stream: StreamName) -> list[Backup]:
    """Return the backups of a stream, newest first."""
    found = []
    for name in _names(folder):
        match = _BACKUP.fullmatch(name)
        if match and match[1] == stream:
            found.append(Backup(folder / name, int(match[2]), match[3] is not None))
    return sorted(found, key=lambda item: (item.number, item.compressed))


def indexes(folder: Path, stream: StreamName) -> Iterator[IndexFile]:
    """Yield the readable indexes of a stream, newest (largest base) first; each is read when it is asked for."""
    return _readable(_index_paths(folder, stream))


def indexes_oldest_first(folder: Path, stream: StreamName) -> Iterator[IndexFile]:
    """Yield the same the other way round."""
    return _readable(reversed(_index_paths(folder, stream)))


def _index_paths(folder: Path, stream: StreamName) -> list[Path]:
    found = []
    for name in _names(folder):
        match = _INDEX.fullmatch(name)
        if match and match[1] == stream:
            found.append(name)
    return [folder / name for name in sorted(found, reverse=True)]  # the base is written with leading zeros


def _readable(paths: Iterable[Path]) -> Iterator[IndexFile]:
    return (item for item in map(read_index, paths) if item is not None)


def length(item: Backup) -> int:
    """Return how many bytes of log a backup holds; for a compressed one, those it was made from."""
    size = item.path.stat().st_size
    if not item.compressed:
        return size
    with item.path.open("rb") as file:
        file.seek(max(0, size - 4))
        return int.from_bytes(file.read(4), "little")


def read_index(path: Path) -> IndexFile | None:
    """Return what is known of an index file; None where there is none that can be read."""
    try:
        with path.open("rb") as file:
            header = decode_header(file.read(HEADER_SIZE))
            return IndexFile(path, header, records_in(os.fstat(file.fileno()).st_size)) if header else None
    except FileNotFoundError:
        return None


def is_log_file(name: str) -> bool:
    """Tell whether a file of a unit's folder is one that the log store made."""
    return (
        name in {f"{stream}.log" for stream in STREAMS}
        or _BACKUP.fullmatch(name) is not None
        or _INDEX.fullmatch(name) is not None
        or name.endswith(TEMPORARY)
    )


TEMPORARY: Final = ".hoody-part"
"""The end of the name of a file that is not finished; found after a crash, it is deleted."""


def _stream(word: str) -> StreamName:
    return "stdout" if word == "stdout" else "stderr"


def _names(folder: Path) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            yield from [entry.name for entry in entries]
    except FileNotFoundError:
        return
