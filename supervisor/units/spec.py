"""The definition of an agent: what was asked for. Frozen data, keyword-only, checked when it is made.

The attribute names are the keys of ``hoody.toml`` and of the HTTP API and the flags of ``hoody run``; this module is
where they are defined. ``supervisor.convert`` turns documents into these classes and tells every fault with its path.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from attrs import evolve, field, frozen
from attrs.validators import ge, le

from supervisor.runtime.policy import Backoff, OnGiveUp, RestartPolicy, RestartType
from supervisor.units.account import check_account, check_accounts, check_nice, check_umask
from supervisor.units.dependency import NO_DEPENDENCIES, DependsOn, OnDependencyRestart, check_dependencies
from supervisor.units.log_settings import LogSettings
from supervisor.units.probes.spec import Limits, Liveness, OnUnhealthy, Readiness
from supervisor.units.quantities import Duration, SignalName
from supervisor.units.schedule import Schedule
from supervisor.units.templates import check_templates

REDACTED: Final = "***"
"""Stands for a value that is not shown; in a write it means "keep the value that you have"."""


@frozen(kw_only=True)
class BackoffSpec:
    """How long to wait between starts; see :class:`supervisor.runtime.policy.Backoff`."""

    initial: Duration = Duration(0.5)
    factor: float = field(default=2.0, validator=ge(1))
    max: Duration = Duration(60.0)
    jitter: float = field(default=0.2, validator=ge(0))
    reset_after: Duration = Duration(60.0)


def _some_command(_instance: object, _attribute: object, value: str | tuple[str, ...]) -> None:
    words = value if isinstance(value, tuple) else (value,)
    if not words or not words[0].strip():
        raise ValueError("must name a program to run, got nothing")
    if any("\0" in word for word in words):
        raise ValueError("must not contain a NUL character")


def _shell_takes_text(instance: AgentSpec, _attribute: object, value: bool) -> None:  # noqa: FBT001 - attrs calls it
    if value and not isinstance(instance.command, str):
        raise ValueError("shell = true needs the command as one string, got a list")
    if not value and isinstance(instance.command, str):
        try:
            words = shlex.split(instance.command)
        except ValueError as error:
            raise ValueError(f"the command cannot be split into words ({error}); use a list, or shell = true") from None
        if not words:
            raise ValueError("the command has no words")


def check_environment(_instance: object, _attribute: object, value: Mapping[str, str]) -> None:
    """Check, as a validator of attrs, that ``value`` can be the environment of a program."""
    for name, text in value.items():
        if not name or "=" in name or "\0" in name:
            raise ValueError(f"{name!r} cannot be the name of an environment variable")
        if "\0" in text:
            raise ValueError(f"the value of {name} must not contain a NUL character")
        if name.startswith("HOODY_") and name in RESERVED_ENVIRONMENT:
            raise ValueError(f"{name} is set by the daemon itself and cannot be defined")


RESERVED_ENVIRONMENT: Final = frozenset({"HOODY_UNIT", "HOODY_INCARNATION", "HOODY_INSTANCE"})


class Stdin(StrEnum):
    """What a program reads from."""

    NULL = "null"
    """nothing"""
    PIPE = "pipe"
    """what it is given by ``POST {name}/input``"""


def _schedule_alone(instance: UnitSpec, _attribute: object, value: Schedule | None) -> None:
    if value is not None and instance.restart is not RestartType.TEMPORARY:
        raise ValueError(
            f"restart = {instance.restart.value!r} cannot be given together with schedule, which says when it runs"
            ' next; leave restart out, or make it "never"'
        )


@frozen(kw_only=True)
class UnitSpec:
    """What is said alike of everything that is kept alive: when it is started again, and how it is asked to end."""

    restart: RestartType = RestartType.PERMANENT
    """``permanent`` (always), ``transient`` (on failure) or ``temporary`` (never)."""
    success_exit_codes: tuple[int, ...] = (0,)
    """Exit codes that are a wanted end."""
    success_signals: tuple[SignalName, ...] = ()
    """Signals that are a wanted end, when they came from elsewhere."""
    backoff: BackoffSpec = field(factory=BackoffSpec)
    """How long to wait between starts."""
    max_restarts: int = field(default=10, validator=ge(0))
    """More restarts than this within ``period`` are a crash loop."""
    period: Duration = Duration(60.0)
    """The window of ``max_restarts``."""
    on_give_up: OnGiveUp = OnGiveUp.RETRY
    """What follows a crash loop: ``retry`` slowly, ``fail``, or ``escalate`` to the group."""
    start_seconds: Duration = Duration(1.0)
    """How long it must stay up to count as RUNNING."""
    stop_signal: SignalName = SignalName("TERM")
    """The signal that asks it to end."""
    stop_timeout: Duration = Duration(10.0)
    """How long it may take to end before it is killed."""
    logs: LogSettings = field(factory=LogSettings)
    """How its output is kept; a change takes effect with the next byte, and restarts nothing."""
    depends_on: DependsOn = field(default=NO_DEPENDENCIES, validator=check_dependencies)
    """Units that have to be ``started``, ``ready``, ``healthy`` or ``completed`` before its next start."""
    on_dependency_restart: OnDependencyRestart = OnDependencyRestart.IGNORE
    """What becomes of it when one of these ends or is restarted: ``ignore`` or ``restart``."""
    schedule: Schedule | None = field(default=None, validator=_schedule_alone)
    """Run it by the clock instead of keeping it up: a line of cron, or a table with ``cron``, ``timezone``, ``overlap``
    and ``missed``. ``restart`` is then ``temporary``, and need not be given.
    """

    priority: int = field(default=100, validator=[ge(0), le(1000)])
    """Where many are started at once, by the daemon's start or one document: lower ones first."""

    def is_replaced_by(self, new: UnitSpec) -> bool:
        """Tell whether what runs by this definition has to be started anew for ``new``."""
        alike = evolve(
            self,
            logs=new.logs,
            depends_on=new.depends_on,
            on_dependency_restart=new.on_dependency_restart,
            priority=new.priority,
            schedule=new.schedule,
            # What runs by the clock need not say whether it is kept up: that differs, and nothing else does.
            restart=self.restart if self.schedule is None and new.schedule is None else new.restart,
        )
        return alike != new

    @property
    def start_deadline(self) -> float | None:
        """Seconds within which it must become ready; None where staying up for ``start_seconds`` is all that counts."""
        return None

    @property
    def has_liveness(self) -> bool:
        """Whether its health is probed."""
        return False

    @property
    def is_judged(self) -> bool:
        """Whether anything is to be looked at while it runs."""
        return False

    @property
    def restart_policy(self) -> RestartPolicy:
        """The same in the words of the runtime."""
        return RestartPolicy(
            restart=self.restart,
            backoff=Backoff(
                initial=self.backoff.initial,
                factor=self.backoff.factor,
                max=self.backoff.max,
                jitter=self.backoff.jitter,
                reset_after=self.backoff.reset_after,
            ),
            max_restarts=self.max_restarts,
            period=self.period,
            on_give_up=self.on_give_up,
        )


_PORT_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,31}")


def check_ports(_instance: object, _attribute: object, value: tuple[str, ...]) -> None:
    """Check, as a validator of attrs, that each name can be the name of a port."""
    for name in value:
        if not _PORT_NAME.fullmatch(name):
            raise ValueError(f"{name[:40]!r} cannot be the name of a port: 1 to 32 of a-z, 0-9 and '_', a letter first")
        if value.count(name) > 1:
            raise ValueError(f"names {name!r} twice")


def _known_templates(instance: AgentSpec, _attribute: object, value: Mapping[str, str]) -> None:
    known = ["name", "workspace", *(["port"] if instance.ports else []), *(f"ports.{name}" for name in instance.ports)]
    for variable, text in value.items():
        try:
            check_templates(text, known)
        except ValueError as error:
            raise ValueError(f"in the value of {variable}, {error}") from None


@frozen(kw_only=True)
class AgentSpec(UnitSpec):
    """An operating-system process to keep alive."""

    command: str | tuple[str, ...] = field(validator=_some_command)
    """What to run: a list runs as it is, a string is split into words as a shell would (but see ``shell``)."""
    shell: bool = field(default=False, validator=_shell_takes_text)
    """Run the command string with ``sh -c``."""
    directory: str | None = None
    """The working directory; default: the home of the user that runs the daemon."""
    environment: Mapping[str, str] = field(factory=dict, validator=[check_environment, _known_templates])
    """Variables on top of the daemon's own environment and of ``environment_files``; ``{port}`` and the like in their
    values are replaced at each start.
    """
    ports: tuple[str, ...] = field(default=(), validator=check_ports)
    """Names of ports: each gets a free one of its own for good, told as ``NAME_PORT``, and the first as ``PORT``."""
    environment_files: tuple[str, ...] = ()
    """Files of ``KEY=value`` lines, read at each start, later ones win; relative to ``directory``."""
    user: str | int | None = field(default=None, validator=check_account)
    """The user that it runs as, by name or number; default: the daemon's own. Only root may run it as another."""
    group: str | int | None = field(default=None, validator=check_account)
    """Its group; default: that of ``user``."""
    groups: tuple[str | int, ...] | None = field(default=None, validator=check_accounts)
    """Its supplementary groups; default: those of ``user``."""
    umask: str | None = field(default=None, validator=check_umask)
    """Three octal digits: the permissions that files it makes do not get; default: the daemon's own."""
    nice: int | None = field(default=None, validator=check_nice)
    """Its niceness, from -20 (first) to 19 (last); default: the daemon's own."""
    stdin: Stdin = Stdin.NULL
    """What it reads from: ``null`` (nothing), or ``pipe`` (what it is given while it runs)."""
    readiness: Readiness | None = None
    """Whether it can be used: with it, RUNNING waits until it passes, and ``ready`` says whether it passes now."""
    liveness: Liveness | None = None
    """Whether it still works: what follows where it does not is said by ``on_unhealthy``."""
    on_unhealthy: OnUnhealthy = OnUnhealthy.RESTART
    """Where liveness fails: ``restart`` it, or ``ignore`` it and only show it."""
    start_timeout: Duration = Duration(60.0)
    """How long it may take to become ready before the start counts as failed; only with ``readiness``."""
    limits: Limits = Limits()
    """What an incarnation may take at most."""

    @property
    def start_deadline(self) -> float | None:
        """Seconds within which it must become ready."""
        return None if self.readiness is None else self.start_timeout

    @property
    def has_liveness(self) -> bool:
        """Whether its health is probed."""
        return self.liveness is not None

    @property
    def is_judged(self) -> bool:
        """Whether anything is to be looked at while it runs."""
        limits = self.limits
        found = (self.readiness, self.liveness, limits.runtime, limits.silence, limits.memory, limits.processes)
        return any(each is not None for each in found)

    @property
    def is_told_to_notify(self) -> bool:
        """Whether the program is given a socket to tell by how it is (sd_notify)."""
        return any(probe is not None and probe.notify for probe in (self.readiness, self.liveness))

    @property
    def argv(self) -> tuple[str, ...]:
        """The words to execute."""
        if self.shell:
            return ("/bin/sh", "-c", str(self.command))
        return tuple(shlex.split(self.command)) if isinstance(self.command, str) else self.command


@frozen(kw_only=True)
class AgentDefinition:
    """A named agent, as somebody writes it down."""

    name: str
    spec: AgentSpec
    workspace: str | None = None
    labels: Mapping[str, str] = field(factory=dict)
