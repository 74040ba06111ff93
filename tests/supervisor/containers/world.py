"""A container driver on the real engine, with its service running, and programs of busybox."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio
from attrs import define, field

from supervisor.containers.addresses import EngineAddress
from supervisor.containers.bookmarks import STREAMS
from supervisor.containers.driver import ContainerDriver
from supervisor.containers.frames import Stream
from supervisor.containers.host import make_host
from supervisor.containers.spec import ContainerSpec, PullPolicy
from supervisor.containers.watch import Watch
from supervisor.logs import Position
from supervisor.units.driver import ExitStatus, Launch
from tests.engine import IMAGE
from tests.engine import Engine as RealEngine


@define
class Files:
    """Keeps output in plain files: what the log store does, without its pump."""

    folder: Path

    def open(self, unit: str, stream: str, incarnation: int) -> int:
        return os.open(self.path(unit, stream), os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    async def ends(self, unit: str) -> dict[Stream, Position]:
        await trio.lowlevel.checkpoint()
        return {stream: Position(1, len(self.read(unit, stream))) for stream in STREAMS}

    def read(self, unit: str, stream: str = "stdout") -> bytes:
        path = self.path(unit, stream)
        return path.read_bytes() if path.exists() else b""

    def path(self, unit: str, stream: str) -> Path:
        return self.folder / f"{unit}.{stream}"


class Context:
    """What the service needs of the tree."""

    def __init__(self) -> None:
        self.stopping = trio.Event()

    def started(self) -> None:
        pass


def spec(*command: str, **keys: Any) -> ContainerSpec:
    defaults = {"image": IMAGE, "network": "none", "command": command, "pull_policy": PullPolicy.NEVER}
    return ContainerSpec(**defaults | keys)


def shell(script: str, **keys: Any) -> ContainerSpec:
    return spec("sh", "-c", script, **keys)


def launch(of: ContainerSpec, unit: str = "web", incarnation: int = 1) -> Launch[ContainerSpec]:
    return Launch(unit=unit, incarnation=incarnation, spec=of)


@define(eq=False)
class Daemon:
    """Everything that one daemon has of containers. A second one on the same folder is the next daemon."""

    real: RealEngine
    folder: Path
    instance: str = "test"
    driver: ContainerDriver = field(init=False)
    watch: Watch = field(init=False)
    files: Files = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.files = Files(self.folder)
        host = make_host(
            instance=self.instance,
            keeper=self.files,
            bookmarks=self.folder / "bookmarks",
            home=self.folder,
            find=lambda: EngineAddress(url=self.real.address, source="the test"),
        )
        self.driver, self.watch = host.driver, host.watch

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Daemon]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.watch.serve, Context())
            try:
                yield self
            finally:
                nursery.cancel_scope.cancel()
        self.driver.engine.close()


def fresh_folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="hdc-"))


@define
class Ends:
    """Collects ends, and lets a test wait for the next one."""

    seen: list[ExitStatus] = field(factory=list)
    _more: trio.Event = field(factory=trio.Event)

    def __call__(self, status: ExitStatus) -> None:
        self.seen.append(status)
        self._more.set()

    async def count(self, wanted: int, *, within: float = 30) -> list[ExitStatus]:
        with trio.fail_after(within):
            while len(self.seen) < wanted:
                self._more = trio.Event()
                await self._more.wait()
        return self.seen
