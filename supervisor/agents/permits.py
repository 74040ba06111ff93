"""Tell at once what this machine or this daemon cannot do for a definition, before it is taken."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import trio

from supervisor.agents.cgroups import ControlGroups
from supervisor.agents.credentials import Refused, credentials, needs_look
from supervisor.agents.limits import enforcement, refused_limits
from supervisor.agents.rights import present_rights
from supervisor.errors import Problem
from supervisor.units.permission import NOTHING
from supervisor.units.spec import AgentSpec


class AgentPermits:
    """Implements :class:`supervisor.units.permission.Permits` for processes of this machine."""

    def __init__(self, groups: ControlGroups) -> None:
        self._groups = groups

    def concerns(self, spec: AgentSpec) -> bool:
        """Tell whether a definition asks for anything that may be refused."""
        return needs_look(spec) or spec.limits.bounds_anything

    def enforcement(self, spec: AgentSpec) -> Mapping[str, str]:
        """Say how each limit is enforced on which machines differ."""
        return enforcement(spec.limits, self._groups) if spec.limits.bounds_a_group else NOTHING

    async def problems(self, spec: AgentSpec) -> Sequence[Problem]:
        """Return every reason against it. Looks in a thread: accounts may be kept by a server that does not answer."""
        return await trio.to_thread.run_sync(functools.partial(_look, spec), abandon_on_cancel=True)


def _look(spec: AgentSpec) -> Sequence[Problem]:
    rights = present_rights()
    problems = list(refused_limits(spec.limits, rights))
    try:
        credentials(spec, rights)
    except Refused as error:
        problems += error.problems
    return problems
