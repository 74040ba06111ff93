"""A log store that runs on real FIFOs and files, and ways to look at what it keeps."""

from __future__ import annotations

import gzip
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import trio

from supervisor.logs import Entry, LogReader, LogSettings, LogStore, Selection, StoreSettings, StreamName, places
from supervisor.logs.rounds import Round
from supervisor.logs.segments import open_stream


class Served:
    """What the supervision tree gives a service, as far as the log store uses it."""

    def __init__(self) -> None:
        self.stopping = trio.Event()
        self.up = trio.Event()

    def started(self) -> None:
        self.up.set()


class Bench:
    """A log store over a folder, with a descriptor per stream to write to."""

    def __init__(self, home: Path, settings: StoreSettings | None = None) -> None:
        self.home = home
        self.logs = home / "logs"
        self.runtime = home / "run"
        self.store = LogStore(self.logs, self.runtime, settings)
        self.reader = LogReader(self.logs, self.store)
        self.context = Served()
        self._fds: dict[tuple[str, StreamName], int] = {}

    async def serve(self, nursery: trio.Nursery) -> None:
        self.context = Served()
        nursery.start_soon(self.store.serve, self.context)
        await self.context.up.wait()

    def start(self, unit: str = "web", incarnation: int = 1, stream: StreamName = "stdout") -> int:
        """Begin an incarnation and keep its end of the FIFO."""
        fd = self.store.open(unit, stream, incarnation)
        old = self._fds.get((unit, stream))
        if old is not None:
            os.close(old)
        self._fds[unit, stream] = fd
        return fd

    async def write(self, data: bytes, unit: str = "web", stream: StreamName = "stdout") -> None:
        """Write as an agent would, and wait until it is in the file."""
        if (unit, stream) not in self._fds:
            self.start(unit, stream=stream)
        await trio.to_thread.run_sync(write_all, self._fds[unit, stream], data)
        assert await self.store.drain(unit, stream)

    def files(self, unit: str = "web", stream: StreamName = "stdout") -> list[bytes]:
        """What stands in the files of a stream, the oldest first."""
        folder = self.logs / unit
        found = [places.current(folder, stream), *(item.path for item in places.backups(folder, stream))]
        return [contents(path) for path in reversed(found) if path.exists()]

    def whole(self, unit: str = "web", stream: StreamName = "stdout") -> bytes:
        return b"".join(self.files(unit, stream))

    def read(self, selection: Selection) -> list[Entry]:
        return read_all(self.logs, selection)

    def close(self) -> None:
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()
        self.store.close()


def write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


def contents(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def read_all(logs: Path, selection: Selection) -> list[Entry]:
    """Read a selection whole, without a running store."""
    current = Round(logs, selection, {})
    found: list[Entry] = []
    while batch := current.pull():
        found.extend(item for item in batch if isinstance(item, Entry))
    current.close()
    return found


def logical(logs: Path, unit: str, stream: StreamName) -> bytes:
    """Read a stream through its logical addresses."""
    view = open_stream(logs, unit, stream)
    data = b""
    at = view.start
    while more := view.read(at, 65536):
        data += more
        at += len(more)
    view.close()
    return data


@pytest.fixture
def make_bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(settings: StoreSettings | None = None, home: Path | None = None) -> Bench:
        made.append(Bench(home or tmp_path, settings))
        return made[-1]

    yield make
    for bench in made:
        bench.close()


@pytest.fixture
async def bench(make_bench: Callable[..., Bench], nursery: trio.Nursery) -> AsyncIterator[Bench]:
    """A running log store."""
    made = make_bench()
    await made.serve(nursery)
    yield made
    made.context.stopping.set()


@pytest.fixture
def small() -> LogSettings:
    """Settings under which a little output rotates."""
    return LogSettings(max_size=4096, backups=3)
