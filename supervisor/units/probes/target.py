"""Addresses that probes go to. Pure: text in, parts out.

A definition may come from a file that somebody else wrote, and a probe is a request that the daemon makes with the
rights of this machine. So a probe goes to this machine, unless the definition says aloud that another one is meant.
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

_LONGEST: Final = 2000
_ELSEWHERE: Final = "is not this machine; say allow_remote = true if that is meant"


@frozen
class Target:
    """Where a probe connects to, and what it asks for there (nothing, for a mere connection)."""

    host: str
    port: int
    path: str = ""

    @property
    def authority(self) -> str:
        """The host and port as a request names them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == 80 else f"{host}:{self.port}"


def parse_url(text: str, *, allow_remote: bool) -> Target:
    """Read an ``http://`` address. Raises ``ValueError``."""
    example = 'expected an address such as "http://127.0.0.1:8000/health"'
    if len(text) > _LONGEST or not text.isascii() or not text.isprintable() or " " in text:
        raise ValueError(f"{example}: printable ASCII without spaces")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"{example}: {error}") from None
    if parts.scheme == "https":
        raise ValueError('https is not spoken by probes; use exec, such as exec = ["curl", "-fsS", "https://..."]')
    if parts.scheme != "http" or not host or port == 0:
        raise ValueError(f"{example}, got {text[:80]!r}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not carry a user or a password")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return _checked(Target(host, port or 80, path), allow_remote=allow_remote)


def parse_tcp(text: str, *, allow_remote: bool) -> Target:
    """Read ``HOST:PORT``, or a port of this machine. Raises ``ValueError``."""
    host, _, number = text.strip().rpartition(":")
    host = host or "127.0.0.1"
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError('write an IPv6 address in brackets: "[::1]:8000"')
    if not (number.isascii() and number.isdecimal() and len(number) <= 5 and 0 < int(number) < 65536):
        raise ValueError(f'expected a port, or HOST:PORT such as "127.0.0.1:5432", got {text[:80]!r}')
    if not host.isascii() or not host.isprintable() or " " in host or "/" in host:
        raise ValueError(f"{host[:80]!r} cannot be a host")
    return _checked(Target(host, int(number)), allow_remote=allow_remote)


def _checked(target: Target, *, allow_remote: bool) -> Target:
    if not allow_remote and not _is_here(target.host):
        raise ValueError(f"{target.host[:80]!r} {_ELSEWHERE}")
    return target


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
