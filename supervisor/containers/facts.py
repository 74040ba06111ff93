"""What an engine tells about its containers and images, as frozen data. Pure: JSON values in, facts out.

Engines differ in what they leave out; whatever is missing reads as its zero value and never as an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from attrs import field, frozen

_STAMP: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
_NANO: Final = 1_000_000_000


def nanoseconds(stamp: object) -> int:
    """Read an RFC 3339 time of the engine exactly, in ns since 1970; 0 for Go's zero time and for what is no time."""
    match = _STAMP.fullmatch(stamp) if isinstance(stamp, str) else None
    if match is None:
        return 0
    zone = "+00:00" if match[3] == "Z" else match[3]
    seconds = (datetime.fromisoformat(match[1] + zone) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    return max(0, int(seconds) * _NANO + int((match[2] or "").ljust(9, "0")))


@frozen(kw_only=True)
class ContainerState:
    """Whether a container runs, and how it last ended. Times in ns since 1970 on the engine's clock; 0: never."""

    status: str
    """The engine's word: created, running, paused, restarting, removing, exited, dead."""
    running: bool
    paused: bool
    pid: int
    started_at: int
    finished_at: int
    exit_code: int
    out_of_memory: bool
    error: str
    health: str | None
    """``starting``, ``healthy``, ``unhealthy``; None where there is no check."""


@frozen(kw_only=True)
class ContainerFacts:
    """A container as the engine sees it."""

    id: str
    name: str
    image: str
    image_id: str
    labels: Mapping[str, str]
    tty: bool
    stop_signal: str | None
    restart_policy: str
    state: ContainerState
    document: Mapping[str, Any] = field(repr=False, eq=False)
    """Everything else, as the engine told it."""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


def table(value: object) -> Mapping[str, Any]:
    """Return ``value`` if it is an object, an empty one otherwise."""
    return value if isinstance(value, Mapping) else {}


def container_facts(document: Mapping[str, Any]) -> ContainerFacts:
    """Read the answer of an inspection."""
    config, host = table(document.get("Config")), table(document.get("HostConfig"))
    return ContainerFacts(
        id=_text(document.get("Id")),
        name=_text(document.get("Name")).removeprefix("/"),
        image=_text(config.get("Image")),
        image_id=_text(document.get("Image")),
        labels=dict(table(config.get("Labels"))),
        tty=bool(config.get("Tty")),
        stop_signal=_text(config.get("StopSignal")) or None,
        restart_policy=_text(table(host.get("RestartPolicy")).get("Name")) or "no",
        state=container_state(table(document.get("State"))),
        document=document,
    )


def container_state(state: Mapping[str, Any]) -> ContainerState:
    """Read the ``State`` of an inspection."""
    health = _text(table(state.get("Health") or state.get("Healthcheck")).get("Status"))
    return ContainerState(
        status=_text(state.get("Status")),
        running=bool(state.get("Running")),
        paused=bool(state.get("Paused")),
        pid=_number(state.get("Pid")),
        started_at=nanoseconds(state.get("StartedAt")),
        finished_at=nanoseconds(state.get("FinishedAt")),
        exit_code=_number(state.get("ExitCode")),
        out_of_memory=bool(state.get("OOMKilled")),
        error=_text(state.get("Error")),
        health=health if health in {"starting", "healthy", "unhealthy"} else None,
    )


@frozen(kw_only=True)
class ContainerSummary:
    """A line of the list of containers."""

    id: str
    name: str
    image: str
    status: str
    """The engine's word, as in :class:`ContainerState`."""
    description: str
    """The engine's phrase: ``Up 3 minutes (healthy)``."""
    labels: Mapping[str, str]
    created: int
    """Seconds since 1970."""


def container_summary(document: Mapping[str, Any]) -> ContainerSummary:
    """Read one entry of a list of containers."""
    names = document.get("Names")
    first = names[0] if isinstance(names, list) and names else ""
    return ContainerSummary(
        id=_text(document.get("Id")),
        name=_text(first).removeprefix("/"),
        image=_text(document.get("Image")),
        status=_text(document.get("State")),
        description=_text(document.get("Status")),
        labels=dict(table(document.get("Labels"))),
        created=_number(document.get("Created")),
    )


@frozen(kw_only=True)
class ImageFacts:
    """An image that the engine has. ``names`` is empty for one that lost its name to a newer one."""

    id: str
    names: tuple[str, ...]
    size: int
    created: int


def image_facts(document: Mapping[str, Any]) -> ImageFacts:
    """Read one entry of a list of images, or an inspection."""
    names = document.get("RepoTags")
    created = document.get("Created")
    return ImageFacts(
        id=_text(document.get("Id")),
        names=tuple(name for name in names if name != "<none>:<none>") if isinstance(names, list) else (),
        size=_number(document.get("Size")),
        created=created if isinstance(created, int) else nanoseconds(created) // _NANO,
    )


@frozen(kw_only=True)
class EngineFacts:
    """Which engine answers."""

    id: str
    """The engine's own id, kept over its restarts."""
    name: str
    """``Docker Engine`` or ``Podman Engine``."""
    version: str
    api_version: str

    @property
    def is_podman(self) -> bool:
        """Whether it is Podman behind Docker's interface."""
        return "podman" in self.name.lower()


def engine_facts(version: Mapping[str, Any], info: Mapping[str, Any]) -> EngineFacts:
    """Read what the engine tells about itself."""
    components = version.get("Components")
    first = table(components[0]) if isinstance(components, list) and components else {}
    name = _text(first.get("Name")) or "Engine"
    podman = "podman" in name.lower()
    return EngineFacts(
        # Podman makes a new id up for each answer; there is one Podman per socket, so its name will do.
        id="podman" if podman else _text(info.get("ID")) or "engine",
        name="Docker Engine" if name == "Engine" else name,
        version=_text(version.get("Version")),
        api_version=_text(version.get("ApiVersion")),
    )
