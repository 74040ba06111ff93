"""The Python client of a running daemon: ``Client`` blocks, ``AsyncClient`` is for trio; both say the same words.

    from hoody import Client

    client = Client()
    client.agents.create("web", ["python3", "-m", "http.server", "8000"])
    client.agents.restart("web", wait=True)["status"]["pid"]

Answers are the API's own objects as plain dicts (their shapes are in :mod:`hoody.client.types`); fields that a newer
daemon adds are simply there. Every refusal is raised as the class of :mod:`supervisor.errors` that the daemon named.
The names are loaded on first use, since the command line pays for every import at each call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hoody.client.asynchronous import AsyncClient as AsyncClient
    from hoody.client.blocking import Client as Client

__all__ = ["AsyncClient", "Client"]


def __getattr__(name: str) -> object:
    if name == "Client":
        from hoody.client.blocking import Client

        return Client
    if name == "AsyncClient":
        from hoody.client.asynchronous import AsyncClient

        return AsyncClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
