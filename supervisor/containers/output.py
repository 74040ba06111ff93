"""Copy what a container writes from the engine into our logs: every byte once, over outages of either side."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import Any, Final, Protocol, TypeVar

import trio
from attrs import define, field

from supervisor.containers.bookmarks import STREAMS, Bookmark, Bookmarks
from supervisor.containers.cursor import Cursor, Place
from supervisor.containers.engine import Engine
from supervisor.containers.errors import ContainerNotFound, EngineTimedOut, EngineUnavailable
from supervisor.containers.events import NANO
from supervisor.containers.frames import Demultiplexer, LineMender, Stream, log_message
from supervisor.errors import HoodyError
from supervisor.logs import Position

_log = logging.getLogger("hoody.containers")

T = TypeVar("T")

_THREADS: Final = 4
_SAVE_EVERY: Final = 1.0
_SAVE_WITHIN: Final = 2.0
_TURN_WITHIN: Final = 3.0
_FIRST_RETRY: Final = 0.1
_LONGEST_RETRY: Final = 3.0
_REFUSALS: Final = 5
"""After this many refusals in a row that are no outage the output is given up: this engine will not tell it."""


class Keeper(Protocol):
    """Where the output is kept: the log store, or what stands for it."""

    def open(self, unit: str, stream: Stream, incarnation: int) -> int:
        """Return a descriptor to write to, which the caller closes. Called in a thread; may raise ``OSError``."""

    async def ends(self, unit: str) -> Mapping[Stream, Position] | None:
        """Return where each stream ends, with everything in it that was written so far.

        Streams whose end is never known are left out; None: it cannot be told at the moment.
        """


class Discard:
    """Keeps nothing."""

    def open(self, unit: str, stream: Stream, incarnation: int) -> int:  # noqa: ARG002 - the protocol names them
        """Return a descriptor of ``/dev/null``."""
        return os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)

    async def ends(self, unit: str) -> Mapping[Stream, Position] | None:  # noqa: ARG002 - the protocol names it
        """Say that no end is known."""
        await trio.lowlevel.checkpoint()
        return {}


@define(eq=False)
class Readers:
    """All readers, by unit. A unit has one at a time: the next one waits for the one before to come to the end."""

    engine: Engine
    keeper: Keeper
    bookmarks: Bookmarks
    _limiter: trio.CapacityLimiter = field(factory=lambda: trio.CapacityLimiter(_THREADS), init=False)
    _turns: dict[str, Reader] = field(factory=dict, init=False)

    def reader(self, unit: str, incarnation: int, container: str, *, plain: bool, begin: Place) -> Reader:
        """Return a reader for a run. It does nothing until it is run."""
        return Reader(self, unit, incarnation, container, plain=plain, begin=begin)

    async def take_turn(self, reader: Reader) -> None:
        """Wait until the reader before this one of the same unit is done, and make it stop when that takes long."""
        before = self._turns.get(reader.unit)
        self._turns[reader.unit] = reader
        if before is not None and before is not reader:
            with trio.move_on_after(_TURN_WITHIN):
                await before.done.wait()
            before.leave()
            await before.done.wait()

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Do what touches the disk, without taking the threads that others need."""
        return await trio.to_thread.run_sync(work, limiter=self._limiter)

    def release(self, reader: Reader) -> None:
        """Forget a reader that is done."""
        if self._turns.get(reader.unit) is reader:
            del self._turns[reader.unit]


@define(eq=False)
class Reader:
    """Reads the output of one run of a container."""

    _readers: Readers
    unit: str
    incarnation: int
    container: str
    plain: bool = field(kw_only=True)
    _begin: Place = field(kw_only=True)
    done: trio.Event = field(factory=trio.Event, init=False)
    _over: bool = field(default=False, init=False)
    _finished: bool = field(default=False, init=False)
    _scope: trio.CancelScope | None = field(default=None, init=False)
    _descriptors: dict[Stream, int] = field(factory=dict, init=False)
    _cursor: Cursor = field(factory=Cursor, init=False)
    _mender: LineMender = field(factory=LineMender, init=False)
    _left_out: dict[Stream, int] = field(factory=dict, init=False)
    """How many bytes of each stream are kept already although they come once more."""
    _order: trio.Lock = field(factory=trio.Lock, init=False)
    _torn: bool = field(default=False, init=False)
    """Whether something was taken that is not written."""
    _unsaved: trio.Event = field(factory=trio.Event, init=False)

    def ended(self) -> None:
        """Say that the run is over: what the engine still has of it is read, and that is all."""
        self._over = True

    def leave(self) -> None:
        """Stop reading. The next reader goes on from where this one has come to."""
        self._finished = True
        if self._scope is not None:
            self._scope.cancel(reason="the output of a container is left to another reader")
        else:
            self.done.set()

    async def finish(self) -> None:
        """Wait until the reader is done. Its deadline is the caller's."""
        self.ended()
        await self.done.wait()

    async def run(self) -> None:
        """Read until the run is over and all of its output is kept, or until told to leave.

        When it is cancelled from outside it is not done: it can be run once more and goes on.
        """
        if self.done.is_set():
            return
        self._scope = trio.CancelScope()
        with self._scope:
            try:
                await self._readers.take_turn(self)
                await self._copy()
                self._finished = True
            finally:
                self._scope = None
                if self._finished:
                    self._readers.release(self)
                    self.done.set()

    async def _copy(self) -> None:
        """Read to the end. What goes wrong on our side is tried again, from where the files have come to."""
        while True:
            try:
                with ExitStack() as opened:
                    await self._open(opened)
                    await self._go_on()
                    async with self._saving():
                        await self._read_all()
            except* OSError as failures:
                _log.warning("the output of unit %r cannot be kept: %s", self.unit, failures.exceptions[0])
            else:
                return
            await trio.sleep(_LONGEST_RETRY)

    async def _open(self, opened: ExitStack) -> None:
        opened.callback(self._descriptors.clear)
        for stream in STREAMS:
            descriptor = await self._readers.in_thread(
                partial(self._readers.keeper.open, self.unit, stream, self.incarnation)
            )
            opened.callback(os.close, descriptor)
            os.set_blocking(descriptor, False)
            self._descriptors[stream] = descriptor

    async def _go_on(self) -> None:
        """Find out where to begin, by the bookmark and by where what is kept ends."""
        ends = await self._readers.keeper.ends(self.unit)
        while ends is None:
            await trio.sleep(_LONGEST_RETRY)
            ends = await self._readers.keeper.ends(self.unit)
        saved = await self._readers.in_thread(partial(self._readers.bookmarks.load, self.unit))
        self._torn, self._left_out = False, {}
        if saved is not None and saved.container == self.container:
            self._cursor = Cursor(saved.place)
            self._left_out = saved.beyond(ends)
        else:
            self._cursor = Cursor(self._begin)
            # Before the first byte: a daemon that dies after it finds a bookmark of this container and not of the last.
            await self._save()

    async def _read_all(self) -> None:
        delay, refusals = _FIRST_RETRY, 0
        while True:
            last_time = self._over
            try:
                await self._read_once(follow=not last_time)
                delay, refusals = _FIRST_RETRY, 0
                if last_time:
                    return
            except ContainerNotFound:
                return
            except (EngineUnavailable, EngineTimedOut):
                delay = min(_LONGEST_RETRY, delay * 2)
            except HoodyError as error:
                refusals += 1
                if refusals >= _REFUSALS:
                    _log.warning("the output of container %s cannot be read: %s", self.container[:12], error)
                    return
                delay = min(_LONGEST_RETRY, delay * 2)
            if not self._over:
                await trio.sleep(delay)

    async def _read_once(self, *, follow: bool) -> None:
        place, self._mender = self._cursor.begin_again(), LineMender()
        query: dict[str, Any] = {"follow": int(follow), "stdout": 1, "stderr": 1, "timestamps": 1}
        if place.since:
            query["since"] = f"{place.since // NANO}.{place.since % NANO:09d}"
        split = Demultiplexer(plain=self.plain)
        what = f"read the output of container {self.container[:12]}"
        async with self._readers.engine.stream("GET", f"/containers/{self.container}/logs", query, what=what) as answer:
            async for piece in answer:
                await self._keep(list(split.feed(piece)))
            await self._keep(list(split.finish()))

    async def _keep(self, frames: list[tuple[Stream, bytes]]) -> None:
        async with self._order:
            self._torn = True
            fresh: dict[Stream, list[bytes]] = {stream: [] for stream in STREAMS}
            for stream, frame in frames:
                message = log_message(stream, frame)
                data = self._mender.mend(message)
                if self._cursor.take(message):
                    fresh[stream].append(self._not_left_out(stream, data))
            for stream, parts in fresh.items():
                await self._write(stream, b"".join(parts))
            self._torn = False
        self._unsaved.set()

    def _not_left_out(self, stream: Stream, data: bytes) -> bytes:
        known = min(self._left_out.get(stream, 0), len(data))
        if known:
            self._left_out[stream] -= known
        return data[known:]

    async def _write(self, stream: Stream, data: bytes) -> None:
        descriptor, rest = self._descriptors[stream], memoryview(data)
        while rest:
            try:
                rest = rest[os.write(descriptor, rest) :]
            except BlockingIOError:
                # The log is slower than the container; waiting here makes the engine wait, and the container with it.
                await trio.lowlevel.wait_writable(descriptor)

    @asynccontextmanager
    async def _saving(self) -> AsyncIterator[None]:
        """Save the bookmark now and then, and at the end in any case."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._save_now_and_then)
                yield
                nursery.cancel_scope.cancel(reason="all is read")
        finally:
            with trio.move_on_after(_SAVE_WITHIN, shield=True):
                await self._save()

    async def _save_now_and_then(self) -> None:
        while True:
            await self._unsaved.wait()
            self._unsaved = trio.Event()
            await trio.sleep(_SAVE_EVERY)
            await self._save()

    async def _save(self) -> None:
        """Save the bookmark, if what was taken is all written: otherwise the one before still holds."""
        async with self._order:
            if self._torn or any(self._left_out.values()):
                return
            ends = await self._readers.keeper.ends(self.unit)
            if ends is None:
                return
            bookmark = Bookmark(container=self.container, place=self._cursor.place, ends=dict(ends))
            try:
                await self._readers.in_thread(partial(self._readers.bookmarks.save, self.unit, bookmark))
            except OSError as error:
                _log.warning("the bookmark of unit %r cannot be saved: %s", self.unit, error)
