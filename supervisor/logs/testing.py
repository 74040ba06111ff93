"""What tests need of the log store: one that runs on a folder, and a look at what it keeps."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import trio

from supervisor.logs import places
from supervisor.logs.reader import LogReader
from supervisor.logs.settings import StoreSettings, StreamName
from supervisor.logs.store import LogStore


class Served:
    """What the supervision tree gives a service, as far as the log store uses it."""

    def __init__(self) -> None:
        self.stopping = trio.Event()
        self.up = trio.Event()

    def started(self) -> None:
        """Take note that the service is up."""
        self.up.set()


class LogBench:
    """A log store on a folder, with a descriptor per stream to write to. To be closed."""

    def __init__(self, home: Path, settings: StoreSettings | None = None) -> None:
        self.logs = home / "logs"
        self.runtime = home / "run"
        self.store = LogStore(self.logs, self.runtime, settings)
        self.reader = LogReader(self.logs, self.store)
        self.context = Served()
        self._fds: dict[tuple[str, StreamName], int] = {}

    async def serve(self, nursery: trio.Nursery) -> None:
        """Run the service until :meth:`stop`, or until the nursery ends."""
        self.context = Served()
        nursery.start_soon(self.store.serve, self.context)
        await self.context.up.wait()

    def stop(self) -> None:
        """Ask the service to stop."""
        self.context.stopping.set()

    def start(self, unit: str = "web", incarnation: int = 1, stream: StreamName = "stdout") -> int:
        """Begin an incarnation; return its end of the FIFO, which this object closes."""
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
        if not await self.store.drain(unit, stream):
            raise AssertionError(f"what {unit} wrote did not get into its file: {self.store.health()}")

    def files(self, unit: str = "web", stream: StreamName = "stdout") -> list[bytes]:
        """Return what stands in the files of a stream, the oldest first."""
        folder = self.logs / unit
        found = [places.current(folder, stream), *(item.path for item in places.backups(folder, stream))]
        return [_contents(path) for path in reversed(found) if path.exists()]

    def whole(self, unit: str = "web", stream: StreamName = "stdout") -> bytes:
        """Return everything that is kept of a stream."""
        return b"".join(self.files(unit, stream))

    def close(self) -> None:
        """Close the store and the descriptors; FIFOs and files stay."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()
        self.store.close()


def write_all(fd: int, data: bytes) -> None:
    """Write everything, waiting where the FIFO is full."""
    while data:
        data = data[os.write(fd, data) :]


def _contents(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
