"""What an address names: the directory that is asked, and the unit."""

from __future__ import annotations

from typing import Any, Final

from api.endpoints import API, Call
from supervisor.errors import NotFound
from supervisor.units.names import check_name

DIRECTORY: Final = "agents"
"""The registered name of the actor that answers for all agents."""
AGENTS: Final = f"{API}/agents"
AGENT: Final = f"{AGENTS}/<name>"


def unit_name(call: Call[Any]) -> str:
    """Return the name in the address. Raises ``NotFound`` where no unit can have it."""
    try:
        return check_name(call.path["name"])
    except ValueError as error:
        raise NotFound("there is no agent of that name", hint=str(error)) from None
