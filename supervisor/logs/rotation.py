"""Turn the current file into the newest backup, by renames alone."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

from attrs import evolve, frozen

from supervisor.logs import places
from supervisor.logs.index import IndexView, Record
from supervisor.logs.settings import StreamName


def rotate(folder: Path, stream: StreamName, keep: int) -> None:
    """Make the current file backup 1, and each backup the next older one; delete those beyond ``keep``.

    Every step is one rename or one deletion, from the oldest file to the newest. A crash between two of them leaves a
    gap in the numbers, which the next rotation closes.
    """
    numbered = places.backups(folder, stream)
    kept = numbered[: max(0, keep - 1)]
    for gone in numbered[len(kept) :]:
        delete(folder, stream, gone.path)
    moves = list(enumerate(kept, start=2))
    # Gaps are closed from the newest side and room is made from the oldest side, so that no move meets a file.
    closing = [(number, item) for number, item in moves if item.number > number]
    opening = [(number, item) for number, item in reversed(moves) if item.number < number]
    for number, item in closing + opening:
        item.path.rename(places.backup(folder, stream, number, compressed=item.compressed))
    newest = places.current(folder, stream)
    if keep:
        newest.rename(places.backup(folder, stream, 1))
    else:
        delete(folder, stream, newest)


def delete(folder: Path, stream: StreamName, path: Path) -> None:
    """Delete a log file and its index. What is gone already is fine."""
    try:
        inode = path.stat().st_ino
    except FileNotFoundError:
        return
    for item in places.indexes_oldest_first(folder, stream):
        if item.header.inode == inode:
            item.path.unlink(missing_ok=True)
            break
    path.unlink(missing_ok=True)


def tidy(folder: Path, stream: StreamName) -> None:
    """Delete what a crash left behind: unfinished files, sources of finished compressions, indexes without a file.

    Indexes are left alone where none of them matches any file: then the folder was copied or restored, and the numbers
    of its inodes mean nothing.
    """
    for path in folder.iterdir():
        if path.name.startswith(f"{stream}.log.") and path.name.endswith(places.TEMPORARY):
            path.unlink(missing_ok=True)
    for plain, packed in pairwise(places.backups(folder, stream)):
        if plain.number == packed.number:
            replace_source(folder, stream, plain.path, packed.path)
    found = list(places.indexes(folder, stream))
    inodes = _inodes(folder, stream)
    if any(item.header.inode in inodes for item in found):
        for item in found[1:]:
            if item.header.inode not in inodes:
                item.path.unlink(missing_ok=True)


def replace_source(folder: Path, stream: StreamName, plain: Path, packed: Path) -> None:
    """Let a finished compressed file take the place of the plain one, whose index it takes over."""
    inode, new = plain.stat().st_ino, packed.stat().st_ino
    for item in places.indexes(folder, stream):
        if item.header.inode == inode:
            with item.path.open("r+b") as file:
                file.write(evolve(item.header, inode=new).encode())
    plain.unlink()


@frozen
class Ending:
    """Where the files of a stream end that are there. ``exact`` is False where the newest of them is missing."""

    offset: int
    epoch: int
    last: Record | None
    exact: bool


def ending(folder: Path, stream: StreamName) -> Ending | None:
    """Return where the known files of a stream end; None where nothing is known of it."""
    newest = next(places.indexes(folder, stream), None)
    if newest is None:
        return None
    base, epoch, last = newest.header.base, newest.header.epoch, _last_record(newest)
    for item in places.backups(folder, stream):
        if item.path.stat().st_ino == newest.header.inode:
            return Ending(base + places.length(item), epoch, last, exact=True)
    return Ending(max(base, last.offset if last else 0) + 1, epoch, last, exact=False)


def _last_record(item: places.IndexFile) -> Record | None:
    with item.path.open("rb") as file:
        view = IndexView(lambda start, length: os.pread(file.fileno(), length, start), item.records)
        known = (view.at(number) for number in range(item.records - 1, -1, -1))
        return next((record for record in known if record is not None), None)


def _inodes(folder: Path, stream: StreamName) -> set[int]:
    found = set()
    for path in (places.current(folder, stream), *(item.path for item in places.backups(folder, stream))):
        try:
            found.add(path.stat().st_ino)
        except FileNotFoundError:
            continue
    return found
