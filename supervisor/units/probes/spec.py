"""How a unit is probed, and how long it may run and be silent: what was asked for. Frozen data, checked when made."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, TypeAlias

from attrs import field, frozen
from attrs.validators import ge

from supervisor.units.probes.pattern import check_pattern
from supervisor.units.probes.target import parse_tcp, parse_url
from supervisor.units.quantities import Duration, Size

WAYS: Final = ("http", "tcp", "exec", "log", "heartbeat", "notify")
"""The keys of which a probe has exactly one: the way in which it looks."""
SHORTEST: Final = Duration(0.01)
"""Probes that follow one another faster than this would be a load and no check."""

Validator: TypeAlias = Callable[[Any, Any, Any], None]


class OnUnhealthy(StrEnum):
    """What follows when the liveness probe has failed often enough."""

    RESTART = "restart"
    IGNORE = "ignore"
    """it is shown, and that is all"""


def _way(probe: Probe) -> tuple[str, ...]:
    return tuple(name for name in WAYS if getattr(probe, name) not in (None, False))


def _exactly_one(instance: Probe, _attribute: object, _value: object) -> None:
    found = _way(instance)
    if len(found) != 1:
        rule = f"needs exactly one of {', '.join(WAYS)}"
        raise ValueError(f"{rule}; got {' and '.join(found) if found else 'none of them'}")


def _url(instance: Probe, _attribute: object, value: str | None) -> None:
    if value is not None:
        parse_url(value, allow_remote=instance.allow_remote)


def _address(instance: Probe, _attribute: object, value: str | int | None) -> None:
    if value is not None:
        parse_tcp(str(value), allow_remote=instance.allow_remote)


def _some_command(_instance: object, _attribute: object, value: str | tuple[str, ...] | None) -> None:
    if value is None:
        return
    try:
        words = tuple(shlex.split(value)) if isinstance(value, str) else value
    except ValueError as error:
        raise ValueError(f"the command cannot be split into words ({error}); use a list") from None
    if not words or not words[0].strip():
        raise ValueError("must name a program to run, got nothing")
    if any("\0" in word for word in words):
        raise ValueError("must not contain a NUL character")


def _pattern(_instance: object, _attribute: object, value: str | None) -> None:
    if value is not None:
        check_pattern(value)


def _some_file(_instance: object, _attribute: object, value: str | None) -> None:
    if value is not None and (not value.strip() or "\0" in value):
        raise ValueError("must be the path of a file")


def _long_enough(_instance: object, _attribute: object, value: float) -> None:
    if value < SHORTEST:
        raise ValueError(f"must be 10ms or longer, got {value:g} s")


def _only_over_the_network(instance: Probe, _attribute: object, value: bool) -> None:  # noqa: FBT001 - attrs calls it
    if value and instance.http is None and instance.tcp is None:
        raise ValueError("allow_remote is for http and tcp only")


def _only_with_a_heartbeat(instance: Probe, _attribute: object, value: Duration | None) -> None:
    if value is None:
        return
    if instance.heartbeat is None:
        raise ValueError("max_age is for heartbeat only")
    _long_enough(instance, _attribute, value)


@frozen(kw_only=True)
class Probe:
    """One way of looking, how often, and how many answers make a verdict."""

    http: str | None = field(default=None, validator=[_exactly_one, _url])
    """An ``http://`` address that must answer with a status from 200 to 399. Redirects are not followed."""
    tcp: str | int | None = field(default=None, validator=_address)
    """``HOST:PORT``, or a port of this machine, that must take a connection."""
    exec: str | tuple[str, ...] | None = field(default=None, validator=_some_command)
    """A command that must end with code 0, run where and as the unit runs, and ended with all it started."""
    log: str | None = field(default=None, validator=_pattern)
    """A pattern (RE2) that a line of the output must match."""
    heartbeat: str | None = field(default=None, validator=_some_file)
    """A file that the program must touch; relative to ``directory``."""
    notify: bool = False
    """The program tells by itself, through the socket in ``NOTIFY_SOCKET`` (sd_notify)."""
    interval: Duration = field(default=Duration(10.0), validator=_long_enough)
    """How long after one look the next one is due; for log and notify, how long to wait for a sign."""
    timeout: Duration = field(default=Duration(2.0), validator=_long_enough)
    """How long one look may take; then it has failed."""
    start_period: Duration = Duration(0.0)
    """For how long after the start failures do not count, until it has passed once."""
    successes: int = field(default=1, validator=ge(1))
    """So many passes in a row are needed to count as passing."""
    failures: int = field(default=3, validator=ge(1))
    """So many failures in a row are needed to count as failing."""
    max_age: Duration | None = field(default=None, validator=_only_with_a_heartbeat)
    """How old the last touch of the heartbeat file may be. Default: for liveness the interval, for readiness any age
    within this incarnation."""
    allow_remote: bool = field(default=False, validator=_only_over_the_network)
    """Permit a host other than this machine."""

    @property
    def argv(self) -> tuple[str, ...]:
        """The words of ``exec``."""
        return tuple(shlex.split(self.exec)) if isinstance(self.exec, str) else self.exec or ()

    @property
    def oldest(self) -> float | None:
        """How old the last touch of the heartbeat file may be; None for any age within this incarnation."""
        return self.max_age

    @property
    def awaits_signs(self) -> bool:
        """Whether it waits for signs from the program, rather than looking for itself."""
        return self.notify or self.log is not None


@frozen(kw_only=True)
class Readiness(Probe):
    """Whether the unit can be used: it is RUNNING once this passes, and ``ready`` as long as it does."""

    interval: Duration = field(default=Duration(0.5), validator=_long_enough)
    timeout: Duration = field(default=Duration(1.0), validator=_long_enough)


@frozen(kw_only=True)
class Liveness(Probe):
    """Whether the unit still works: where it does not, it is replaced, or said to be unhealthy."""

    start_period: Duration = Duration(10.0)

    @property
    def oldest(self) -> float:
        """How old the last touch of the heartbeat file may be."""
        return self.interval if self.max_age is None else self.max_age


def _positive(_instance: object, _attribute: object, value: Duration | None) -> None:
    if value is not None and value < SHORTEST:
        raise ValueError(f"must be 10ms or longer, got {value:g} s; leave it out for no limit")


def _some_processors(_instance: object, _attribute: object, value: float | None) -> None:
    if value is not None and not 0.01 <= value <= 4096:
        raise ValueError(f"must be between 0.01 and 4096 processors, got {value:g}")


def _between(least: int, most: int) -> Validator:
    def check(_instance: object, _attribute: object, value: int | None) -> None:
        if value is not None and not least <= value <= most:
            raise ValueError(f"must be between {least} and {most}, got {value}")

    return check


@frozen(kw_only=True)
class Limits:
    """What an incarnation may take at most. What is left out is not limited."""

    runtime: Duration | None = field(default=None, validator=_positive)
    """How long it may run."""
    silence: Duration | None = field(default=None, validator=_positive)
    """How long it may write nothing, to neither of its outputs."""
    memory: Size | None = field(default=None, validator=_between(1 << 20, 1 << 60))
    """How much memory it may use, with everything that it has started."""
    cpu: float | None = field(default=None, validator=_some_processors)
    """How many processors it may use, with everything that it has started: 1.5 is one and a half."""
    processes: int | None = field(default=None, validator=_between(1, 4_000_000))
    """How many processes and threads it may have."""
    open_files: int | None = field(default=None, validator=_between(3, 1 << 30))
    """How many files each of its processes may have open."""
    core: Size | None = None
    """How large a core dump may be; 0 for none."""
    file_size: Size | None = None
    """How large a file may be that it writes."""

    @property
    def bounds_a_group(self) -> bool:
        """Whether anything is limited that all of its processes share."""
        return any(each is not None for each in (self.memory, self.cpu, self.processes))

    @property
    def bounds_anything(self) -> bool:
        """Whether anything beside its time is limited."""
        return self.bounds_a_group or any(each is not None for each in (self.open_files, self.core, self.file_size))
