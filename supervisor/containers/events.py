"""What the engine's event stream says, as typed events. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from attrs import define, field, frozen

from supervisor.containers.facts import table

NANO: Final = 1_000_000_000
ACTIONS: Final = ("start", "die", "oom", "destroy", "pause", "unpause", "health_status")
"""What is asked for: health checks alone would make three more events each time they run."""


@frozen
class Started:
    """The container's first process runs."""

    id: str
    at: int


@frozen
class Died:
    """Its first process has ended, and all others with it."""

    id: str
    at: int
    code: int


@frozen
class OutOfMemory:
    """The kernel killed something in it for want of memory."""

    id: str
    at: int


@frozen
class Removed:
    """The engine has forgotten it."""

    id: str
    at: int


@frozen
class Frozen:
    """It was paused, or goes on."""

    id: str
    at: int
    paused: bool


@frozen
class HealthTold:
    """The engine's health check has come to another result: starting, healthy or unhealthy."""

    id: str
    at: int
    health: str


EngineEvent: TypeAlias = Started | Died | OutOfMemory | Removed | Frozen | HealthTold


def engine_event(document: Mapping[str, Any]) -> EngineEvent | None:
    """Read one event; None for those that are of no use here."""
    actor = table(document.get("Actor"))
    container, action, stamp = actor.get("ID"), document.get("Action"), document.get("timeNano")
    if (
        document.get("Type", "container") != "container"
        or not isinstance(container, str)
        or not isinstance(action, str)
    ):
        return None
    at = stamp if isinstance(stamp, int) else int(document.get("time") or 0) * NANO
    word, _, detail = action.partition(":")
    make = _MAKERS.get(word)
    return make(container, at, detail.strip(), table(actor.get("Attributes"))) if make is not None else None


_Maker: TypeAlias = Callable[[str, int, str, Mapping[str, Any]], EngineEvent | None]


def _died(container: str, at: int, _detail: str, attributes: Mapping[str, Any]) -> EngineEvent:
    text = attributes.get("exitCode") or attributes.get("containerExitCode")
    return Died(container, at, int(text) if isinstance(text, str) and text.lstrip("-").isdecimal() else 0)


def _health(container: str, at: int, detail: str, _attributes: Mapping[str, Any]) -> EngineEvent | None:
    return HealthTold(container, at, detail) if detail in {"starting", "healthy", "unhealthy"} else None


def _removed(container: str, at: int, _detail: str, _attributes: Mapping[str, Any]) -> EngineEvent:
    return Removed(container, at)


_MAKERS: Final[Mapping[str, _Maker]] = {
    "start": lambda container, at, _detail, _attributes: Started(container, at),
    "oom": lambda container, at, _detail, _attributes: OutOfMemory(container, at),
    "pause": lambda container, at, _detail, _attributes: Frozen(container, at, paused=True),
    "unpause": lambda container, at, _detail, _attributes: Frozen(container, at, paused=False),
    "health_status": _health,
    # Podman's words for two of them differ.
    "die": _died,
    "died": _died,
    "destroy": _removed,
    "remove": _removed,
}


@define
class Lines:
    """Cuts a stream of bytes into its lines: each document of an answer is one."""

    _rest: bytes = field(default=b"", init=False)

    def feed(self, data: bytes) -> list[bytes]:
        """Take more bytes, and return the lines that are whole now."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        return [line for line in whole if line.strip()]

    def finish(self) -> list[bytes]:
        """Return what came last without its end."""
        rest, self._rest = self._rest, b""
        return [rest] if rest.strip() else []
