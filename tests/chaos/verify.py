"""Hold the logs against what the agents say that they have written. Pure apart from reading files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from attrs import define

_BACKUPS = 1_000_000


@define
class Books:
    """What was written and what became of it, in lines."""

    incarnations: int = 0
    written: int = 0
    lost: int = 0
    doubled: int = 0
    torn: int = 0
    """Lines that are not as any agent wrote them, or not in their order."""

    @property
    def balanced(self) -> bool:
        """Whether every line is there once and in its place."""
        return not (self.lost or self.doubled or self.torn)


def read_log(folder: Path) -> bytes:
    """Return all that is kept of standard output, oldest first."""

    def age(path: Path) -> int:
        number = path.name.removeprefix("stdout.log").removeprefix(".")
        return _BACKUPS - int(number) if number else _BACKUPS

    return b"".join(path.read_bytes() for path in sorted(folder.glob("stdout.log*"), key=age))


def audit(text: bytes, records: dict[str, int], books: Books) -> None:
    """Enter one unit's log and its agents' own records into the books."""
    seen: dict[str, int] = defaultdict(int)
    for line in text.decode(errors="replace").splitlines():
        name, _, number = line.partition(" ")
        if name not in records or not number.isdecimal():
            books.torn += 1
        elif int(number) == seen[name]:
            seen[name] += 1
        elif int(number) < seen[name]:
            books.doubled += 1
        else:
            books.lost += int(number) - seen[name]
            seen[name] = int(number) + 1
    for name, written in records.items():
        books.incarnations += 1
        books.written += max(written, seen[name])  # killed between a write and its entry: one more than it says
        books.lost += max(0, written - seen[name])
        books.torn += max(0, seen[name] - written - 1)


def read_records(folder: Path) -> dict[str, int]:
    """Return how many lines each process of a unit says it has written."""
    return {path.name: int(path.read_bytes() or b"0") for path in folder.iterdir()} if folder.is_dir() else {}


def audit_all(logs: Path, records: Path, units: Iterable[str]) -> Books:
    """Audit units whose agents have all ended."""
    books = Books()
    for unit in units:
        audit(read_log(logs / unit), read_records(records / unit), books)
    return books
