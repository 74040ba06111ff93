"""When the world refuses: a full disk, a folder in the way, a crash of the service itself."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from supervisor.logs import LogStore, StoreSettings
from supervisor.logs.source import Source, Visit
from supervisor.logs.testing import LogBench, write_all
from supervisor.runtime import ChildSpec, Strategy, System, run, supervisor

QUICK = StoreSettings(retry_first=0.01, retry_longest=0.05)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that another thread brings about."""
    with trio.fail_after(30):
        while not holds():  # noqa: ASYNC110 - what is waited for happens outside of trio
            await trio.sleep(0.002)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small file system")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_a_full_disk_holds_the_bytes_up_and_loses_none(
    make_bench: Callable[..., LogBench], nursery: trio.Nursery, small_disk: Path
) -> None:
    bench = make_bench(QUICK)
    (small_disk / "logs").mkdir()
    bench.logs.symlink_to(small_disk / "logs")
    await bench.serve(nursery)
    await bench.write(b"before\n")
    filler = small_disk / "filler"
    with pytest.raises(OSError, match="No space"):
        filler.write_bytes(b"x" * 2_000_000)
    with filler.open("ab", buffering=0) as file:
        while _append(file.fileno()):
            pass

    write_all(bench.start(), b"x" * 50_000 + b"\n")
    await until(lambda: bench.store.health().failing_total == 1)
    (failing,) = bench.store.health().failing
    assert not await bench.store.drain("web", timeout=0.1)
    filler.unlink()
    await until(lambda: bench.store.health().failing_total == 0)

    assert bench.whole() == b"before\n" + b"x" * 50_000 + b"\n"
    assert (failing.unit, failing.stream) == ("web", "stdout")
    assert "No space left" in failing.error
    bench.stop()


def _append(fd: int) -> bool:
    try:
        return os.write(fd, b"x" * 512) > 0
    except OSError:
        return False


async def test_a_folder_that_cannot_be_made_is_tried_again_until_it_can(
    make_bench: Callable[..., LogBench], nursery: trio.Nursery
) -> None:
    bench = make_bench(QUICK)
    await bench.serve(nursery)
    in_the_way = bench.logs / "web"
    in_the_way.write_text("a file, not a folder")
    write_all(bench.start(), b"patience\n")
    await until(lambda: bench.store.health().failing_total == 1)

    in_the_way.unlink()
    await until(lambda: bench.store.health().failing_total == 0)
    write_all(bench.start(), b"and on\n")
    await until(lambda: bench.whole() == b"patience\nand on\n")
    bench.stop()


async def test_waiting_for_a_disk_does_not_keep_a_processor_busy(
    make_bench: Callable[..., LogBench], nursery: trio.Nursery
) -> None:
    bench = make_bench(StoreSettings(retry_first=60))
    await bench.serve(nursery)
    (bench.logs / "web").write_text("in the way")
    write_all(bench.start(), b"x")
    await until(lambda: bench.store.health().failing_total == 1)

    spent = time.process_time()
    await trio.sleep(0.2)

    assert time.process_time() - spent < 0.1
    (bench.logs / "web").unlink()
    bench.stop()


async def test_one_stream_that_cannot_be_written_does_not_hold_up_another(
    make_bench: Callable[..., LogBench], nursery: trio.Nursery
) -> None:
    bench = make_bench(QUICK)
    await bench.serve(nursery)
    (bench.logs / "bad").write_text("in the way")
    write_all(bench.start("bad"), b"x")
    await until(lambda: bench.store.health().failing_total == 1)

    await bench.write(b"fine\n", "good")

    assert bench.whole("good") == b"fine\n"
    bench.stop()


class Poisoned(Source):
    """A source with a defect that shows once."""

    __slots__ = ()

    def visit(self, now: int, *, patience: float = 1.0, keep_open: bool = True) -> Visit:
        self.__class__ = Source
        raise RuntimeError("a defect")


async def test_a_crash_of_the_thread_is_a_restart_of_the_service_and_loses_nothing(
    make_bench: Callable[..., LogBench],
) -> None:
    bench = make_bench()
    system = System()
    root = supervisor("root", strategy=Strategy.ONE_FOR_ONE, children=(ChildSpec("logs", bench.store.serve),))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(lambda: run(root, system=system))
        await until(lambda: bench.store.health().running)
        await bench.write(b"before\n")
        source = bench.store._table.sources["web", "stdout"]
        source.__class__ = Poisoned
        write_all(bench.start(), b"behind\n")
        await until(lambda: bench.whole() == b"before\nbehind\n" and bench.store.health().running)
        restarts = system.tree().children[0].restarts
        system.shutdown("the test is over")

    assert restarts == 1


async def test_a_thread_that_does_not_end_is_not_joined_by_a_second_one(
    make_bench: Callable[..., LogBench], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("supervisor.logs.store._TAKE_OVER", 0.01)
    bench = make_bench()
    with bench.store._table.alone, pytest.raises(ExceptionGroup) as caught:
        async with trio.open_nursery() as nursery:
            await bench.serve(nursery)

    assert "does not end" in str(leaf(caught.value))


def leaf(error: BaseException) -> BaseException:
    return leaf(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


async def test_a_busy_stream_is_told_as_such_and_not_waited_for_without_end(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "logs", tmp_path / "run")
    store._table.prepare()
    fd = store.open("web", "stdout", 1)
    os.write(fd, b"x")
    source = store._table.sources["web", "stdout"]
    with source.locked():
        assert not await store.drain("web", timeout=0.01)
    assert await store.drain("web")
    os.close(fd)
    store.close()
