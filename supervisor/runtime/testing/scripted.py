"""Children that behave as a test has written it down: come up or not, end or not, obey or not."""

from __future__ import annotations

import math
from enum import Enum, auto

import trio
from attrs import frozen

from supervisor.runtime.policy import INFRASTRUCTURE, RestartPolicy
from supervisor.runtime.service import ServiceContext
from supervisor.runtime.spec import ChildSpec, Shutdown


class Opening(Enum):
    """How an incarnation begins."""

    COMES_UP = auto()
    FAILS = auto()
    HANGS = auto()
    """never says that it is up"""


class Ending(Enum):
    """How an incarnation ends if nobody stops it."""

    RETURNS = auto()
    CRASHES = auto()


class Stopping(Enum):
    """What an incarnation does when it is asked to stop."""

    OBEYS = auto()
    IGNORES = auto()
    """goes on until it is cancelled"""
    RESISTS = auto()
    """goes on even then, for ``resists_for`` seconds"""


@frozen(kw_only=True)
class Behaviour:
    """One incarnation. It takes ``opening_takes`` seconds to begin, and ends ``after`` seconds later."""

    opening: Opening = Opening.COMES_UP
    opening_takes: float = 0.0
    ending: Ending = Ending.RETURNS
    after: float = math.inf
    stopping: Stopping = Stopping.OBEYS
    stopping_takes: float = 0.0
    resists_for: float = 60.0


class ScriptedFailure(Exception):
    """What a scripted child raises."""


class Scripted:
    """A child with a list of behaviours, one per incarnation; the last one goes for all that follow.

    ``trace`` collects ``+id`` when an incarnation begins and ``-id`` when it is over; share one list between children
    to see their order. ``live`` counts the incarnations that run, ``most_live`` the most that ever did.
    """

    def __init__(self, child_id: str, *behaviours: Behaviour, trace: list[str] | None = None) -> None:
        self.id = child_id
        self.behaviours = behaviours or (Behaviour(),)
        self.trace = trace if trace is not None else []
        self.starts = 0
        self.live = 0
        self.most_live = 0

    def spec(
        self,
        *,
        restart: RestartPolicy = INFRASTRUCTURE,
        shutdown: Shutdown | None = None,
        significant: bool = False,
        start_within: float = 30.0,
    ) -> ChildSpec:
        """Describe the child."""
        return ChildSpec(
            self.id,
            self._run,
            restart=restart,
            shutdown=shutdown if shutdown is not None else Shutdown.within(5),
            significant=significant,
            start_within=start_within,
        )

    async def _run(self, service: ServiceContext) -> None:
        behaviour = self.behaviours[min(self.starts, len(self.behaviours) - 1)]
        self.starts += 1
        self.live += 1
        self.most_live = max(self.most_live, self.live)
        self.trace.append(f"+{self.id}")
        try:
            await self._open(behaviour, service)
            await self._live(behaviour, service)
        finally:
            if behaviour.stopping is Stopping.RESISTS:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + behaviour.resists_for):
                    await trio.sleep_forever()
            self.live -= 1
            self.trace.append(f"-{self.id}")

    async def _open(self, behaviour: Behaviour, service: ServiceContext) -> None:
        await trio.sleep(behaviour.opening_takes)
        match behaviour.opening:
            case Opening.FAILS:
                raise ScriptedFailure(f"{self.id} fails to start")
            case Opening.HANGS:
                await trio.sleep_forever()
            case Opening.COMES_UP:
                service.started()

    async def _live(self, behaviour: Behaviour, service: ServiceContext) -> None:
        with trio.move_on_after(behaviour.after):
            if behaviour.stopping is Stopping.OBEYS:
                await service.stopping.wait()
                await trio.sleep(behaviour.stopping_takes)
            else:
                await trio.sleep_forever()
            return
        if behaviour.ending is Ending.CRASHES:
            raise ScriptedFailure(f"{self.id} crashes")
