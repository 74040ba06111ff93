"""The definition of a container: what was asked for. Frozen data, keyword-only, checked when it is made. Pure.

What containers share with agents (restarts, backoff, stop) is inherited; the rest are Docker's own words.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, TypeAlias

from attrs import field, frozen
from attrs.validators import gt

from supervisor.containers.ports import PortMapping, parse_ports
from supervisor.containers.volumes import Mount, check_target, parse_mount
from supervisor.units.quantities import Duration, Size
from supervisor.units.spec import UnitSpec, check_environment

Validator: TypeAlias = Callable[[object, object, Any], None]
"""As attrs calls it: with the instance, the field, and the value."""

_CONTAINER_NAME: Final = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{1,127}")
_IMAGE: Final = re.compile(r"[\w][\w./:@-]{0,511}", re.ASCII)
_GPUS: Final = re.compile(r"all|[1-9]\d{0,2}|device=[\w:.-]+(?:,[\w:.-]+)*", re.ASCII)


class PullPolicy(StrEnum):
    """When an image is fetched from its registry before a start."""

    NEVER = "never"
    MISSING = "missing"
    """when it is not here"""
    ALWAYS = "always"
    """at every start; where the registry cannot be reached, what is here is used"""


@frozen(kw_only=True)
class ContainerLimits:
    """What the container may use at most; the engine enforces it."""

    memory: Size | None = field(default=None)
    """Memory, swap included; beyond it the kernel kills."""
    cpu: float | None = field(default=None)
    """Processors, in fractions: 1.5 is one and a half."""
    processes: int | None = field(default=None)
    """Processes and threads together."""
    open_files: int | None = field(default=None)
    """Open files of each process."""

    @memory.validator
    def _enough_memory(self, _attribute: object, value: Size | None) -> None:
        if value is not None and value < 6 * 1024 * 1024:
            raise ValueError(f"no container runs in less than 6MiB, got {value} bytes")

    @cpu.validator
    @processes.validator
    @open_files.validator
    def _positive(self, _attribute: object, value: float | None) -> None:
        if value is not None and value <= 0:
            raise ValueError(f"must be more than 0, got {value}")


def words(value: str | tuple[str, ...] | None) -> list[str] | None:
    """Split a command as a shell would; None stays None. Raises ``ValueError``."""
    if isinstance(value, str):
        return shlex.split(value)
    return None if value is None else list(value)


def _check_words(_instance: object, _attribute: object, value: str | tuple[str, ...] | None) -> None:
    try:
        split = words(value)
    except ValueError as error:
        raise ValueError(f"cannot be split into words ({error}); use a list") from None
    if split is not None and any("\0" in word for word in split):
        raise ValueError("must not contain a NUL character")


_some_words: Validator = _check_words


@frozen(kw_only=True)
class Healthcheck:
    """A command in the container that tells the engine whether it is well; instead of the image's own."""

    test: str | tuple[str, ...] = field(validator=_some_words)
    """A list runs as it is, a string with the container's ``sh -c``; ``"none"`` switches the image's own off."""
    interval: Duration = field(default=Duration(30.0), validator=gt(Duration(0.0)))
    timeout: Duration = field(default=Duration(30.0), validator=gt(Duration(0.0)))
    start_period: Duration = Duration(0.0)
    """For how long after the start a failure does not count."""
    retries: int = field(default=3, validator=gt(0))


def _each(parse: Callable[[str], object]) -> Validator:
    def check(_instance: object, _attribute: object, value: tuple[str, ...]) -> None:
        for text in value:
            parse(text)

    return check


def _matches(pattern: re.Pattern[str], what: str) -> Validator:
    def check(_instance: object, _attribute: object, value: str | None) -> None:
        if value is not None and not pattern.fullmatch(value):
            raise ValueError(f"{value[:80]!r} is not {what}")

    return check


def _safe_volumes(instance: ContainerSpec, _attribute: object, value: tuple[str, ...]) -> None:
    for text in value:
        if parse_mount(text).reaches_the_engine and not instance.allow_docker_socket:
            raise ValueError(
                f"{text!r} gives the container the engine's socket, which is root on this machine; "
                "say allow_docker_socket = true if that is meant"
            )


def _tmpfs(text: str) -> None:
    check_target(text.partition(":")[0], text)


@frozen(kw_only=True)
class ContainerSpec(UnitSpec):
    """A container to keep alive. What is left out is as the image says, or as the engine does it by default."""

    image: str = field(validator=_matches(_IMAGE, "the name of an image"))
    """``redis``, ``redis:7``, ``ghcr.io/owner/name@sha256:...``."""
    command: str | tuple[str, ...] | None = field(default=None, validator=_some_words)
    """Instead of the image's own; a string is split into words as a shell would."""
    entrypoint: str | tuple[str, ...] | None = field(default=None, validator=_some_words)
    """Instead of the image's own; an empty list clears it."""
    environment: Mapping[str, str] = field(factory=dict, validator=check_environment)
    """Variables on top of the image's and of ``environment_files``."""
    environment_files: tuple[str, ...] = ()
    """Files on this machine of ``KEY=value`` lines, read at each start, later ones win."""
    directory: str | None = field(default=None)
    """The working directory in the container."""
    user: str | None = field(default=None)
    """``NAME``, ``UID`` or ``UID:GID`` in the container."""
    hostname: str | None = field(default=None)
    ports: tuple[str, ...] = field(default=(), validator=_each(parse_ports))
    """``[ADDRESS:][PORT:]PORT[/PROTOCOL]``; on the loopback interface unless an address is given."""
    network: str | None = field(default=None)
    """The name of a network, ``none``, ``host``, ``bridge`` or ``container:NAME``."""
    network_aliases: tuple[str, ...] = ()
    """Further names on that network."""
    extra_hosts: tuple[str, ...] = ()
    """``NAME:ADDRESS`` lines for its ``/etc/hosts``."""
    volumes: tuple[str, ...] = field(default=(), validator=_safe_volumes)
    """``SOURCE:TARGET[:OPTIONS]``: an absolute path of this machine, or the name of a volume; or ``TARGET`` alone."""
    tmpfs: tuple[str, ...] = field(default=(), validator=_each(_tmpfs))
    """``TARGET[:OPTIONS]``: folders in memory."""
    allow_docker_socket: bool = False
    """Permit a volume that reaches the engine's socket: root on this machine."""
    limits: ContainerLimits = field(factory=ContainerLimits)
    shm_size: Size | None = None
    """The size of ``/dev/shm``."""
    gpus: str | None = field(default=None, validator=_matches(_GPUS, '"all", a number, or "device=ID,ID"'))
    """``all``, how many, or ``device=ID,ID``."""
    devices: tuple[str, ...] = ()
    """Devices of this machine, ``/dev/x`` or ``/dev/x:/dev/y[:rwm]``."""
    container_labels: Mapping[str, str] = field(factory=dict)
    """Labels on the container itself, for programs that read them there."""
    healthcheck: Healthcheck | None = None
    """Instead of the image's own."""
    pull_policy: PullPolicy = PullPolicy.MISSING
    """``never``, ``missing`` or ``always``."""
    platform: str | None = field(default=None)
    """``linux/arm64`` and the like, for images of several platforms."""
    init: bool = True
    """A small first process that passes signals on and reaps: without one, many programs ignore TERM."""
    read_only: bool = False
    """Mount the container's own file system read-only."""
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    privileged: bool = False
    """All rights of root on this machine."""
    stdin: bool = False
    """Keep its standard input open for ``input``."""
    fresh: bool = False
    """Make a new container at each start; otherwise a restart keeps what the last run wrote, as the engine's does."""
    container_name: str | None = field(default=None, validator=_matches(_CONTAINER_NAME, "a container's name"))
    """What the engine calls it; default: the unit's name."""
    adopted: str | None = None
    """The id of a container that somebody else made and that was taken over; used until the definition changes."""

    @container_labels.validator
    def _others_labels(self, _attribute: object, value: Mapping[str, str]) -> None:
        for name in value:
            if not name or name.startswith("dev.hoody."):
                raise ValueError(f"{name!r} cannot be a label here: dev.hoody.* are the daemon's own")

    @network.validator
    @user.validator
    @hostname.validator
    @directory.validator
    @platform.validator
    def _some_text(self, _attribute: object, value: str | None) -> None:
        if value is not None and (not value.strip() or "\0" in value):
            raise ValueError("must not be empty")

    @property
    def port_mappings(self) -> tuple[PortMapping, ...]:
        """The ports, read."""
        return tuple(mapping for text in self.ports for mapping in parse_ports(text))

    @property
    def mounts(self) -> tuple[Mount, ...]:
        """The volumes, read."""
        return tuple(map(parse_mount, self.volumes))


@frozen(kw_only=True)
class ContainerDefinition:
    """A named container, as somebody writes it down."""

    name: str
    spec: ContainerSpec
    workspace: str | None = None
    labels: Mapping[str, str] = field(factory=dict)
