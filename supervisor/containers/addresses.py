"""Where the container engine listens, found the way that Docker's own tools find it.

In this order: ``DOCKER_HOST``; the Docker context that is selected; the sockets of Docker, of a rootless Docker and of
Podman, the first that exists. Nothing is contacted here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from attrs import frozen

from supervisor.containers.errors import EngineUnavailable

DEFAULT_SOCKET: Final = "/var/run/docker.sock"
_SCHEMES: Final = ("unix://", "tcp://", "http://", "https://")


@frozen
class Certificates:
    """Files for a TLS connection: a certificate authority, and a certificate of ours with its key."""

    authority: str | None
    certificate: str | None
    key: str | None
    verify: bool = True


@frozen(kw_only=True)
class EngineAddress:
    """Where an engine listens, and ``source``: how we came to know, in words for ``hoody status``."""

    url: str
    source: str
    certificates: Certificates | None = None

    @property
    def socket_path(self) -> str | None:
        """The path of the Unix socket, or None where it is none."""
        return self.url.removeprefix("unix://") if self.url.startswith("unix://") else None


def discover(environment: Mapping[str, str], home: Path) -> EngineAddress:
    """Find the engine's address. Raises ``EngineUnavailable`` where what is configured makes no sense."""
    host = environment.get("DOCKER_HOST", "").strip()
    if host:
        return EngineAddress(
            url=_checked(host, "DOCKER_HOST"), source="DOCKER_HOST", certificates=_from_environment(environment, home)
        )
    context = environment.get("DOCKER_CONTEXT", "").strip() or _selected_context(_configuration(environment, home))
    if context and context != "default":
        return _from_context(context, _configuration(environment, home))
    for path, source in _sockets(environment):
        if Path(path).exists():
            return EngineAddress(url=f"unix://{path}", source=source)
    return EngineAddress(url=f"unix://{DEFAULT_SOCKET}", source="the default socket")


def _checked(url: str, source: str) -> str:
    if url.startswith("/"):
        return f"unix://{url}"
    if url.startswith("ssh://"):
        raise EngineUnavailable(
            f"{source} names an engine behind ssh ({url}), which is not supported",
            hint="forward its socket: ssh -nNT -L /tmp/engine.sock:/var/run/docker.sock HOST, then "
            "DOCKER_HOST=unix:///tmp/engine.sock",
        )
    if not url.startswith(_SCHEMES) or url in _SCHEMES:
        raise EngineUnavailable(
            f"{source} is not an engine's address: {url!r}", hint=f"it starts with one of {', '.join(_SCHEMES)}"
        )
    return url


def _configuration(environment: Mapping[str, str], home: Path) -> Path:
    return Path(environment.get("DOCKER_CONFIG") or home / ".docker")


def _selected_context(configuration: Path) -> str:
    try:
        document = json.loads((configuration / "config.json").read_bytes())
    except (OSError, ValueError):
        # Docker's own tools treat a file that is missing or broken as the default context.
        return ""
    selected = document.get("currentContext") if isinstance(document, dict) else None
    return selected if isinstance(selected, str) else ""


def _from_context(name: str, configuration: Path) -> EngineAddress:
    identity = hashlib.sha256(name.encode()).hexdigest()
    meta = configuration / "contexts" / "meta" / identity / "meta.json"
    try:
        endpoint = json.loads(meta.read_bytes())["Endpoints"]["docker"]
        url = str(endpoint["Host"])
        skip = bool(endpoint.get("SkipTLSVerify", False))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise EngineUnavailable(
            f"the Docker context {name!r} is selected and cannot be read ({type(error).__name__}: {error})",
            hint="choose another one with: docker context use default",
        ) from error
    folder = configuration / "contexts" / "tls" / identity / "docker"
    certificates = _certificates(folder, verify=not skip) if folder.is_dir() else None
    return EngineAddress(
        url=_checked(url, f"the Docker context {name!r}"), source=f"Docker context {name}", certificates=certificates
    )


def _from_environment(environment: Mapping[str, str], home: Path) -> Certificates | None:
    verify = bool(environment.get("DOCKER_TLS_VERIFY"))
    folder = environment.get("DOCKER_CERT_PATH") or (_configuration(environment, home) if verify else None)
    return _certificates(Path(folder), verify=verify) if folder else None


def _certificates(folder: Path, *, verify: bool) -> Certificates:
    def path(name: str) -> str | None:
        return str(folder / name) if (folder / name).exists() else None

    return Certificates(path("ca.pem"), path("cert.pem"), path("key.pem"), verify=verify)


def _sockets(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    runtime = environment.get("XDG_RUNTIME_DIR", "")
    yield DEFAULT_SOCKET, "the default socket"
    if runtime:
        yield f"{runtime}/docker.sock", "the socket of a rootless Docker"
        yield f"{runtime}/podman/podman.sock", "the socket of Podman"
    yield "/run/podman/podman.sock", "the socket of Podman"
