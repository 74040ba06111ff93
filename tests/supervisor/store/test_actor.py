"""The store in a tree: answers after the commit, whatever the disk does."""

from __future__ import annotations

import math
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from supervisor.errors import HoodyBug, NotFound, Overloaded, StorageError, TimedOut
from supervisor.runtime import ActorRef, Crashed, System, run, supervisor
from supervisor.store import actor as actor_module
from supervisor.store.actor import store_child
from supervisor.store.database import Database, Outcome
from supervisor.store.health import StoreReport
from supervisor.store.messages import (
    ForgetUnit,
    LoadUnit,
    LoadUnits,
    NoteProgress,
    Progress,
    SaveDesired,
    SaveUnit,
    StoreRequest,
    UnitRecord,
)
from supervisor.store.opening import Opened, open_database
from supervisor.units.status import Desired, Kind, State
from tests.supervisor.store.conftest import NOW, MakeRecord

MakeDatabase = Callable[[], Database]


class Store:
    """A client of the store, as units are."""

    def __init__(self, system: System) -> None:
        self.system = system

    @property
    def ref(self) -> ActorRef[StoreRequest]:
        return self.system.registry.ref("store")

    async def save(self, record: UnitRecord, timeout: float = 5) -> None:
        await self.ref.ask(lambda reply: SaveUnit(record=record, reply_to=reply), timeout=timeout)

    async def forget(self, name: str) -> None:
        await self.ref.ask(lambda reply: ForgetUnit(kind=Kind.AGENT, name=name, reply_to=reply), timeout=5)

    async def desire(self, name: str, desired: Desired) -> None:
        await self.ref.ask(
            lambda reply: SaveDesired(kind=Kind.AGENT, name=name, desired=desired, reply_to=reply), timeout=5
        )

    async def load(self, name: str) -> UnitRecord | None:
        return await self.ref.ask(lambda reply: LoadUnit(kind=Kind.AGENT, name=name, reply_to=reply), timeout=5)

    async def load_all(self) -> tuple[UnitRecord, ...]:
        return await self.ref.ask(lambda reply: LoadUnits(kind=Kind.AGENT, reply_to=reply), timeout=5)

    def note(self, name: str, incarnation: int) -> None:
        progress = Progress(state=State.RUNNING, incarnation=incarnation)
        self.ref.tell(NoteProgress(kind=Kind.AGENT, name=name, progress=progress))


@asynccontextmanager
async def running(make: MakeDatabase, report: StoreReport | None = None) -> AsyncIterator[Store]:
    """Run a tree with the store alone."""
    root = supervisor("root", children=[store_child(make, report or StoreReport())])
    async with trio.open_nursery() as nursery:
        system: System = await nursery.start(lambda task_status: run(root, task_status=task_status))
        yield Store(system)
        system.shutdown("the test is over")


class Counted(Database):
    """Remembers the sizes of its transactions."""

    def __init__(self, path: Path, **options: Any) -> None:
        super().__init__(path, now=lambda: NOW, **options)
        self.batches: list[int] = []

    def carry_out(self, batch: Sequence[StoreRequest]) -> list[Outcome]:
        self.batches.append(len(batch))
        return super().carry_out(batch)


class Disk:
    """A disk that can be made read-only, in the way of SQLite itself."""

    def __init__(self) -> None:
        self.broken = False
        self.database: Database | None = None

    def open(self, path: Path, now: Callable[[], datetime]) -> Opened:
        opened = open_database(path, now)
        if self.broken:
            opened.connection.execute("pragma query_only = on")
        return opened

    def make(self, path: Path) -> MakeDatabase:
        def make() -> Database:
            self.database = Database(path, now=lambda: NOW, opener=self.open)
            return self.database

        return make

    def breaks(self) -> None:
        self.broken = True
        assert self.database is not None
        assert self.database._connection is not None
        self.database._connection.execute("pragma query_only = on")


@pytest.fixture
def make(path: Path) -> MakeDatabase:
    return lambda: Database(path, now=lambda: NOW)


async def eventually(condition: Callable[[], bool]) -> None:
    with trio.fail_after(30):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in a thread of the store
            await trio.sleep(0.001)


async def test_an_answer_means_that_it_is_committed(make: MakeDatabase, path: Path, record: MakeRecord) -> None:
    async with running(make) as store:
        await store.save(record("web"))

        other = sqlite3.connect(path)
        assert other.execute("select name from units").fetchall() == [("web",)]
        other.close()


async def test_every_write_accepted_before_a_load_is_in_its_answer(make: MakeDatabase, record: MakeRecord) -> None:
    async with running(make) as store:
        await store.save(record("web"))
        store.note("web", 1)
        store.note("web", 2)

        loaded = await store.load("web")

        assert loaded is not None
        assert loaded.progress.incarnation == 2
        assert await store.load("nobody") is None
        assert await store.load_all() == (loaded,)


async def test_what_is_asked_while_the_disk_is_busy_becomes_one_transaction(path: Path, record: MakeRecord) -> None:
    database = Counted(path)
    async with running(lambda: database) as store, trio.open_nursery() as nursery:
        for number in range(300):
            nursery.start_soon(store.save, record(f"unit-{number}"))

    assert sum(database.batches) == 300
    assert len(database.batches) <= 5


async def test_notes_of_a_flapping_unit_cost_one_write(
    path: Path, record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actor_module, "GATHERING", math.inf)  # until somebody asks, however busy the machine is
    database = Counted(path)
    async with running(lambda: database) as store:
        await store.save(record("web"))
        for number in range(1000):
            store.note("web", number)

        loaded = await store.load("web")

    assert loaded is not None
    assert loaded.progress.incarnation == 999
    assert database.batches == [1, 2], "one note is written, together with what was asked"


async def test_a_note_reaches_the_disk_although_nobody_asks(make: MakeDatabase, path: Path, record: MakeRecord) -> None:
    def noted() -> bool:
        other = sqlite3.connect(path)
        found = other.execute("select document from progress").fetchall()
        other.close()
        return bool(found)

    async with running(make) as store:
        await store.save(record("web"))
        store.note("web", 7)

        await eventually(noted)


async def test_an_unknown_unit_is_told_to_its_asker_alone(make: MakeDatabase, record: MakeRecord) -> None:
    async with running(make) as store:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.save, record("web"))
            with pytest.raises(NotFound, match="no agent named 'nobody' is stored"):
                await store.desire("nobody", Desired.STOPPED)
        await store.forget("nobody")
        await store.desire("web", Desired.STOPPED)

        assert await store.load("web") == record("web", desired=Desired.STOPPED)


async def test_what_was_sent_before_the_stop_is_on_disk_after_it(make: MakeDatabase, record: MakeRecord) -> None:
    async with running(make) as store:
        await store.save(record("web"))
        store.note("web", 41)

    async with running(make) as store:
        assert await store.load("web") == record("web", progress=Progress(state=State.RUNNING, incarnation=41))


async def test_a_disk_that_refuses_is_told_changes_nothing_and_is_got_over(
    path: Path, record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actor_module, "RETRY_DELAYS", (0.01,))
    disk, report = Disk(), StoreReport()
    async with running(disk.make(path), report) as store:
        await store.save(record("web"))
        disk.breaks()
        with pytest.raises(StorageError, match="read-only"):
            await store.desire("web", Desired.STOPPED)
        with pytest.raises(StorageError, match="read-only"):
            await store.save(record("other"))
        store.note("web", 5)
        assert report.health.failing_since is not None
        assert "read-only" in report.health.error
        assert not report.health.ok

        await trio.sleep(0.05)
        disk.broken = False
        await eventually(lambda: report.health.ok)

        assert await store.load_all() == (record("web", progress=Progress(state=State.RUNNING, incarnation=5)),)


async def test_trouble_is_got_over_without_anybody_writing(
    path: Path, record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actor_module, "RETRY_DELAYS", (0.01,))
    disk, report = Disk(), StoreReport()
    async with running(disk.make(path), report) as store:
        await store.save(record("web"))
        disk.breaks()
        with pytest.raises(StorageError):
            await store.save(record("web"))
        disk.broken = False

        await eventually(lambda: report.health.ok)


async def test_a_disk_that_does_not_answer_is_told_and_what_was_asked_may_be_done(
    path: Path, record: MakeRecord, mock_clock: trio.testing.MockClock
) -> None:
    """Time stands still here but for what the test lets pass: the threads take as long as they need."""
    begun, going = threading.Event(), threading.Event()
    report = StoreReport()

    class Stalled(Database):
        def carry_out(self, batch: Sequence[StoreRequest]) -> list[Outcome]:
            begun.set()
            going.wait(30)
            return super().carry_out(batch)

    async def time_passes() -> None:
        await trio.to_thread.run_sync(begun.wait, 30)
        await trio.testing.wait_all_tasks_blocked()
        mock_clock.jump(actor_module.WRITE_DEADLINE + 1)

    async with running(lambda: Stalled(path, now=lambda: NOW), report) as store, trio.open_nursery() as nursery:
        nursery.start_soon(time_passes)
        with pytest.raises(TimedOut, match="has not answered for 10 s"):
            await store.save(record("web"), timeout=60)
        nursery.start_soon(time_passes)
        with pytest.raises(StorageError, match="nothing was done"):
            await store.save(record("other"), timeout=60)
        assert report.health.failing_since is not None
        going.set()
        mock_clock.rate = 1
        await eventually(lambda: report.health.ok)

        assert await store.load_all() == (record("web"),)


async def test_an_actor_that_restarts_while_the_disk_is_in_trouble_comes_up_and_refuses(
    path: Path, record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actor_module, "RETRY_DELAYS", (0.01,))
    broken = False

    def opener(path: Path, now: Callable[[], datetime]) -> Opened:
        if broken:
            raise StorageError("no way")
        return open_database(path, now)

    async with running(lambda: Database(path, now=lambda: NOW, opener=opener)) as store:
        await store.save(record("web"))
        first = store.ref
        broken = True
        with pytest.raises(HoodyBug):
            await store.save(record("naive", created_at=NOW.replace(tzinfo=None)))
        await eventually(lambda: store.system.registry.whereis("store") not in {None, first})

        with pytest.raises(StorageError, match="no way"):
            await store.load("web")
        broken = False
        assert await store.load("web") == record("web")


async def test_a_defect_costs_its_asker_and_the_next_incarnation_goes_on(
    make: MakeDatabase, record: MakeRecord
) -> None:
    ends: list[object] = []
    async with running(make) as store:
        store.system.telemetry.attach(ends.append)
        first = store.ref
        await store.save(record("web"))
        with pytest.raises(HoodyBug, match="the store failed"):
            await store.save(record("naive", created_at=NOW.replace(tzinfo=None)))
        await eventually(lambda: store.system.registry.whereis("store") not in {None, first})

        assert await store.load("web") == record("web")
    assert any(isinstance(getattr(event, "reason", None), Crashed) for event in ends)


async def test_a_store_that_cannot_be_opened_does_not_start(path: Path, make: MakeDatabase) -> None:
    open_database(path, lambda: NOW).connection.close()
    with sqlite3.connect(path) as connection:
        connection.execute("pragma user_version = 99")
    connection.close()

    reason = await run(supervisor("root", children=[store_child(make, StoreReport())]))

    assert isinstance(reason, Crashed)
    assert "newer version (schema 99" in str(reason.error)


async def test_damage_is_told_in_the_report(path: Path, make: MakeDatabase, record: MakeRecord) -> None:
    await trio.Path(path).write_bytes(b"rubbish" * 1000)
    report = StoreReport()
    async with running(make, report) as store:
        assert await store.load_all() == ()
        await store.save(record("web"))
        assert await store.load_all() == (record("web"),)

    assert report.health.moved_aside == (str(path.with_name("hoody.db.corrupt-20300102T030405Z")),)
    assert not report.health.ok


async def test_a_unit_that_cannot_be_read_is_told_once_in_the_report(
    path: Path, make: MakeDatabase, record: MakeRecord
) -> None:
    report = StoreReport()
    async with running(make, report) as store:
        await store.save(record("web"))
        with sqlite3.connect(path) as connection:
            connection.execute("update units set spec = 'rubbish'")
        connection.close()

        for _ in range(3):
            assert await store.load_all() == ()

    assert report.health.unreadable == ("agent web",)


async def test_more_requests_than_can_wait_are_refused(
    path: Path, record: MakeRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actor_module, "MOST_WAITING", 3)
    going = threading.Event()
    refused: list[Overloaded] = []

    class Slow(Database):
        def carry_out(self, batch: Sequence[StoreRequest]) -> list[Outcome]:
            going.wait(10)
            return super().carry_out(batch)

    async def save(store: Store, name: str) -> None:
        try:
            await store.save(record(name))
        except Overloaded as error:
            refused.append(error)

    async with running(lambda: Slow(path, now=lambda: NOW)) as store:
        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(save, store, f"unit-{number}")
            await eventually(lambda: len(refused) > 0)
            going.set()
        saved = len(await store.load_all())

    assert saved + len(refused) == 20
    assert saved >= 3


async def test_an_asker_that_gives_up_does_not_undo_its_request(make: MakeDatabase, record: MakeRecord) -> None:
    async with running(make) as store:
        with trio.move_on_after(0):
            await store.save(record("web"), timeout=math.inf)

        assert await store.load("web") in [None, record("web")]
