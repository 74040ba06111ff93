"""What of this machine a container sees: volumes and bind mounts as people write them. Pure."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from attrs import frozen

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_PLAIN: Final = frozenset({"ro", "rw"})
_OPTIONS: Final = _PLAIN | {"z", "Z", "shared", "slave", "private", "rshared", "rslave", "rprivate"}
_SOCKETS: Final = (
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/podman/podman.sock",
    "/run/containerd/containerd.sock",
    "/var/run/containerd/containerd.sock",
)
_SOCKET_NAMES: Final = frozenset({"docker.sock", "podman.sock", "containerd.sock"})


@frozen(kw_only=True)
class Mount:
    """A folder or file at ``target``: from this machine, from a named volume, or (``source`` None) from a new one."""

    source: str | None
    target: str
    options: tuple[str, ...] = ()

    @property
    def is_bind(self) -> bool:
        """Whether it comes from this machine's own file system."""
        return self.source is not None and self.source.startswith("/")

    @property
    def read_only(self) -> bool:
        """Whether the container may not write to it."""
        return "ro" in self.options

    @property
    def plain(self) -> bool:
        """Whether there are no options but reading and writing."""
        return _PLAIN.issuperset(self.options)

    @property
    def reaches_the_engine(self) -> bool:
        """Whether it gives the container the engine's socket, which is as good as root on this machine."""
        if not self.is_bind or self.source is None:
            return False
        source = PurePosixPath(self.source)
        return source.name in _SOCKET_NAMES or any(PurePosixPath(path).is_relative_to(source) for path in _SOCKETS)


def parse_mount(text: str) -> Mount:
    """Read ``SOURCE:TARGET[:OPTIONS]`` or ``TARGET``. Raises ``ValueError``."""
    parts = text.split(":")
    if "\0" in text or not all(parts) or len(parts) > 3:
        raise ValueError(f'expected "SOURCE:TARGET", "SOURCE:TARGET:ro" or "TARGET", got {text!r}')
    source, target, options = (None, parts[0], ()) if len(parts) == 1 else (parts[0], parts[1], tuple(parts[2:]))
    if source is not None:
        _check_source(source, text)
    chosen = tuple(options[0].split(",")) if options else ()
    for option in chosen:
        if option not in _OPTIONS:
            raise ValueError(f"{option!r} in {text!r} is not one of {', '.join(sorted(_OPTIONS))}")
    return Mount(source=source, target=check_target(target, text), options=chosen)


def _check_source(source: str, text: str) -> None:
    if source.startswith("/"):
        if ".." in PurePosixPath(source).parts:
            raise ValueError(f"{text!r} must name its folder without '..'")
    elif not _NAME.fullmatch(source):
        raise ValueError(f"{source!r} in {text!r} is neither an absolute path nor the name of a volume")


def check_target(target: str, text: str) -> str:
    """Return ``target`` if it is a place in a container. Raises ``ValueError``."""
    if not target.startswith("/") or PurePosixPath(target) == PurePosixPath("/") or ".." in PurePosixPath(target).parts:
        raise ValueError(f"the place in the container must be an absolute path other than '/', got {text!r}")
    return target
