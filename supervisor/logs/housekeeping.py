"""What is done to rotated files: compress them, and keep all logs together under the quota. Runs in worker threads."""

from __future__ import annotations

import gzip
import shutil
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final

from attrs import frozen

from supervisor.logs import places, rotation
from supervisor.logs.settings import STREAMS, StreamName
from supervisor.logs.source import Source
from supervisor.logs.table import Table

_TARGET: Final = 0.9
"""How much of the quota may be used after backups were deleted, so that not every rotation has to delete."""
_LEVEL: Final = 6


@frozen(order=True)
class _Old:
    changed: int
    size: int
    inode: int
    unit: str
    stream: StreamName


def housekeep(table: Table) -> int:
    """Compress what is to be compressed, then delete the oldest backups while there is too much. Return how many.

    Raises ``OSError`` where the disk does not let us; what was done up to then is complete.
    """
    for source in tuple(table.sources.values()):
        if source.sink.settings.compress:
            compress(source, table.folder(source.unit))
    return enforce_quota(table)


def compress(source: Source, folder: Path) -> None:
    """Compress the backups of one stream. Bytes go on arriving, and rotations happening, meanwhile."""
    for item in [found for found in places.backups(folder, source.stream) if not found.compressed]:
        part = folder / f"{source.stream}.log.gz{places.TEMPORARY}"
        try:
            with item.path.open("rb") as plain:
                inode = item.path.stat().st_ino
                with gzip.open(part, "wb", compresslevel=_LEVEL) as packed:
                    shutil.copyfileobj(plain, packed, 1024 * 1024)
            part.chmod(0o600)
            with source.locked():
                put_in_place(source, folder, part, inode)
        except FileNotFoundError:
            continue  # rotated away or deleted meanwhile
        finally:
            part.unlink(missing_ok=True)


def put_in_place(source: Source, folder: Path, part: Path, inode: int) -> None:
    """Let a compressed file take the place of the backup it was made from, wherever that has moved meanwhile."""
    for item in places.backups(folder, source.stream):
        if not item.compressed and item.path.stat().st_ino == inode:
            packed = places.backup(folder, source.stream, item.number, compressed=True)
            part.rename(packed)
            rotation.replace_source(folder, source.stream, item.path, packed)


def enforce_quota(table: Table) -> int:
    """Delete the oldest backups of any unit until all logs together fit the quota; return how many were deleted."""
    quota = table.settings.quota
    total, found = _survey(table.logs)
    if quota is None or total <= quota:
        return 0
    deleted = 0
    for item in sorted(found):
        if total <= quota * _TARGET:
            break
        if _delete(table, item):
            total -= item.size
            deleted += 1
    return deleted


def _survey(logs: Path) -> tuple[int, list[_Old]]:
    """Return the size of all logs, and their backups."""
    total = 0
    found = []
    for folder in (entry for entry in logs.iterdir() if entry.is_dir()):
        for path in folder.iterdir():
            if places.is_log_file(path.name):
                try:
                    total += path.stat().st_size
                except FileNotFoundError:
                    continue
        for stream in STREAMS:
            for item in places.backups(folder, stream):
                try:
                    known = item.path.stat()
                except FileNotFoundError:
                    continue
                found.append(_Old(known.st_mtime_ns, known.st_size, known.st_ino, folder.name, stream))
    return total, found


def _delete(table: Table, old: _Old) -> bool:
    source = table.sources.get((old.unit, old.stream))
    guard: AbstractContextManager[None] = nullcontext() if source is None else source.locked()
    folder = table.folder(old.unit)
    with guard:
        for item in places.backups(folder, old.stream):
            # A rotation may have renumbered it since the survey: the inode says which one it is.
            if item.path.stat().st_ino == old.inode:
                rotation.delete(folder, old.stream, item.path)
                return True
    return False
