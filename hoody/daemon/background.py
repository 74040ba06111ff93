"""Start the daemon in the background and stop it again: what ``hoody up`` and ``hoody down`` do.

Blocking, standard library only. Two starts at the same instant never make two daemons: the daemon itself takes the lock
of the home before it does anything, and the one that comes second ends and says so.
"""

# Without pathlib: the paths of hoody.home are text.
# ruff: noqa: PTH123
from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from hoody.daemon.alive import start_time
from hoody.daemon.runtime_file import DaemonFile, read_daemon_file, read_holder
from hoody.daemon.stopping_file import read_waiting_for
from hoody.home import Home, find_home, prepare_home
from supervisor.errors import DaemonNotRunning, HoodyError, Locked, TimedOut, Unavailable, error_class

START_WITHIN: Final = 20.0
STOP_WITHIN: Final = 120.0
_LAST_LINES: Final = 15
_END_WITHIN: Final = 5.0
_PAUSE: Final = 0.05
_TICK: Final = 1.0

OnWait = Callable[[tuple[str, ...]], object]
"""Called about once a second with the names of what a stop still waits for."""


class Up(NamedTuple):
    """The daemon that runs now, and whether it did so before."""

    daemon: DaemonFile
    already: bool


def start_in_background(*, timeout: float = START_WITHIN, environ: Mapping[str, str] | None = None) -> Up:
    """See to it that a daemon runs, and return once it serves its API.

    Raises what the daemon says of itself when it cannot start, ``Unavailable`` with its last words when it dies without
    an explanation, and ``TimedOut``.
    """
    deadline = time.monotonic() + timeout
    variables = dict(os.environ if environ is None else environ)
    home = find_home(variables)
    while True:
        found = _running(home, deadline)
        if found is not None:
            return Up(found, already=True)
        prepare_home(home)
        try:
            pid = _launch(home, variables, deadline)
        except Locked:
            # Somebody else was quicker, or the last one is still on its way out: look again.
            _check_deadline(deadline)
            continue
        found = _running(home, deadline)
        if found is not None:
            return Up(found, already=found.pid != pid)


def _running(home: Home, deadline: float) -> DaemonFile | None:
    """Return the daemon that owns this home once it serves its API; None where there is none, or no more."""
    while True:
        found = read_daemon_file(home)
        if found is not None and found.alive and _is_live(found.port):
            return found
        holder = read_holder(home.lock_file)
        if holder is None or not holder.alive:
            return None
        _check_deadline(deadline)
        time.sleep(_PAUSE)


def _check_deadline(deadline: float) -> None:
    if time.monotonic() > deadline:
        raise TimedOut("a daemon owns this home, but does not answer", hint="see: hoody daemon logs")


def _launch(home: Home, variables: dict[str, str], deadline: float) -> int:
    """Start a daemon process and wait for its own word on whether it is up. Returns its pid."""
    if variables.get("HOODY_HOME"):
        variables["HOODY_HOME"] = home.config  # absolute: the daemon runs in another folder
    ready, told = os.pipe()
    try:
        with open(home.stderr_log, "ab", opener=_private) as log:
            begin = log.tell()
            process = subprocess.Popen(
                [sys.executable, "-m", "hoody.daemon", "--ready-fd", str(told)],
                env=variables,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=(told,),
                start_new_session=True,
            )
        os.close(told)
        told = -1
        answer = _word_of(ready, deadline)
    except HoodyError:
        _reap(process)
        raise
    finally:
        os.close(ready)
        if told >= 0:
            os.close(told)
    if answer is None:
        raise _not_in_time(process, home)
    if answer:
        # The daemon outlives this command on purpose; its exit status is for whoever is its parent by then.
        process.returncode = 0
        return process.pid
    _reap(process)
    raise Unavailable(_last_words(home, begin, process.returncode), hint="see: hoody daemon logs")


def _reap(process: subprocess.Popen[bytes]) -> None:
    """Wait for a daemon that has said why it ends, or that has closed its mouth for good."""
    try:
        process.wait(_END_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _word_of(ready: int, deadline: float) -> bool | None:
    """Return True once the daemon is up, False where it died without a word, None at the deadline.

    Raises the error that the daemon gives as its reason.
    """
    text = b""
    while not text.endswith(b"\n"):
        if not select.select([ready], [], [], max(0.0, deadline - time.monotonic()))[0]:
            return None
        part = os.read(ready, 65536)
        if not part:
            return False
        text += part
    document: dict[str, Any] = json.loads(text)
    if "error" in document:
        error = document["error"]
        raise error_class(error["code"])(error["detail"], hint=error["hint"])
    return True


def _not_in_time(process: subprocess.Popen[bytes], home: Home) -> TimedOut:
    process.terminate()
    process.returncode = 0
    return TimedOut("the daemon did not come up in time and was told to end", hint=f"see {home.daemon_log}")


def _last_words(home: Home, begin: int, code: int) -> str:
    with open(home.stderr_log, "rb") as log:
        log.seek(begin)
        lines = log.read().decode(errors="replace").strip().splitlines()
    how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    return "\n  ".join([f"the daemon {how} before it was up", *lines[-_LAST_LINES:]])


def _is_live(port: int) -> bool:
    import socket

    request = f"GET /livez HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(request.encode())
            return b" 200 " in connection.recv(64)
    except OSError:
        return False


class Down(NamedTuple):
    """What a stop found: the pid of the daemon that ran, None where none did."""

    pid: int | None


def stop_in_background(
    *,
    leave_agents: bool = False,
    timeout: float = STOP_WITHIN,
    on_wait: OnWait | None = None,
    environ: Mapping[str, str] | None = None,
) -> Down:
    """Stop the daemon of this home and return once it is gone; at once where none runs.

    The agents are stopped too, unless they are to be left. Raises ``TimedOut`` naming what it waited for; the stop then
    goes on, and asking again hurries it.
    """
    home = find_home(os.environ if environ is None else environ)
    holder = read_holder(home.lock_file)
    # The lock file is written by whoever holds the lock, which the kernel takes away only with the holder's death.
    if holder is None or not holder.alive:
        return Down(None)
    pidfd = _pidfd(holder.pid, holder.start_time)
    if pidfd is None:
        return Down(None)
    try:
        if leave_agents:
            _ask_to_leave(home)
        else:
            signal.pidfd_send_signal(pidfd, signal.SIGTERM)
        _wait_for_end(pidfd, home, time.monotonic() + timeout, on_wait)
    finally:
        os.close(pidfd)
    return Down(holder.pid)


def _pidfd(pid: int, started: int) -> int | None:
    """Return a descriptor of exactly that process, or None where it has ended."""
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    if start_time(pid) != started:
        os.close(pidfd)
        return None
    return pidfd


def _ask_to_leave(home: Home) -> None:
    from hoody.client.blocking import Client
    from hoody.client.discover import HomeFinder

    try:
        Client(finder=HomeFinder(home)).shutdown(leave_agents=True)
    except DaemonNotRunning:
        # On its way up or down: without its API there is no way to tell it, and a signal would stop the agents.
        raise Unavailable(
            "the daemon does not serve its API just now, so it cannot be told to leave the agents running",
            hint="try again in a moment",
        ) from None


def _wait_for_end(pidfd: int, home: Home, deadline: float, on_wait: OnWait | None) -> None:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    while True:
        left = deadline - time.monotonic()
        if poll.poll(max(0.0, min(_TICK, left)) * 1000):
            return
        names = read_waiting_for(home)
        if left <= 0:
            waiting = f"; it waits for {', '.join(names)}" if names else ""
            raise TimedOut(f"the daemon has not ended yet{waiting}", hint="asking again hurries it")
        if on_wait is not None:
            on_wait(names)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def describe_failure(error: HoodyError) -> dict[str, object]:
    """Return ``error`` in the form in which a daemon tells its starter."""
    return {"error": {"code": error.code, "detail": error.detail, "hint": error.hint}}
