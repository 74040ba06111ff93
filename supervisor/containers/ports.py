"""Published ports as people write them (``[ADDRESS:][PORT:]PORT[/PROTOCOL]``). Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

from attrs import frozen

LOOPBACK: Final = "127.0.0.1"
_RULE: Final = '"8080:80", "80" (any free port), "0.0.0.0:8080:80", "[::1]:8080:80" or "5000-5002:5000-5002/udp"'
_PORT: Final = re.compile(
    r"(?:(?:(?P<address>\[[0-9A-Fa-f:.]+\]|[0-9.]+):)?(?P<host>\d+(?:-\d+)?)?:)?"
    r"(?P<inside>\d+(?:-\d+)?)(?:/(?P<protocol>tcp|udp|sctp))?"
)


@frozen(kw_only=True)
class PortMapping:
    """One port of the container, and where on this machine it is reached. ``host_port`` None: the engine chooses."""

    port: int
    protocol: str
    address: str
    host_port: int | None


def parse_ports(text: str) -> tuple[PortMapping, ...]:
    """Read one entry; a range gives several. Raises ``ValueError``.

    Without an address the port is published on the loopback interface alone: what a local supervisor starts is not
    offered to the network unless somebody says so.
    """
    match = _PORT.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"expected a port such as {_RULE}, got {text!r}")
    inside = _range(match["inside"], text)
    outside = _range(match["host"], text) if match["host"] else None
    if outside is not None and len(outside) != len(inside):
        raise ValueError(f"the two ranges of {text!r} differ in length")
    return tuple(
        PortMapping(
            port=port,
            protocol=match["protocol"] or "tcp",
            address=_address(match["address"], text),
            host_port=None if outside is None else outside[index],
        )
        for index, port in enumerate(inside)
    )


def _range(text: str, whole: str) -> range:
    first, _, last = text.partition("-")
    ports = range(int(first), int(last or first) + 1)
    if not ports or ports[0] < 1 or ports[-1] > 65535:
        raise ValueError(f"ports go from 1 to 65535, got {whole!r}")
    if len(ports) > 1000:
        raise ValueError(f"{whole!r} are more than 1,000 ports")
    return ports


def _address(text: str | None, whole: str) -> str:
    if text is None:
        return LOOPBACK
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        raise ValueError(f"{text!r} in {whole!r} is not an address of this machine") from None
