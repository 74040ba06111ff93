"""What judging needs of the outside world: the seam between probes and processes, logs and sockets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import trio
from attrs import frozen

from supervisor.errors import HoodyBug
from supervisor.units.driver import ExitStatus
from supervisor.units.spec import AgentSpec


@frozen(kw_only=True)
class Finished:
    """A command that has come to its end, with the last words that it wrote."""

    status: ExitStatus
    words: str = ""


class Instruments(Protocol):
    """Looks at what runs."""

    @property
    def turns(self) -> trio.CapacityLimiter:
        """How many probing commands may run at the same time; to be held while :meth:`run` does."""

    async def run(self, unit: str, spec: AgentSpec) -> Finished:
        """Run a command beside a unit and return when it has ended and nothing of it is left.

        ``spec`` is that of the unit, with the command put in. Cancelled, the command is killed with everything that it
        has started. Raises ``SpawnFailed`` and other ``DriverError``s.
        """

    def belongs(self, pid: int, unit: str, incarnation: int) -> bool:
        """Tell whether a process is one of an incarnation."""

    def notify_name(self, unit: str) -> str:
        """Return the name of the unit's notification socket, in the abstract name space, without the leading ``@``."""

    def directory(self, spec: AgentSpec) -> str:
        """Return the absolute folder that the unit runs in."""

    def quiet_for(self, unit: str) -> float:
        """Return for how many seconds a unit has written nothing; infinite where it has not written since we look.

        0 where that cannot be told at present, since what it has written cannot be taken in.
        """

    async def watch_lines(
        self,
        unit: str,
        incarnation: int,
        wanted: Callable[[bytes], bool],
        found: Callable[[], None],
        *,
        only_new: bool = False,
    ) -> None:
        """Call ``found`` for each line of an incarnation of which ``wanted`` is true. Runs until cancelled.

        ``only_new`` passes over what has been written before. ``wanted`` is called in a thread, ``found`` on the trio
        thread.
        """

    async def watch_usage(self, unit: str, incarnation: int, spec: AgentSpec, exceeded: Callable[[str], None]) -> None:
        """Call ``exceeded`` with a sentence once an incarnation takes more than its limits, and return.

        Returns at once where the kernel sees to that.
        """


class NoInstruments:
    """For units that nobody probes. Using it is a defect."""

    @property
    def turns(self) -> trio.CapacityLimiter:
        """Refuse."""
        raise HoodyBug("there is nothing to run a probing command with")

    async def run(self, unit: str, spec: AgentSpec) -> Finished:
        """Refuse."""
        raise HoodyBug(f"{unit!r} is to be probed by {spec.argv[0]!r}, and there is nothing to run that with")

    def belongs(self, pid: int, unit: str, incarnation: int) -> bool:
        """Refuse."""
        raise HoodyBug(f"nobody can tell whether process {pid} belongs to incarnation {incarnation} of {unit!r}")

    def notify_name(self, unit: str) -> str:
        """Refuse."""
        raise HoodyBug(f"{unit!r} has no notification socket")

    def directory(self, spec: AgentSpec) -> str:
        """Refuse."""
        raise HoodyBug(f"nobody can tell where {spec.argv[0]!r} runs")

    def quiet_for(self, unit: str) -> float:
        """Refuse."""
        raise HoodyBug(f"nobody listens to {unit!r}")

    async def watch_lines(
        self,
        unit: str,
        incarnation: int,
        wanted: Callable[[bytes], bool],
        found: Callable[[], None],
        *,
        only_new: bool = False,
    ) -> None:
        """Refuse."""
        raise HoodyBug(
            f"nobody reads what incarnation {incarnation} of {unit!r} writes ({wanted}, {found}, {only_new})"
        )

    async def watch_usage(self, unit: str, incarnation: int, spec: AgentSpec, exceeded: Callable[[str], None]) -> None:
        """Refuse."""
        raise HoodyBug(f"nobody can tell what incarnation {incarnation} of {unit!r} uses ({spec.limits}, {exceeded})")
