"""All streams that are captured: what outlives the thread that pumps them."""

from __future__ import annotations

import os
import selectors
import shutil
import threading
import time
from pathlib import Path
from typing import Final

from supervisor.logs import places
from supervisor.logs.holder import Holder
from supervisor.logs.mover import make_mover
from supervisor.logs.settings import STREAMS, Key, StoreSettings, StreamName
from supervisor.logs.sink import Sink, Turn
from supervisor.logs.source import Source
from supervisor.units.log_settings import LogSettings

_DEFAULT: Final = LogSettings()


class Table:
    """The sources by unit and stream, and the selector that watches their FIFOs.

    Thread-safe. FIFOs are registered by whoever adds a source and taken off by the pump or by whoever removes it; the
    selector is written from several threads on purpose: registering is one dictionary write and one system call, and a
    wait that is under way takes a new FIFO into account.
    """

    def __init__(self, logs: Path, runtime: Path, settings: StoreSettings, holder: Holder | None = None) -> None:
        self.logs = logs
        self.runtime = runtime
        self.settings = settings
        self.holder = holder
        self.sources: dict[Key, Source] = {}
        self.selector = selectors.DefaultSelector()
        self.alone = threading.Lock()
        """Held by the one thread that pumps."""
        self.lost_fifos = 0
        """How many FIFOs disappeared while their unit was known: what stood in them is lost."""
        self.lost_bytes = 0
        """How many bytes stood in FIFOs that were removed before they could be written."""
        self._unit_settings: dict[str, LogSettings] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_out, False)
        os.set_blocking(self._wake_in, False)
        self.selector.register(self._wake_out, selectors.EVENT_READ, None)

    def prepare(self) -> None:
        """Make the folders, and take up the FIFOs that an earlier daemon left."""
        for folder in (self.logs, self.runtime):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in sorted(os.listdir(self.runtime)):  # noqa: PTH208 - names are all that is needed of thousands
            found = places.unit_of_fifo(name)
            if found is not None:
                self.attach(*found)
        self.have_held()

    def have_held(self) -> None:
        """See to it that every FIFO is held beyond the death of this process. May take a moment."""
        if self.holder is not None:
            with self._lock:
                self.holder.start([(_key(source), source.fd) for source in self.sources.values()])

    def attach(self, unit: str, stream: StreamName) -> Source:
        """Return the source of a stream; make it, and its FIFO, where there is none."""
        with self._lock:
            source = self.sources.get((unit, stream))
            if source is not None and not _is_there(source):
                # Somebody cleaned the runtime folder. A process may still hold the old FIFO: it is read on until it is
                # empty, and from the next start on there is a new one.
                self.lost_fifos += 1
                self._drop(source, remove=False)
                source = None
            if source is None:
                source = self._make(unit, stream)
            return source

    def configure(self, unit: str, settings: LogSettings) -> None:
        """Say how the logs of a unit are kept, from the next byte on. Never waits."""
        # Without the lock, which may be held over a write to the disk: whoever makes a source looks here afterwards.
        self._unit_settings[unit] = settings
        for stream in STREAMS:
            source = self.sources.get((unit, stream))
            if source is not None:
                source.sink.settings = settings

    def forget(self, unit: str) -> None:
        """Close the streams of a unit and delete its FIFOs; the log files stay."""
        with self._lock:
            self._unit_settings.pop(unit, None)
            for stream in STREAMS:
                source = self.sources.get((unit, stream))
                if source is not None:
                    self._drop(source, remove=True)

    def erase(self, unit: str) -> None:
        """Forget a unit and delete its log files."""
        self.forget(unit)
        folder = self.folder(unit)
        if folder.is_dir() and all(places.is_log_file(entry.name) for entry in folder.iterdir()):
            shutil.rmtree(folder)
        elif folder.is_dir():
            for entry in folder.iterdir():
                if places.is_log_file(entry.name):
                    entry.unlink()

    def folder(self, unit: str) -> Path:
        """Return the folder of a unit's logs."""
        return self.logs / unit

    def watch(self, source: Source) -> None:
        """Let the selector report the source. Idempotent."""
        if not source.closed and source.fd not in self.selector.get_map():
            self.selector.register(source.fd, selectors.EVENT_READ, source)

    def ignore(self, source: Source) -> None:
        """Let the selector report the source no more. Idempotent."""
        if source.fd in self.selector.get_map():
            self.selector.unregister(source.fd)

    def wait(self, timeout: float | None) -> list[Source]:
        """Return the watched sources that have something, once there are any, or at :meth:`wake` or the time-out."""
        ready = []
        for key, _ in self.selector.select(timeout):
            if key.data is None:
                os.read(self._wake_out, 4096)
            else:
                ready.append(key.data)
        return ready

    def wake(self) -> None:
        """End a wait that is under way. From any thread."""
        try:
            os.write(self._wake_in, b"\0")
        except BlockingIOError:
            return  # as many wake-ups as a pipe holds are waiting already

    def close(self, *, for_good: bool = False) -> None:
        """Close every descriptor; the FIFOs stay for the next daemon. Idempotent.

        ``for_good`` says that nobody writes any more, so that nothing needs to be held once all is in the files.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self.holder is not None:
                if for_good and all(map(_is_settled, self.sources.values())):
                    self.holder.dismiss()
                else:
                    self.holder.leave()
            for source in tuple(self.sources.values()):
                self._drop(source, remove=False)
            self.selector.close()
            os.close(self._wake_out)
            os.close(self._wake_in)

    def _make(self, unit: str, stream: StreamName) -> Source:
        others = (self.sources.get((unit, name)) for name in STREAMS)
        turn = next((other.sink.turn for other in others if other is not None), None) or Turn()
        source = Source(
            unit,
            stream,
            path=places.fifo(self.runtime, unit, stream),
            sink=Sink(self.folder(unit), stream, self._unit_settings.get(unit, _DEFAULT), turn),
            mover=make_mover(),
            size=self.settings.pipe_size,
        )
        self.sources[source.key] = source
        source.sink.settings = self._unit_settings.get(unit, _DEFAULT)
        self.watch(source)
        if self.holder is not None:
            self.holder.hold(_key(source), source.fd)
        return source

    def _drop(self, source: Source, *, remove: bool) -> None:
        self.sources.pop(source.key, None)
        self.ignore(source)
        try:
            source.visit(time.time_ns())
        except OSError:
            # Where the FIFO stays, whoever holds it keeps the bytes for the next daemon.
            self.lost_bytes += source.pending() if remove else 0
        finally:
            source.close(remove=remove)
            if remove and self.holder is not None:
                self.holder.drop(_key(source))


def _key(source: Source) -> str:
    return os.path.basename(source.path)  # noqa: PTH119 - text, see Source


def _is_settled(source: Source) -> bool:
    """Take in what waits, and tell whether all of it is in the file."""
    try:
        source.visit(time.time_ns())
        return source.pending() == 0
    except OSError:
        return False


def _is_there(source: Source) -> bool:
    try:
        return os.stat(source.path).st_ino == source.inode  # noqa: PTH116 - text, see Source
    except FileNotFoundError:
        return False
