"""Processes are held by descriptors, on kernels of different ages."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import threading
from collections.abc import Iterator

import pytest

from supervisor.agents.identity import read_stat
from supervisor.agents.pidfd import open_pidfd, reaped_status, send_group_signal, send_signal


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    """A group of two: a shell and its child, which tells that it is up."""
    made = subprocess.Popen(["sh", "-c", "sleep 1000 & echo up; wait"], start_new_session=True, stdout=subprocess.PIPE)
    with made:
        assert made.stdout is not None
        made.stdout.readline()
        yield made
        try:
            os.killpg(made.pid, signal.SIGKILL)
        except ProcessLookupError:
            return


@pytest.fixture
def pidfd(process: subprocess.Popen[bytes]) -> Iterator[int]:
    found = os.pidfd_open(process.pid)
    yield found
    os.close(found)


@pytest.fixture
def old_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel whose pidfds know nothing of groups."""
    real = signal.pidfd_send_signal

    def without_flags(pidfd: int, number: int, info: None = None, flags: int = 0) -> None:
        if flags:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        real(pidfd, number, info, flags)

    monkeypatch.setattr(signal, "pidfd_send_signal", without_flags)


def test_a_descriptor_is_opened_for_the_very_process_and_no_other(process: subprocess.Popen[bytes]) -> None:
    stat = read_stat(process.pid)
    assert stat is not None

    found = open_pidfd(process.pid, stat.start_time)

    assert found is not None
    os.close(found)
    assert open_pidfd(process.pid, stat.start_time + 1) is None


def test_nobody_and_a_thread_have_no_descriptor() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        assert thread.native_id is not None
        assert open_pidfd(thread.native_id, 1) is None
    finally:
        stop.set()
        thread.join()
    assert open_pidfd(2**22 + 1, 1) is None
    assert open_pidfd(-1, 1) is None


def test_a_want_of_descriptors_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pidfd_open", full)

    with pytest.raises(OSError, match="Too many open files"):
        open_pidfd(os.getpid(), 1)


@pytest.mark.parametrize("kernel", ["new", "old"])
def test_a_group_is_signalled_whole(
    process: subprocess.Popen[bytes], pidfd: int, kernel: str, request: pytest.FixtureRequest
) -> None:
    if kernel == "old":
        request.getfixturevalue("old_kernel")

    assert send_group_signal(pidfd, process.pid, signal.SIGTERM)
    assert process.stdout is not None
    assert process.stdout.read() == b""  # both are dead, so nobody holds the other end
    assert process.wait() == -signal.SIGTERM


@pytest.mark.parametrize("kernel", ["new", "old"])
def test_the_signal_to_what_is_gone_is_told_as_such(kernel: str, request: pytest.FixtureRequest) -> None:
    if kernel == "old":
        request.getfixturevalue("old_kernel")
    process = subprocess.Popen(["true"], start_new_session=True)
    pidfd = os.pidfd_open(process.pid)
    process.wait()

    assert not send_signal(pidfd, signal.SIGTERM)
    assert not send_group_signal(pidfd, process.pid, signal.SIGTERM)
    os.close(pidfd)


def test_a_refusal_is_raised(pidfd: int, process: subprocess.Popen[bytes]) -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        send_signal(pidfd, 4711)
    with pytest.raises(OSError, match="Invalid argument"):
        send_group_signal(pidfd, process.pid, 4711)


def test_what_is_no_descriptor_of_a_process_tells_no_status() -> None:
    null = os.open(os.devnull, os.O_RDONLY)

    assert reaped_status(null) is None
    os.close(null)
