"""What the shell is offered for an argument. Never slow and never loud: no answer is better than a late one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from asyncclick import Context, Parameter

_LIMIT: Final = 0.15
"""Seconds; whoever presses TAB is waiting."""


def agent_names(_ctx: Context, _param: Parameter, incomplete: str) -> list[str]:
    """Return the names of agents that begin with what is typed; nothing where the daemon does not answer at once."""
    from hoody.client import Client
    from supervisor.errors import HoodyError

    try:
        units = Client().agents.list(timeout=_LIMIT)
    except HoodyError:
        return []
    return [unit["name"] for unit in units if unit["name"].startswith(incomplete)]
