"""Translate what an engine, or the way to it, refuses into our errors. Pure.

Engines say why in a sentence, and only there: the status alone does not tell a taken port from a full disk. The rules
are a table, first match wins; what none of them knows keeps the engine's own words.
"""

from __future__ import annotations

import errno
import re
from typing import Final

from supervisor.containers.addresses import EngineAddress
from supervisor.containers.errors import (
    ContainerNameTaken,
    ContainerNotFound,
    ContainerNotRunning,
    ContainerPaused,
    EngineError,
    EngineForbidden,
    EngineOutOfSpace,
    EngineTimedOut,
    EngineUnavailable,
    ImageNotFound,
    PortInUse,
)
from supervisor.errors import HoodyError

_RULES: Final[tuple[tuple[re.Pattern[str], type[HoodyError], str | None], ...]] = tuple(
    (re.compile(pattern, re.IGNORECASE), kind, hint)
    for pattern, kind, hint in (
        (r"container name .* is already in use", ContainerNameTaken, None),
        (r"name .* is in use", ContainerNameTaken, None),
        (r"port is already allocated|address already in use|ports? are not available", PortInUse, None),
        (r"no space left on device|disk quota exceeded", EngineOutOfSpace, None),
        (
            r"pull access denied|unauthorized|authentication required|access to the resource is denied",
            ImageNotFound,
            "check the image's name; if it is private, log in first: docker login",
        ),
        (
            r"no such host|network is unreachable|i/o timeout|handshake timeout|server misbehaving|Client\.Timeout",
            EngineError,
            "the registry cannot be reached; an image that is here already is used with pull_policy = missing",
        ),
        (r"no such image|manifest .*(unknown|not found)|image not known|repository .* not found", ImageNotFound, None),
        (r"no such container", ContainerNotFound, None),
        (
            r"network .* not found",
            EngineError,
            "create the network first: docker network create NAME",
        ),
        (
            r"bind source path does not exist",
            EngineError,
            "create the folder on this machine first, or name a volume instead of a path",
        ),
        (
            r"executable file not found|no such file or directory.*exec|exec.*no such file or directory",
            EngineError,
            "check command and entrypoint: the program must exist in the image",
        ),
        (
            r"could not select device driver|nvidia-container",
            EngineError,
            "GPUs need the vendor's container toolkit on this machine",
        ),
        (r"is not running|is not started|no such process", ContainerNotRunning, None),
        (r"is paused", ContainerPaused, None),
    )
)
_NOISE: Final = re.compile(
    r"^(Error response from daemon: |Conflict\. |invalid mount config for type \"bind\": |"
    r"failed to create shim( task)?: |OCI runtime create failed: |runc create failed: |"
    r"container_linux\.go:\d+: starting container process caused: |unable to start container process: )+"
)


def refusal(status: int, sentence: str, *, what: str) -> HoodyError:
    """Return the error for an answer with an error status. ``what`` was asked, for example ``start container x``."""
    words = _NOISE.sub("", sentence.strip()).removesuffix(": unknown") or f"status {status} without a word"
    for pattern, kind, hint in _RULES:
        if pattern.search(sentence):
            return kind(_sentence(what, words), hint=hint)
    if status == 404:
        return (ImageNotFound if "image" in what else ContainerNotFound)(_sentence(what, words))
    if status in {401, 403}:
        return EngineForbidden(_sentence(what, words))
    if status in {408, 504}:
        return EngineTimedOut(_sentence(what, words))
    return EngineError(_sentence(what, words))


def _sentence(what: str, words: str) -> str:
    return f"cannot {what}: {words[:1000]}"


_REASONS: Final = {
    errno.ENOENT: "there is no such socket",
    errno.ECONNREFUSED: "nobody listens there",
    errno.ECONNRESET: "the connection was cut",
    errno.EPIPE: "the connection was cut",
    errno.EHOSTUNREACH: "the host cannot be reached",
    errno.ENETUNREACH: "the network cannot be reached",
    errno.ETIMEDOUT: "it does not answer",
}


def unreachable(error: OSError | None, address: EngineAddress, *, words: str = "") -> HoodyError:
    """Return the error for a connection that could not be made or was cut."""
    number = error.errno if error is not None else None
    if number in {errno.EACCES, errno.EPERM}:
        return EngineForbidden(f"no permission on the container engine's socket {address.url} ({address.source})")
    reason = (_REASONS.get(number) if number is not None else None) or words or (str(error) if error else "it is gone")
    return EngineUnavailable(f"no container engine answers at {address.url} ({address.source}): {reason}")
