"""Start one program: the blocking part, carried out in a thread."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
from collections.abc import Mapping

from attrs import frozen

from supervisor.agents.environment import build_environment, working_directory
from supervisor.agents.identity import identity_of, read_stat
from supervisor.agents.marks import Mark
from supervisor.agents.output import Output
from supervisor.agents.window import LimitWindow
from supervisor.agents.words import Attempt, spawn_failure
from supervisor.descriptors import lift
from supervisor.errors import HoodyBug, HoodyError, SpawnFailed
from supervisor.units.driver import Identity
from supervisor.units.spec import AgentSpec


@frozen(kw_only=True)
class Spawned:
    """A process that has just come to exist: a child of ours, not reaped by anybody yet."""

    identity: Identity
    pidfd: int


@frozen(kw_only=True)
class Spawner:
    """What all starts share."""

    output: Output
    window: LimitWindow
    inherited: Mapping[str, str]
    home: str

    def start(self, spec: AgentSpec, mark: Mark, output: Output | None = None) -> Spawned:
        """Start the program as the leader of a session of its own. Blocks. ``output`` stands in for the usual one.

        Raises ``SpawnFailed``; then nothing is left of the try.
        """
        directory = working_directory(spec, self.home)
        environment = build_environment(spec, mark, self.inherited, directory)
        attempt = Attempt(argv=spec.argv, directory=directory, environment=environment)
        opened: list[int] = []
        try:
            self._open(mark, output or self.output, opened)
            pid = self._fork(attempt, mark, *opened)
        finally:
            for descriptor in opened:
                os.close(descriptor)
        self.window.settle(pid)
        return _hold(attempt, pid)

    def _fork(self, attempt: Attempt, mark: Mark, stdout: int, stderr: int) -> int:
        try:
            executable = _find(attempt)
            with self.window.open(mark.seal):
                process = subprocess.Popen(
                    attempt.argv,
                    executable=executable,
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=stderr,
                    cwd=attempt.directory,
                    env=attempt.environment,
                    start_new_session=True,
                    # The default, said aloud: with close_range(2) it costs some 5 % of a start (measured at 5,000
                    # descriptors), and no library's forgotten descriptor can reach an agent.
                    close_fds=True,
                )
        except (OSError, ValueError) as error:
            raise spawn_failure(attempt, error) from error
        # The exit watcher reaps it. With a return code set, the object neither waits for the process nor warns, and the
        # next Popen does not reap it in passing (subprocess._cleanup).
        process.returncode = 0
        return process.pid

    def _open(self, mark: Mark, output: Output, opened: list[int]) -> None:
        """Open stdout and stderr for the child; what was opened is in ``opened`` even when the second one fails."""
        try:
            opened.append(output.open(mark.unit, "stdout", mark.incarnation))
            opened.append(output.open(mark.unit, "stderr", mark.incarnation))
        except SpawnFailed:
            raise
        except (OSError, HoodyError) as error:
            what = f"{mark.unit} could not be started: its output cannot be captured: {error}"
            raise SpawnFailed(what) from error


def _find(attempt: Attempt) -> str | None:
    """Return the file to execute where the program is looked up on PATH. None: it is what the command says."""
    if not attempt.on_path:
        return None
    executable = attempt.executable
    if executable is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), attempt.program)
    return str(executable)


def _hold(attempt: Attempt, pid: int) -> Spawned:
    """Find out who the new process is. It is certainly the one: its number is ours until we reap it."""
    try:
        pidfd = lift(os.pidfd_open(pid))
    except OSError as error:
        _undo(pid)
        raise spawn_failure(attempt, error) from error
    stat = read_stat(pid)
    if stat is None:
        os.close(pidfd)
        _undo(pid)
        raise HoodyBug(f"the new process {pid} is not in /proc: another part of the daemon has reaped it")
    return Spawned(identity=identity_of(stat), pidfd=pidfd)


def _undo(pid: int) -> None:
    """Take back a start: the child is unreaped, so the number is certainly its own."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
