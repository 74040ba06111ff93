"""Instruments that measure what a test says: probing without processes, on trio's virtual clock."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio
from attrs import define, field

from supervisor.errors import SpawnFailed
from supervisor.units.driver import ExitStatus
from supervisor.units.probes.instruments import Finished
from supervisor.units.spec import AgentSpec

WELL: Final = ExitStatus(code=0)
_worlds = itertools.count()


@define(eq=False)
class FakeInstruments:
    """Implements :class:`supervisor.units.probes.instruments.Instruments`."""

    answers: dict[str, ExitStatus | str] = field(factory=dict)
    """How a probing command ends, by its first word; text: why it cannot be started. It passes if it is not in here."""
    takes: float = 0.0
    """Seconds that a command takes."""
    turns: trio.CapacityLimiter = field(factory=lambda: trio.CapacityLimiter(8))
    runs: list[tuple[float, str]] = field(factory=list)
    """When which command was run."""
    cancelled: int = 0
    """How many commands were cut off."""
    strangers: set[int] = field(factory=set)
    """Processes that belong to nobody."""
    wrote_at: float = -math.inf
    """When the unit last wrote."""
    lines: list[bytes] = field(factory=list)
    folder: str = "/"
    excess: str = ""
    """Which limit is exceeded."""
    _written: trio.Event = field(factory=trio.Event)
    _world: str = field(factory=lambda: f"{os.getpid()}-{next(_worlds)}")

    async def run(self, unit: str, spec: AgentSpec) -> Finished:  # noqa: ARG002 - the protocol names them
        """Run a command as the test has it."""
        word = spec.argv[0]
        self.runs.append((trio.current_time(), word))
        try:
            await trio.sleep(self.takes)
        except trio.Cancelled:
            self.cancelled += 1
            raise
        answer = self.answers.get(word, WELL)
        if isinstance(answer, str):
            raise SpawnFailed(answer)
        return Finished(status=answer, words="" if answer.code == 0 else "it is all broken")

    def belongs(self, pid: int, unit: str, incarnation: int) -> bool:  # noqa: ARG002 - likewise
        """Tell whether a process is not a stranger."""
        return pid not in self.strangers

    def notify_name(self, unit: str) -> str:
        """Return a name that no other test uses."""
        return f"hoody/test/{self._world}/{unit}"

    def directory(self, spec: AgentSpec) -> str:
        """Return the folder that its definition names, within the test's own."""
        return str(Path(self.folder, spec.directory or ""))

    def quiet_for(self, unit: str) -> float:  # noqa: ARG002 - likewise
        """Return for how long nothing was written."""
        return trio.current_time() - self.wrote_at

    def write(self, *lines: bytes) -> None:
        """Let the unit write lines."""
        self.wrote_at = trio.current_time()
        self.lines.extend(lines)
        self._written.set()
        self._written = trio.Event()

    async def watch_lines(
        self,
        unit: str,  # noqa: ARG002 - likewise
        incarnation: int,  # noqa: ARG002 - likewise
        wanted: Callable[[bytes], bool],
        found: Callable[[], None],
        *,
        only_new: bool = False,
    ) -> None:
        """Call ``found`` for each line that was written."""
        seen = len(self.lines) if only_new else 0
        while True:
            for line in self.lines[seen:]:
                if wanted(line):
                    found()
            seen = len(self.lines)
            await self._written.wait()

    async def watch_usage(
        self,
        unit: str,  # noqa: ARG002 - likewise
        incarnation: int,  # noqa: ARG002 - likewise
        spec: AgentSpec,  # noqa: ARG002 - likewise
        exceeded: Callable[[str], None],
    ) -> None:
        """Call ``exceeded`` once the test says that too much is used."""
        while not self.excess:
            await self._written.wait()
        exceeded(self.excess)

    def use_too_much(self, sentence: str) -> None:
        """Let the unit exceed a limit."""
        self.excess = sentence
        self._written.set()
        self._written = trio.Event()
