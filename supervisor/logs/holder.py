"""The daemon's side of the process that holds FIFOs open beyond the daemon's death; see ``holding.py``."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import trio

from supervisor.agents.identity import read_proc
from supervisor.logs import holding

SEND_WITHIN: Final = 5.0
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 60.0
"""Seconds between tries to have a holder."""
_FOLDERS: Final = ("HOODY_HOME",)
"""Of the daemon's environment, what tells people whose process it is."""


class Holder:
    """Starts the holder of a folder of FIFOs, and tells it what to hold. Thread-safe.

    Descriptors travel inside the packets, so a FIFO is safe from the moment in which :meth:`hold` returns, also where
    the holder has not looked yet. Trouble is kept in ``error`` and raised nowhere: agents run without a holder too.
    """

    def __init__(self, folder: Path) -> None:
        self.error = ""
        """Why nothing is held at present; empty while all is well."""
        self._folder = folder
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    @property
    def pid(self) -> int | None:
        """The process that holds, or None."""
        return None if self._process is None else self._process.pid

    def start(self, fifos: Iterable[tuple[str, int]]) -> None:
        """See to it that a holder holds these FIFOs, by key and descriptor. Blocks.

        Where it is a new one, the one of an earlier daemon is ended once the new one has everything.
        """
        with self._lock:
            try:
                is_new = self._socket is None
                if is_new:
                    self._launch()
                for key, descriptor in fifos:
                    self._hold(key, descriptor)
                if is_new and self._process is not None:
                    end_holders(self._folder, spared=self._process.pid)
            except OSError as error:
                self._fail(error)
            else:
                self.error = ""

    async def replace_when_lost(self, start: Callable[[], None]) -> None:
        """Call ``start`` in a thread whenever the holder has died. Runs until cancelled."""
        delay = _FIRST_PAUSE
        while True:
            with self._watched() as descriptor:
                if descriptor is not None:
                    await trio.lowlevel.wait_readable(descriptor)
            with self._lock:
                self._abandon()
            await trio.sleep(delay)
            await trio.to_thread.run_sync(start, abandon_on_cancel=True)
            delay = min(_LONGEST_PAUSE, delay * 2) if self.error else _FIRST_PAUSE

    def hold(self, key: str, descriptor: int) -> None:
        """Have the FIFO behind a descriptor held."""
        with self._lock:
            if self._socket is not None:
                try:
                    self._hold(key, descriptor)
                except OSError as error:
                    self._fail(error)

    def drop(self, key: str) -> None:
        """Let go of a FIFO."""
        with self._lock:
            self._send(b"-" + key.encode())

    def dismiss(self) -> None:
        """End the holder: nothing is left in any FIFO."""
        with self._lock:
            self._send(b".")
            self._abandon(patience=SEND_WITHIN)

    def leave(self) -> None:
        """Let the holder outlive the daemon."""
        with self._lock:
            if self._process is not None:
                self._process.returncode = 0  # it stays on purpose, and will be somebody else's child
                self._process = None
            self._abandon()

    @contextlib.contextmanager
    def _watched(self) -> Iterator[int | None]:
        """Have a descriptor that becomes readable when the holder is lost, whichever side notices; None without one."""
        with self._lock:
            descriptor = None if self._socket is None else os.dup(self._socket.fileno())
        try:
            yield descriptor
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _launch(self) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            ours.settimeout(SEND_WITHIN)
            self._socket = ours
            self._process = subprocess.Popen(
                # Isolated and without site-packages: half the memory, and nobody's code in a process that stays.
                [sys.executable, "-I", "-S", holding.__file__, str(self._folder)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={name: os.environ[name] for name in _FOLDERS if name in os.environ},
                cwd="/",
                process_group=0,
            )

    def _hold(self, key: str, descriptor: int) -> None:
        """Send another descriptor of the FIFO, for reading alone: the holder learns when the last writer has gone."""
        reader = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            if self._socket is not None:
                socket.send_fds(self._socket, [b"+" + key.encode()], [reader])
        finally:
            os.close(reader)

    def _send(self, message: bytes) -> None:
        if self._socket is not None:
            try:
                self._socket.send(message)
            except OSError as error:
                self._fail(error)

    def _fail(self, error: OSError) -> None:
        self.error = f"output is not held beyond the daemon's death: {error.strerror or error}"
        self._abandon()

    def _abandon(self, *, patience: float = 0.0) -> None:
        """Be without a holder, and see it end; after ``patience`` seconds it is killed."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)  # whoever waits for its end learns of it
            self._socket.close()
            self._socket = None
        process, self._process = self._process, None
        if process is not None:
            try:
                process.wait(patience)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def end_holders(folder: Path, *, spared: int) -> None:
    """End every holder of a folder but one: those that earlier daemons have left."""
    script = os.fsencode(Path(holding.__file__).name)
    for name in os.listdir("/proc"):  # noqa: PTH208 - numbers are wanted, not paths
        if name.isdecimal() and int(name) != spared and _is_holder(int(name), script, folder):
            _end(int(name), script, folder)


def _is_holder(pid: int, script: bytes, folder: Path) -> bool:
    words = (read_proc(pid, "cmdline") or b"").split(b"\0")
    return len(words) > 3 and words[-2] == os.fsencode(folder) and words[-3].rpartition(b"/")[2] == script


def _end(pid: int, script: bytes, folder: Path) -> None:
    try:
        pidfd = os.pidfd_open(pid)
    except OSError:
        return  # it has ended meanwhile
    try:
        if _is_holder(pid, script, folder):  # the number is certainly its own now
            with contextlib.suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_PIDFD, pidfd, os.WEXITED)  # a child where this daemon has replaced itself in place
    finally:
        os.close(pidfd)
