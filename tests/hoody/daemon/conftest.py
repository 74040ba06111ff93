"""A home in a temporary folder, and the promise that nothing of it runs when the test is over."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from hoody.daemon.background import start_in_background, stop_in_background
from hoody.daemon.runtime_file import read_holder
from hoody.home import Home, find_home


class HomeUnderTest:
    """A home and the environment that leads to it."""

    def __init__(self, folder: Path) -> None:
        self.environ = {**os.environ, "HOODY_HOME": str(folder)}
        self.home: Home = find_home(self.environ)

    @property
    def daemon_pid(self) -> int:
        holder = read_holder(self.home.lock_file)
        assert holder is not None
        return holder.pid

    def kill_daemon(self) -> None:
        """End the daemon as the kernel does when memory runs out, and wait until it is gone."""
        pidfd = os.pidfd_open(self.daemon_pid)
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        wait_readable(pidfd)
        os.close(pidfd)

    def end_everything(self) -> None:
        with contextlib.suppress(Exception):
            stop_in_background(timeout=15, environ=self.environ)
        holder = read_holder(self.home.lock_file)
        if holder is not None and holder.alive:
            self.kill_daemon()
        for pid in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def processes(self) -> list[int]:
        """Return the processes that carry the mark of this home."""
        try:
            mark = b"HOODY_INSTANCE=" + Path(self.home.instance_file).read_bytes().strip()
        except FileNotFoundError:
            return []
        found = []
        for folder in Path("/proc").iterdir():
            if folder.name.isdecimal():
                with contextlib.suppress(OSError):
                    if mark in (folder / "environ").read_bytes().split(b"\0"):
                        found.append(int(folder.name))
        return found


def wait_readable(pidfd: int, seconds: float = 20) -> None:
    import select

    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    assert poll.poll(seconds * 1000), "the process did not end"


@pytest.fixture
def under_test(tmp_path: Path) -> Iterator[HomeUnderTest]:
    """Return a home in which nothing runs yet."""
    found = HomeUnderTest(tmp_path / "home")
    yield found
    found.end_everything()
    assert found.processes() == []


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeUnderTest]:
    """Return a home whose daemon runs, shared by the tests of a module that leave it running."""
    found = HomeUnderTest(tmp_path_factory.mktemp("served") / "home")
    start_in_background(environ=found.environ)
    yield found
    found.end_everything()
    assert found.processes() == []
