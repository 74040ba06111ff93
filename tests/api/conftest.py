"""A whole HTTP service on loopback, over a real tree with a directory of agents."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import define, field

from api.listening import listen
from api.server import HttpService
from supervisor.logs import LogReader, LogStore
from supervisor.runtime import Actor, ChildSpec, ServiceContext, Shutdown, System, actor, run, supervisor
from tests.api.directory import Directory
from tests.api.wire import TOKEN, Client


@define
class Control:
    """A daemon of which only the part that HTTP reaches is there."""

    system: System
    version: str = "1.2.3"
    instance: str = "instance-1"
    started_at: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    folders: dict[str, str] = field(factory=lambda: {"state": "/somewhere"})
    token: bytes = TOKEN.encode()
    stops: list[bool] = field(factory=list)

    def verify_token(self, token: bytes) -> bool:
        return token == self.token

    async def rotate_token(self) -> str:
        self.token = b"hdy_new"
        return "hdy_new"

    def shutdown(self, *, leave_units: bool) -> None:
        self.stops.append(leave_units)
        self.system.shutdown("asked over HTTP")


@define
class Daemon:
    """What a test holds of it."""

    system: System
    control: Control
    client: Client
    port: int
    nursery: trio.Nursery
    ended: trio.Event
    service: HttpService
    logs: LogStore

    async def stop(self) -> float:
        """Stop the whole tree in order; return how long it took."""
        began = trio.current_time()
        self.system.shutdown("the test ends")
        with trio.fail_after(10):
            await self.ended.wait()
        return trio.current_time() - began


Start = Callable[..., AbstractAsyncContextManager[Daemon]]


@asynccontextmanager
async def daemon_with(
    directory: Callable[[], Actor[Any]] = Directory, *, grace: float = 0.3, mailbox: int = 1024
) -> AsyncIterator[Daemon]:
    system = System()
    folder = Path(tempfile.mkdtemp())
    logs = LogStore(folder / "logs", folder / "fifos")
    control = Control(system)
    listening = listen()
    service = HttpService(control, listening, LogReader(logs.logs, logs), grace=grace)
    root = supervisor(
        "hoody",
        children=[
            ChildSpec("logs", logs.serve, shutdown=Shutdown.within(2)),
            actor("agents", directory, mailbox=mailbox),
            ChildSpec("http", service, shutdown=Shutdown.within(grace + 1.5)),
        ],
    )
    ended = trio.Event()

    async def live(task_status: trio.TaskStatus[Any]) -> None:
        try:
            await run(root, system=system, task_status=task_status)
        finally:
            ended.set()
            listening.close()
            logs.close()
            shutil.rmtree(folder)

    async with trio.open_nursery() as nursery:
        await nursery.start(live)
        yield Daemon(system, control, Client(listening.port), listening.port, nursery, ended, service, logs)
        system.shutdown("the test ends")
        with trio.move_on_after(grace + 5):
            await ended.wait()
        nursery.cancel_scope.cancel()


@pytest.fixture
def start() -> Start:
    """Start daemons of one's own: ``async with start(...) as daemon``."""
    return daemon_with


@pytest.fixture
async def daemon() -> AsyncIterator[Daemon]:
    """A daemon with an empty directory of agents."""
    async with daemon_with() as running:
        yield running


__all__ = ["Control", "Daemon", "ServiceContext", "Start"]
