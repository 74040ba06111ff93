"""The holder: what was written into a FIFO outlives everybody who had it open."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trio

from supervisor.agents.identity import read_stat
from supervisor.logs import Holder, LogStore, holding
from supervisor.logs.holder import end_holders
from supervisor.logs.source import open_fifo
from supervisor.logs.testing import Served

PATIENCE = 30.0


def until(look: Callable[[], object]) -> None:
    """Wait for another process to do what it does within milliseconds."""
    deadline = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def ended(pid: int) -> bool:
    stat = read_stat(pid)
    return stat is None or stat.dead


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Holder]:
    """A holder that holds nothing yet, and the end of whatever process it has."""
    found = Holder(tmp_path)
    found.start(())
    assert found.error == ""
    pid = found.pid
    yield found
    found.dismiss()
    end_holders(tmp_path, spared=0)
    assert pid is not None
    until(lambda: ended(pid))


def pid_of(holder: Holder) -> int:
    assert holder.pid is not None
    return holder.pid


def test_what_stands_in_a_fifo_is_still_there_after_all_who_had_it_open_have_gone(
    holder: Holder, tmp_path: Path
) -> None:
    fifo = tmp_path / "web.stdout"
    fd = open_fifo(fifo)
    holder.hold("web.stdout", fd)
    os.write(fd, b"last words")
    os.close(fd)
    holder.leave()

    again = open_fifo(fifo)

    assert os.read(again, 100) == b"last words"
    os.close(again)


def test_it_is_safe_from_the_moment_of_handing_it_over(tmp_path: Path) -> None:
    """The descriptor travels in the packet: it is held also while the holder has not come to look at it."""
    holder = Holder(tmp_path)
    fd = open_fifo(tmp_path / "web.stdout")
    os.write(fd, b"x")
    holder.start([("web.stdout", fd)])
    pid = pid_of(holder)
    os.kill(pid, signal.SIGSTOP)
    other = open_fifo(tmp_path / "db.stdout")
    os.write(other, b"y")

    holder.hold("db.stdout", other)
    os.close(other)

    again = open_fifo(tmp_path / "db.stdout")
    assert os.read(again, 100) == b"y"
    os.kill(pid, signal.SIGCONT)
    holder.dismiss()
    for each in (fd, again):
        os.close(each)


def test_with_the_daemon_gone_it_ends_once_nothing_is_written_and_nothing_stands_in_any_fifo(
    holder: Holder, tmp_path: Path
) -> None:
    pid, writer = pid_of(holder), open_fifo(tmp_path / "web.stdout")
    holder.hold("web.stdout", writer)
    holder.leave()
    time.sleep(0.05)
    assert not ended(pid)

    os.close(writer)

    os.waitid(os.P_PID, pid, os.WEXITED)


def test_with_the_daemon_gone_a_fifo_with_something_in_it_is_kept_until_it_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fifo = tmp_path / "web.stdout"
    fd = open_fifo(fifo)
    held = {b"web.stdout": os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)}
    os.write(fd, b"x")
    os.close(fd)
    monkeypatch.setattr(holding, "LOOK_AGAIN", 1)
    fifo.unlink()

    holding._outlive(held)

    assert held == {}


def test_a_fifo_that_was_dropped_is_not_held(holder: Holder, tmp_path: Path) -> None:
    pid, fd = pid_of(holder), open_fifo(tmp_path / "web.stdout")
    os.write(fd, b"x")
    holder.hold("web.stdout", fd)

    holder.drop("web.stdout")
    holder.leave()

    os.waitid(os.P_PID, pid, os.WEXITED)  # it ends although something stands in the FIFO
    os.close(fd)


def test_the_holder_of_the_next_daemon_ends_the_one_before(holder: Holder, tmp_path: Path) -> None:
    fifo = tmp_path / "web.stdout"
    before, fd = pid_of(holder), open_fifo(fifo)
    holder.hold("web.stdout", fd)
    os.write(fd, b"x")
    os.close(fd)
    holder.leave()
    again = open_fifo(fifo)

    successor = Holder(tmp_path)
    successor.start([("web.stdout", again)])

    assert ended(before)
    os.close(again)
    assert not ended(pid_of(successor))
    last = open_fifo(fifo)
    assert os.read(last, 10) == b"x"
    os.close(last)
    successor.dismiss()


def test_a_dismissed_holder_is_gone(holder: Holder) -> None:
    pid = pid_of(holder)

    holder.dismiss()

    assert ended(pid)
    assert holder.pid is None


def test_whoever_only_looks_like_the_holder_of_the_folder_is_left_alone(holder: Holder, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = Holder(elsewhere)
    other.start(())
    stranger = subprocess.Popen(["sleep", "60"])

    end_holders(tmp_path, spared=pid_of(holder))

    assert not ended(pid_of(holder))
    assert not ended(pid_of(other))
    assert stranger.poll() is None
    other.dismiss()
    stranger.kill()
    stranger.wait()


async def test_a_holder_that_is_lost_is_replaced_by_one_that_holds_everything(tmp_path: Path) -> None:
    holder = Holder(tmp_path / "run")
    store, context = LogStore(tmp_path / "logs", tmp_path / "run", holder=holder), Served()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(store.serve, context)
        await context.up.wait()
        fd = store.open("web", "stdout", 1)
        first = pid_of(holder)

        os.kill(first, signal.SIGKILL)

        await trio.to_thread.run_sync(until, lambda: holder.pid not in {None, first})
        context.stopping.set()
    second = pid_of(holder)
    store.close()
    os.write(fd, b"last words")
    os.close(fd)

    fifo = open_fifo(tmp_path / "run" / "web.stdout")
    assert os.read(fifo, 100) == b"last words"
    os.close(fifo)
    await trio.to_thread.run_sync(until, lambda: ended(second))


def test_where_no_holder_can_be_started_it_is_told_and_nothing_else_is_hurt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "nothing"))
    holder = Holder(tmp_path)
    fd = open_fifo(tmp_path / "web.stdout")

    holder.start([("web.stdout", fd)])
    holder.hold("web.stdout", fd)
    holder.drop("web.stdout")

    assert holder.error == "output is not held beyond the daemon's death: No such file or directory"
    holder.leave()
    os.close(fd)


@pytest.mark.parametrize(("number", "room"), [(0, 1 << 20), (1, 1 << 20), (48, 1 << 20), (400, 1 << 16), (10**6, 32)])
def test_the_buffers_share_what_the_kernel_lets_a_user_have(number: int, room: int) -> None:
    assert holding._room_for_each(number) == room
