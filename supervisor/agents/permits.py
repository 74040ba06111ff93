"""Tell at once what this machine or this daemon cannot do for a definition, before it is taken."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import trio

from supervisor.agents.credentials import Refused, credentials, needs_look
from supervisor.agents.rights import present_rights
from supervisor.errors import Problem
from supervisor.units.spec import AgentSpec


class AgentPermits:
    """Implements :class:`supervisor.units.permission.Permits` for processes of this machine."""

    def concerns(self, spec: AgentSpec) -> bool:
        """Tell whether a definition asks for anything that may be refused."""
        return needs_look(spec)

    async def problems(self, spec: AgentSpec) -> Sequence[Problem]:
        """Return every reason against it. Looks in a thread: accounts may be kept by a server that does not answer."""
        return await trio.to_thread.run_sync(functools.partial(_look, spec), abandon_on_cancel=True)


def _look(spec: AgentSpec) -> Sequence[Problem]:
    try:
        credentials(spec, present_rights())
    except Refused as error:
        return error.problems
    return ()
