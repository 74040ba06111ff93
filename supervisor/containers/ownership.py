"""Whose a container is: ours, another daemon's, or somebody else's, and how one becomes ours by an explicit act."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from functools import partial
from typing import Any, Final

from attrs import frozen

from supervisor.containers import labels
from supervisor.containers.client import Client
from supervisor.containers.engine import Engine
from supervisor.containers.errors import ForeignContainer
from supervisor.containers.facts import ContainerFacts, ContainerSummary, table
from supervisor.containers.spec import ContainerDefinition, ContainerLimits, ContainerSpec
from supervisor.units.names import check_name
from supervisor.units.quantities import Size
from supervisor.units.spec import RESERVED_ENVIRONMENT

_NANO: Final = 1_000_000_000


class Owner(StrEnum):
    """Whose a container is."""

    OURS = "ours"
    OTHER_DAEMON = "other_daemon"
    NOBODY = "nobody"
    """no Hoody Daemon's: it is shown and never touched"""


@frozen
class OwnedContainer:
    """A container of the engine, with whose it is; ``unit`` where it is a daemon's."""

    summary: ContainerSummary
    owner: Owner
    unit: str | None


async def all_containers(engine: Engine, instance: str) -> tuple[OwnedContainer, ...]:
    """List every container of the engine, foreign ones too."""
    found = await engine.call(lambda client: client.list())
    return tuple(OwnedContainer(each, _owner(each.labels, instance), each.labels.get(labels.UNIT)) for each in found)


def _owner(found: Mapping[str, str], instance: str) -> Owner:
    owner = labels.owner_of(found)
    return Owner.NOBODY if owner is None else Owner.OURS if owner == instance else Owner.OTHER_DAEMON


async def prune(engine: Engine, instance: str, units: Collection[str]) -> tuple[str, ...]:
    """Remove our containers of units that are not defined any more; return their names. Running ones are spared."""
    return await engine.call(partial(_prune, instance, frozenset(units)))


def _prune(instance: str, units: Collection[str], client: Client) -> tuple[str, ...]:
    removed = []
    for each in client.list(labels=(f"{labels.INSTANCE}={instance}",)):
        if each.labels.get(labels.UNIT) not in units and each.status not in {"running", "paused", "restarting"}:
            client.remove(each.id, volumes=False)
            removed.append(each.name)
    return tuple(removed)


async def take_over(engine: Engine, name: str, instance: str, unit: str | None = None) -> ContainerDefinition:
    """Make a foreign container ours to supervise: return the definition that describes it.

    The container goes on running as it is; only the engine's own restart policy is switched off, since two who restart
    are one too many. Starting the unit takes it up. Raises ``ContainerNotFound``, and ``ForeignContainer`` where it is
    another daemon's.
    """
    found = await engine.call(partial(_let_go, name, instance))
    return ContainerDefinition(name=check_name(unit or found.name), spec=describe(found))


def _let_go(name: str, instance: str, client: Client) -> ContainerFacts:
    found = client.inspect(name)
    owner = _owner(found.labels, instance)
    if owner is Owner.OURS:
        raise ForeignContainer(f"container {found.name!r} is supervised here already, as {found.labels[labels.UNIT]!r}")
    if owner is Owner.OTHER_DAEMON:
        raise ForeignContainer(
            f"container {found.name!r} belongs to another Hoody Daemon",
            hint="take it out of the other one first",
        )
    if found.restart_policy != "no":
        client.forget_restart_policy(found.id)
    return found


def describe(found: ContainerFacts) -> ContainerSpec:
    """Write down a container that somebody else made, as far as a definition can say it. Pure."""
    config, host = table(found.document.get("Config")), table(found.document.get("HostConfig"))
    network = str(host.get("NetworkMode") or "")
    return ContainerSpec(
        image=found.image,
        adopted=found.id,
        container_name=found.name,
        command=_words(config.get("Cmd")),
        entrypoint=_words(config.get("Entrypoint")),
        environment=_environment(config.get("Env")),
        directory=config.get("WorkingDir") or None,
        user=config.get("User") or None,
        network=None if network in {"", "default"} else network,
        ports=_ports(host.get("PortBindings")),
        volumes=_volumes(found.document.get("Mounts")),
        allow_docker_socket=True,
        limits=_limits(host),
        container_labels={name: text for name, text in found.labels.items() if not name.startswith(labels.PREFIX)},
        init=bool(host.get("Init")),
        read_only=bool(host.get("ReadonlyRootfs")),
        cap_add=tuple(host.get("CapAdd") or ()),
        cap_drop=tuple(host.get("CapDrop") or ()),
        security_opt=tuple(host.get("SecurityOpt") or ()),
        privileged=bool(host.get("Privileged")),
        stdin=bool(config.get("OpenStdin")),
    )


def _words(value: object) -> tuple[str, ...] | None:
    return tuple(map(str, value)) if isinstance(value, list) and value else None


def _environment(lines: object) -> dict[str, str]:
    pairs = (str(line).partition("=") for line in lines if "=" in str(line)) if isinstance(lines, list) else ()
    return {name: text for name, _, text in pairs if name and name not in RESERVED_ENVIRONMENT}


def _ports(bindings: object) -> tuple[str, ...]:
    found = []
    for inside, places in table(bindings).items():
        port, _, protocol = str(inside).partition("/")
        for place in map(table, places or ()):
            address = str(place.get("HostIp") or "0.0.0.0")  # noqa: S104 - what the engine means by nothing
            shown = f"[{address}]" if ":" in address else address
            suffix = f"/{protocol}" if protocol not in {"", "tcp"} else ""
            found.append(f"{shown}:{place.get('HostPort') or ''}:{port}{suffix}")
    return tuple(found)


def _volumes(mounts: object) -> tuple[str, ...]:
    found = []
    for mount in map(table, mounts if isinstance(mounts, list) else ()):
        source = mount.get("Name") if mount.get("Type") == "volume" else mount.get("Source")
        if mount.get("Type") in {"volume", "bind"} and source:
            found.append(f"{source}:{mount.get('Destination')}{'' if mount.get('RW', True) else ':ro'}")
    return tuple(found)


def _limits(host: Mapping[str, Any]) -> ContainerLimits:
    processes = host.get("PidsLimit")
    return ContainerLimits(
        memory=Size(host["Memory"]) if host.get("Memory") else None,
        cpu=host["NanoCpus"] / _NANO if host.get("NanoCpus") else None,
        processes=processes if isinstance(processes, int) and processes > 0 else None,
    )
