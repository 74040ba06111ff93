"""Start one program: the blocking part, carried out in a thread."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import signal
import stat
import subprocess
from collections.abc import Iterable, Mapping

from attrs import evolve, field, frozen

from supervisor.agents.cgroups import ControlGroup, ControlGroups
from supervisor.agents.credentials import Credentials, Refused, credentials, needs_look
from supervisor.agents.environment import build_environment, working_directory
from supervisor.agents.identity import identity_of, read_stat
from supervisor.agents.inputs import InputPipes
from supervisor.agents.limits import limit_process, make_group
from supervisor.agents.marks import Mark
from supervisor.agents.output import Output
from supervisor.agents.rights import present_rights
from supervisor.agents.window import LimitWindow
from supervisor.agents.words import Attempt, spawn_failure
from supervisor.descriptors import lift
from supervisor.errors import HoodyBug, HoodyError, SpawnFailed
from supervisor.units.driver import Identity
from supervisor.units.spec import AgentSpec, Stdin


@frozen(kw_only=True)
class Spawned:
    """A process that has just come to exist: a child of ours, not reaped by anybody yet."""

    identity: Identity
    pidfd: int
    group: ControlGroup | None = None


@frozen(kw_only=True)
class Spawner:
    """What all starts share."""

    output: Output
    window: LimitWindow
    inherited: Mapping[str, str]
    home: str
    inputs: InputPipes | None = None
    groups: ControlGroups = field(factory=functools.partial(ControlGroups, "alone"))

    def start(self, spec: AgentSpec, mark: Mark, output: Output | None = None) -> Spawned:
        """Start the program as the leader of a session of its own. Blocks. ``output`` stands in for the usual one.

        Raises ``SpawnFailed``; then nothing is left of the try.
        """
        given = self._credentials(spec, mark)
        directory = working_directory(spec, given.home(self.home))
        environment = build_environment(spec, mark, self.inherited, directory, given.environment())
        user = None if given.uid is None else given.environment()["USER"]
        attempt = Attempt(argv=spec.argv, directory=directory, environment=environment, user=user)
        group = self._group(spec, mark)
        try:
            # What runs beside a unit has an output of its own, and takes none of the unit's input.
            takes_input = spec.stdin is Stdin.PIPE and output is None
            pid = self._launch(attempt, mark, given, output or self.output, takes_input=takes_input)
            self.window.settle(pid)
            if given.nice is not None:
                _queue(pid, given.nice)
            _limit(pid, mark, spec, group)
            spawned = evolve(_hold(attempt, pid), group=group)
        except HoodyError:
            if group is not None:
                group.remove()
            raise
        (output or self.output).begun(mark.unit)
        return spawned

    def _launch(self, attempt: Attempt, mark: Mark, given: Credentials, output: Output, *, takes_input: bool) -> int:
        opened: list[int] = []
        try:
            self._open(mark, output, opened)
            if takes_input:
                opened.append(self._open_input(mark))
            hand_over(opened, given)
            return self._fork(attempt, mark, given, *opened)
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _group(self, spec: AgentSpec, mark: Mark) -> ControlGroup | None:
        if not spec.limits.bounds_a_group:
            return None
        try:
            return make_group(self.groups, mark, spec.limits)
        except OSError as error:
            what = f"{mark.unit} could not be started: its control group cannot be made: {error}"
            raise SpawnFailed(what) from error

    def _fork(
        self,
        attempt: Attempt,
        mark: Mark,
        given: Credentials,
        stdout: int,
        stderr: int,
        stdin: int = subprocess.DEVNULL,
    ) -> int:
        try:
            executable = _find(attempt)
            with self.window.open(mark.seal):
                process = subprocess.Popen(
                    attempt.argv,
                    executable=executable,
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stderr,
                    cwd=attempt.directory,
                    env=attempt.environment,
                    start_new_session=True,
                    user=given.uid,
                    group=given.gid,
                    extra_groups=_at_least_one(given),
                    umask=-1 if given.umask is None else given.umask,
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

    def _open_input(self, mark: Mark) -> int:
        if self.inputs is None:
            raise HoodyBug("this driver was made without a place for the input of its programs")
        try:
            return self.inputs.open(mark.unit, mark.incarnation)
        except OSError as error:
            raise SpawnFailed(f"{mark.unit} could not be started: its input cannot be made: {error}") from error

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

    def _credentials(self, spec: AgentSpec, mark: Mark) -> Credentials:
        if not needs_look(spec):
            return Credentials()
        try:
            return credentials(spec, present_rights())
        except Refused as error:
            raise SpawnFailed(f"{mark.unit} could not be started: {error}") from None


def hand_over(descriptors: Iterable[int], given: Credentials) -> None:
    """Make FIFOs of ours belong to the child's user, so that a program that opens ``/dev/stdout`` anew may do so."""
    wanted = os.geteuid() if given.uid is None else given.uid
    for descriptor in descriptors:
        found = os.fstat(descriptor)
        if stat.S_ISFIFO(found.st_mode) and found.st_uid != wanted:
            os.fchown(descriptor, wanted, -1)


def _at_least_one(given: Credentials) -> list[int] | None:
    """Return the groups to set. An empty list would leave those of this process (before Python 3.12)."""
    if given.groups is None:
        return None
    return list(given.groups) or [os.getegid() if given.gid is None else given.gid]


def _limit(pid: int, mark: Mark, spec: AgentSpec, group: ControlGroup | None) -> None:
    """Hold a new process to its limits, or take the start back: one without them is not what was asked for."""
    if not spec.limits.bounds_anything:
        return
    try:
        limit_process(pid, spec.limits)
        if group is not None:
            group.join(pid)
    except (OSError, ValueError) as error:
        _undo(pid)
        raise SpawnFailed(f"{mark.unit} could not be started: its limits cannot be set: {error}") from error


def _queue(pid: int, nice: int) -> None:
    """Set the niceness of the new group: of a process alone, Linux would change its first thread only."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        # One that has ended needs none; a setuid program is not ours to queue.
        os.setpriority(os.PRIO_PGRP, pid, nice)


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
    found = read_stat(pid)
    if found is None:
        os.close(pidfd)
        _undo(pid)
        raise HoodyBug(f"the new process {pid} is not in /proc: another part of the daemon has reaped it")
    return Spawned(identity=identity_of(found), pidfd=pidfd)


def _undo(pid: int) -> None:
    """Take back a start: the child is unreaped, so the number is certainly its own."""
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
