"""A whole HTTP service on loopback, over a real tree with a directory of agents."""

from __future__ import annotations

import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import define, field

from api.listening import listen
from api.server import HttpService
from supervisor.agents.inputs import InputPipes
from supervisor.agents.stats import ProcessStats, UnitStats
from supervisor.events import EventLog
from supervisor.groups.actor import groups_child
from supervisor.groups.table import GroupWatch
from supervisor.health import HealthWatch
from supervisor.logs import LogReader, LogStore
from supervisor.runtime import ChildSpec, ServiceContext, Shutdown, Strategy, System, run, supervisor
from supervisor.store.health import StoreReport
from supervisor.units.directory import unit_children
from supervisor.units.services import UnitServices
from supervisor.units.status import UnitView
from supervisor.units.testing import FakeDriver, Program, Script, Shelf, fake_driver, memory_store
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

    async def replace_program(self) -> str:
        self.stops.append(True)
        self.system.shutdown("replaced over HTTP")
        return "1.2.4"

    def shutdown(self, *, leave_units: bool) -> None:
        self.stops.append(leave_units)
        self.system.shutdown("asked over HTTP")


class Figures:
    """A meter of programs that use what their pid says, so that every figure can be told from every other."""

    async def measure(self, views: Sequence[UnitView]) -> Mapping[str, UnitStats]:
        return {view.name: self._of(view.status.pid) for view in views}

    def _of(self, pid: int | None) -> UnitStats:
        if pid is None:
            return UnitStats()
        share = ProcessStats(pid=pid, name="program", cpu=12.5, memory=pid * 1024, threads=2)
        return UnitStats(cpu=12.5, window=2.0, memory=pid * 1024, processes=1, threads=2, by_process=(share,))


@define
class Crashable:
    """A service that crashes when it is told to."""

    service: HttpService
    crash: trio.Event = field(factory=trio.Event)

    async def __call__(self, context: ServiceContext) -> None:
        self.crash = trio.Event()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._crash, self.crash)
            await self.service(context)
            nursery.cancel_scope.cancel()

    async def _crash(self, told: trio.Event) -> None:
        await told.wait()
        raise RuntimeError("the test crashes the service")


@define
class Daemon:
    """What a test holds of it."""

    http: Crashable
    system: System
    control: Control
    client: Client
    port: int
    ended: trio.Event
    logs: LogStore
    driver: FakeDriver
    store: StoreReport
    events: EventLog
    folder: Path

    @property
    def inputs(self) -> Path:
        """Where the pipes are that agents read from."""
        return self.folder / "inputs"

    async def stop(self) -> float:
        """Stop the whole tree in order; return how long it took."""
        began = trio.current_time()
        self.system.shutdown("the test ends")
        with trio.fail_after(30):
            await self.ended.wait()
        return trio.current_time() - began


Start = Callable[..., AbstractAsyncContextManager[Daemon]]


PROGRAMS: dict[str, Script] = {
    "sleep": Program(),
    "true": Program(),
    "stubborn": Program(ignores=frozenset({signal.SIGTERM})),
    "broken": Program(fails="no such file: 'broken'"),
}
"""Beside these, no program exists."""


@asynccontextmanager
async def daemon_with(*, agents: ChildSpec | None = None, grace: float = 0.3) -> AsyncIterator[Daemon]:
    """Run a daemon; ``agents`` takes the place of the directory of agents."""
    system = System()
    folder = Path(tempfile.mkdtemp())
    logs = LogStore(folder / "logs", folder / "fifos")
    control, listening = Control(system), listen()
    store = StoreReport()
    health = HealthWatch(store)
    system.telemetry.attach(health)
    events = EventLog(wall=lambda: datetime.now(UTC))
    reader = LogReader(logs.logs, logs)
    http = Crashable(
        HttpService(
            control,
            listening,
            logs=reader,
            health=health,
            meter=Figures(),
            inputs=InputPipes(folder / "inputs"),
            events=events,
            grace=grace,
        )
    )
    ended = trio.Event()

    async def live(root: ChildSpec, task_status: trio.TaskStatus[Any]) -> None:
        try:
            await run(root, system=system, task_status=task_status)
        finally:
            ended.set()
            listening.close()
            logs.close()
            shutil.rmtree(folder)

    async with fake_driver(**PROGRAMS) as driver, trio.open_nursery() as nursery:
        services = UnitServices(driver=driver)
        events.watch(services.roster)
        units = (groups_child(GroupWatch(services)), *unit_children(services)) if agents is None else (agents,)
        root = supervisor(
            "hoody",
            strategy=Strategy.REST_FOR_ONE,
            children=[
                memory_store(Shelf()),
                ChildSpec("events", events.serve, shutdown=Shutdown.within(2)),
                ChildSpec("logs", logs.serve, shutdown=Shutdown.within(2)),
                *units,
                ChildSpec("http", http, shutdown=Shutdown.within(grace + 1.5)),
            ],
        )
        await nursery.start(live, root)
        yield Daemon(
            http, system, control, Client(listening.port), listening.port, ended, logs, driver, store, events, folder
        )
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
