"""The log store: what the rest of the program knows of the logs, and the service that keeps them."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, TypeVar

import trio
from attrs import frozen

from supervisor.errors import HoodyBug
from supervisor.logs.growth import Growth
from supervisor.logs.holder import Holder
from supervisor.logs.housekeeping import housekeep
from supervisor.logs.position import Position
from supervisor.logs.pump import Pump
from supervisor.logs.settings import STREAMS, Key, StoreSettings, StreamName
from supervisor.logs.source import Source
from supervisor.logs.table import Table
from supervisor.units.log_settings import LogSettings
from supervisor.units.names import check_name

_TAKE_OVER: Final = 5.0
"""How long a restarted service waits for the thread of the one before."""
_REST: Final = 10
_LONGEST_REST: Final = 10.0
_MOST_TOLD: Final = 20
_THREADS: Final = 8
T = TypeVar("T")


class ServedContext(Protocol):
    """What the service needs of the supervision tree."""

    @property
    def stopping(self) -> trio.Event:
        """Set when a stop is asked."""

    def started(self) -> None:
        """Say that the service is up."""


@frozen(kw_only=True)
class FailingStream:
    """A stream whose file cannot be written at present. Its bytes wait in the FIFO; nothing is lost."""

    unit: str
    stream: StreamName
    since: float
    error: str


@frozen(kw_only=True)
class LogHealth:
    """How the log store is doing."""

    running: bool
    streams: int
    failing: tuple[FailingStream, ...]
    """At most twenty, the longest failing first."""
    failing_total: int
    index_errors: int
    lost_fifos: int
    lost_bytes: int
    housekeeping_error: str
    holder_error: str = ""
    """Why what an agent writes last would be lost, should the daemon die."""

    @property
    def ok(self) -> bool:
        """Tell whether all output reaches its files, and nothing of it was lost."""
        troubles = self.failing_total, self.lost_fifos, self.lost_bytes, self.housekeeping_error, self.holder_error
        return not any(troubles)


class LogStore:
    """Captures what units write, and keeps it.

    ``logs`` is the folder of the log files and ``runtime`` the one of the FIFOs. With a ``holder``, what an agent wrote
    last is not lost when it ends while no daemon runs. FIFOs and positions live in this
    object, not in the service: the service can crash and be restarted while it captures, and nothing is lost.
    """

    def __init__(
        self, logs: Path, runtime: Path, settings: StoreSettings | None = None, *, holder: Holder | None = None
    ) -> None:
        self.logs = logs
        self._settings = settings or StoreSettings()
        self._holder = holder
        self._table = Table(logs, runtime, self._settings, holder)
        self._growth = Growth(self._table.sources, self._settings.notify_interval)
        self._limiter = trio.CapacityLimiter(_THREADS)
        self._running = False
        self._token: trio.lowlevel.TrioToken | None = None
        self._rotated = trio.Event()
        self._housekeeping_error = ""

    async def serve(self, context: ServedContext) -> None:
        """Run the log service: one incarnation of the child ``logs`` of the tree.

        At an orderly stop, everything that was written up to then is in the files before this returns.
        """
        await trio.to_thread.run_sync(self._table.prepare)
        self._token = trio.lowlevel.current_trio_token()
        pump = Pump(self._table, self._growth, self._note_rotation)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._housekeep)
            if self._holder is not None:
                nursery.start_soon(self._holder.replace_when_lost, self._table.have_held)
            nursery.start_soon(_stop_when_asked, context, pump)
            context.started()
            self._running = True
            try:
                # Abandoned when cancelled: a write that hangs must not hold up the tree. The thread sees that it is to
                # stop as soon as the write returns, and until then no other thread pumps.
                await trio.to_thread.run_sync(
                    self._run_alone, pump, abandon_on_cancel=True, limiter=trio.CapacityLimiter(1)
                )
            finally:
                self._running = False
                pump.stop()
            nursery.cancel_scope.cancel()

    def open(self, unit: str, stream: StreamName, incarnation: int) -> int:
        """Return a descriptor that an incarnation of a unit is to write a stream to. The caller closes it.

        From any thread; may take a moment. The descriptor is close-on-exec and blocking, and open for reading too, so
        that whoever holds it never meets a broken pipe: not even when there is no daemon. What was written before
        belongs to the incarnation before. Raises ``OSError`` where the FIFO cannot be made.
        """
        source = self._table.attach(check_name(unit), stream)
        source.begin(incarnation)
        return os.open(source.path, os.O_RDWR | os.O_CLOEXEC)

    def begun(self, unit: str) -> None:
        """Put down on disk whose output comes from here on, now that the incarnation exists.

        From any thread; may take a moment. Left out where the disk is not at hand: then it comes with the next byte.
        """
        for stream in STREAMS:
            source = self._table.sources.get((unit, stream))
            if source is not None:
                source.put_down(time.time_ns())

    def configure(self, unit: str, settings: LogSettings) -> None:
        """Say how the logs of a unit are kept, from the next byte on. Never waits."""
        self._table.configure(check_name(unit), settings)

    async def drain(self, unit: str, stream: StreamName | None = None, *, timeout: float = 5.0) -> bool:
        """Wait until everything that the unit has written so far is in its files.

        Returns False where it is not (a full disk, a time-out); then it will be later.
        """
        found = [self._table.sources.get((unit, name)) for name in STREAMS if stream in {None, name}]
        sources = [source for source in found if source is not None]
        return await self._in_thread(lambda: self._drain(sources, timeout))

    async def ends(self, unit: str, *, timeout: float = 5.0) -> Mapping[StreamName, Position] | None:
        """Return where each captured stream of a unit ends, with everything in it that was written so far.

        None where that is not in the files yet (see :meth:`drain`).
        """
        if not await self.drain(unit, timeout=timeout):
            return None
        found = ((name, self._table.sources.get((unit, name))) for name in STREAMS)
        sources = [(name, source) for name, source in found if source is not None]
        try:
            return await self._in_thread(
                lambda: {name: Position(*source.end(time.time_ns())) for name, source in sources}
            )
        except OSError:
            return None

    async def forget(self, unit: str) -> None:
        """Stop capturing a unit that is gone, and delete its FIFOs. Its log files stay."""
        await self._in_thread(lambda: self._table.forget(check_name(unit)))

    async def erase(self, unit: str) -> None:
        """Forget a unit and delete its log files. Files in its folder that are not ours stay."""
        await self._in_thread(lambda: self._table.erase(check_name(unit)))

    async def wait_growth(self, seen: Mapping[Key, Position]) -> None:
        """Return once any of the streams goes on beyond the position given for it."""
        await self._growth.wait(seen)

    def incarnation(self, unit: str) -> int:
        """Return the latest incarnation that output was opened for, 0 where this store has opened none."""
        found = (self._table.sources.get((unit, stream)) for stream in STREAMS)
        return max((source.latest_incarnation for source in found if source is not None), default=0)

    def quiet_for(self, unit: str) -> float:
        """Return for how many seconds a unit has written nothing; infinite where it has not, for this store.

        0 where that cannot be told: what it has written, or would have, cannot be taken in at present.
        """
        found = (self._table.sources.get((unit, stream)) for stream in STREAMS)
        sources = [source for source in found if source is not None]
        if not self._running or any(source.failing_since is not None for source in sources):
            return 0.0
        return time.monotonic() - max((source.moved_at for source in sources), default=-math.inf)

    def health(self) -> LogHealth:
        """Return how the store is doing. Cheap; from any thread."""
        sources = tuple(self._table.sources.values())
        failing = sorted(
            (source for source in sources if source.failing_since is not None),
            key=lambda source: source.failing_since or 0.0,
        )
        return LogHealth(
            running=self._running,
            streams=len(sources),
            failing=tuple(
                FailingStream(unit=source.unit, stream=source.stream, since=source.failing_since, error=source.error)
                for source in failing[:_MOST_TOLD]
                if source.failing_since is not None
            ),
            failing_total=len(failing),
            index_errors=sum(source.sink.file.index_errors for source in sources),
            lost_fifos=self._table.lost_fifos,
            lost_bytes=self._table.lost_bytes,
            housekeeping_error=self._housekeeping_error,
            holder_error="" if self._holder is None else self._holder.error,
        )

    def close(self, *, for_good: bool = False) -> None:
        """Close every descriptor. The FIFOs and whoever writes into them stay for the next daemon.

        ``for_good`` says that nobody writes into them any more.
        """
        self._table.close(for_good=for_good)

    def _drain(self, sources: Sequence[Source], timeout: float) -> bool:
        deadline = time.monotonic() + timeout
        results = [self._drain_one(source, deadline) for source in sources]
        return all(results)

    def _drain_one(self, source: Source, deadline: float) -> bool:
        try:
            goal = source.total + source.pending(patience=max(0.0, deadline - time.monotonic()))
            while source.total < goal and not source.closed:
                left = max(0.0, deadline - time.monotonic())
                visit = source.visit(time.time_ns(), patience=left, keep_open=False)
                if visit.moved:
                    self._growth.tell(source)
                if visit.rotated:
                    self._note_rotation()
        except OSError:
            return False
        return True

    def _run_alone(self, pump: Pump) -> None:
        if not self._table.alone.acquire(timeout=_TAKE_OVER):
            raise HoodyBug("the thread of the log service before this one does not end: a write to the disk hangs")
        try:
            pump.run()
        finally:
            self._table.alone.release()

    def _note_rotation(self) -> None:
        if self._token is not None:
            try:
                self._token.run_sync_soon(self._rotated.set)
            except trio.RunFinishedError:
                self._token = None  # the program ends: the next daemon looks after the files when it starts

    async def _housekeep(self) -> None:
        """Look after rotated files: once at the start, then after rotations.

        It looks at every folder, so it takes a small share of the time at most, however often files are rotated.
        """
        while True:
            self._rotated = trio.Event()
            began = trio.current_time()
            try:
                await trio.to_thread.run_sync(housekeep, self._table, abandon_on_cancel=True)
            except OSError as error:
                self._housekeeping_error = str(error)
            else:
                self._housekeeping_error = ""
            await trio.sleep(min(_LONGEST_REST, (trio.current_time() - began) * _REST))
            await self._rotated.wait()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await trio.to_thread.run_sync(work, limiter=self._limiter)


async def _stop_when_asked(context: ServedContext, pump: Pump) -> None:
    await context.stopping.wait()
    pump.stop()
