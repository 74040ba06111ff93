"""What a person or a program touches: the command line, the Python client and the daemon's entry point."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hoody.version import __version__ as __version__

if TYPE_CHECKING:
    from hoody.client import AsyncClient as AsyncClient
    from hoody.client import Client as Client

__all__ = ["AsyncClient", "Client", "__version__"]


def __getattr__(name: str) -> object:
    # Loaded on first use: the command line imports this package at each call and has no use for trio.
    if name in {"AsyncClient", "Client"}:
        import hoody.client

        return getattr(hoody.client, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
