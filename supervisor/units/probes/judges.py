"""See to it that what runs of a unit is judged, and nothing else: the judges follow the unit's condition.

For a unit without probes and limits of time this is a comparison per step, and no task and no timer at all.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, Protocol

import trio

from supervisor.units.condition import Condition, Phase
from supervisor.units.events import Event
from supervisor.units.probes.instruments import Instruments
from supervisor.units.probes.judging import Docket, judge
from supervisor.units.probes.notify import NotifySocket
from supervisor.units.spec import AgentSpec

JUDGED: Final = frozenset({Phase.SETTLING, Phase.RUNNING})
"""Only what is up, or coming up, is judged."""

_log = logging.getLogger("hoody.units")


class Spawner(Protocol):
    """What judges need of the stage of their keeper."""

    def __call__(self, task: Callable[[], Awaitable[None]], /) -> None:
        """Run a task."""


class Judges:
    """The judges of one unit, through all of its incarnations."""

    __slots__ = ("_instruments", "_launched_at", "_number", "_report", "_scope", "_socket", "_unit")

    def __init__(self, unit: str, instruments: Instruments, report: Callable[[Event], None]) -> None:
        self._unit = unit
        self._instruments = instruments
        self._report = report
        self._number = 0
        """The incarnation that is being judged; 0 for none."""
        self._scope: trio.CancelScope | None = None
        self._socket: NotifySocket | None = None
        self._launched_at: datetime | None = None

    def expect(self, spec: AgentSpec, now: datetime) -> None:
        """Make ready for an incarnation that is about to be started: what it tells at once must find an ear."""
        self.dismiss()
        if spec.is_judged:
            self._launched_at = now
            self._open(spec)

    def follow(self, condition: Condition, spec: AgentSpec, spawn: Spawner) -> None:
        """Judge what runs now. To be called after every step of the machine."""
        wanted = condition.incarnation if condition.phase in JUDGED and spec.is_judged and not condition.paused else 0
        if wanted == self._number:
            if not wanted and self._socket is not None and condition.phase is not Phase.SPAWNING:
                self.dismiss()  # nothing came of the start; whoever still writes there must not wait for an ear
            return
        if self._number:
            self.dismiss()
        if wanted:
            self._number = wanted
            self._begin(condition, spec, spawn)

    def dismiss(self) -> None:
        """Judge no more, and let go of everything. Idempotent."""
        self._number, self._launched_at = 0, None
        if self._scope is not None:
            self._scope.cancel(reason="there is nothing to judge any more")
            self._scope = None
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _begin(self, condition: Condition, spec: AgentSpec, spawn: Spawner) -> None:
        if condition.identity is None:
            return
        began = self._launched_at or condition.started_at
        if self._socket is None:
            self._open(spec)  # it was found again: it was told the name by whoever started it
        docket = Docket(
            unit=self._unit,
            incarnation=condition.incarnation,
            pid=condition.identity.pid,
            spec=spec,
            born=condition.born,
            launched_at=began.timestamp() if began is not None else 0.0,
            was_ready=condition.was_ready,
            instruments=self._instruments,
            report=self._report,
            socket=self._socket,
        )
        scope = self._scope = trio.CancelScope()

        async def judge_in_scope() -> None:
            with scope:
                await judge(docket)

        spawn(judge_in_scope)

    def _open(self, spec: AgentSpec) -> None:
        if not spec.is_told_to_notify:
            return
        name = self._instruments.notify_name(self._unit)
        try:
            self._socket = NotifySocket(name)
        except OSError as error:
            # What waits for notices then does not get any, and its deadlines say so; the unit itself is not to blame.
            _log.error("the notification socket @%s of %r cannot be bound: %s", name, self._unit, error.strerror)
