"""The instruments with which agents are probed: processes, their sockets and their output."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio
from attrs import field, frozen

from supervisor.agents.beside import run_beside
from supervisor.agents.environment import notify_name
from supervisor.agents.limits import watched_limits
from supervisor.agents.process import ProcessDriver
from supervisor.agents.sampling import Sampler
from supervisor.logs.listening import Listener
from supervisor.units.probes.instruments import Finished
from supervisor.units.spec import AgentSpec

AT_ONCE: Final = 8
"""So many probing commands run at the same time: a thousand agents that are probed must not be a thousand processes."""


@frozen
class AgentInstruments:
    """Implements :class:`supervisor.units.probes.instruments.Instruments` for processes of this machine."""

    _driver: ProcessDriver
    _listener: Listener
    _sampler: Sampler
    turns: trio.CapacityLimiter = field(factory=lambda: trio.CapacityLimiter(AT_ONCE))

    async def run(self, unit: str, spec: AgentSpec) -> Finished:
        """Run a command beside a unit."""
        return await run_beside(self._driver, unit, spec, purpose="probe")

    def belongs(self, pid: int, unit: str, incarnation: int) -> bool:
        """Tell whether a process is one of an incarnation."""
        return self._driver.owns(pid, unit, incarnation)

    def notify_name(self, unit: str) -> str:
        """Return the name of the unit's notification socket."""
        return notify_name(self._driver.instance, unit)

    def directory(self, spec: AgentSpec) -> str:
        """Return the folder that the unit runs in."""
        return self._driver.working_directory(spec)

    async def watch_usage(self, unit: str, incarnation: int, spec: AgentSpec, exceeded: Callable[[str], None]) -> None:
        """Look at what the kernel does not limit."""
        watched = watched_limits(spec.limits, self._driver.groups)
        if watched is not None:
            await self._sampler.watch(unit, incarnation, watched, exceeded)

    def quiet_for(self, unit: str) -> float:
        """Return for how many seconds a unit has written nothing."""
        return self._listener.quiet_for(unit)

    async def watch_lines(
        self,
        unit: str,
        incarnation: int,
        wanted: Callable[[bytes], bool],
        found: Callable[[], None],
        *,
        only_new: bool = False,
    ) -> None:
        """Call ``found`` for each line of which ``wanted`` is true."""
        await self._listener.watch_lines(unit, incarnation, wanted, found, only_new=only_new)
