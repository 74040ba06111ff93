"""Start, stop, restart and signal agents."""

from __future__ import annotations

from typing import TypeVar

from attrs import field, frozen
from attrs.validators import le

from api.answers import Answer, unit_answer
from api.endpoints import Call, Endpoints, NoBody, NoQuery
from api.routes.naming import AGENT, DIRECTORY, unit_name
from api.services import PATIENCE
from supervisor.errors import (
    InvalidTransition,
    NotFound,
    RevisionMismatch,
    SignalFailed,
    SpawnFailed,
    StorageError,
    TimedOut,
)
from supervisor.units.messages import PauseUnit, RestartUnit, ResumeUnit, SignalUnit, StartUnit, StopUnit
from supervisor.units.quantities import Duration, SignalName
from supervisor.units.status import UnitView

routes = Endpoints()

Q = TypeVar("Q")


@frozen(kw_only=True)
class WaitQuery:
    """Whether to wait for the outcome."""

    wait: bool = False
    """Answer when it is done, and not when it is under way."""
    timeout: Duration = field(default=Duration(60.0), validator=le(Duration(3600)))
    """How long to wait; the work goes on afterwards."""

    @property
    def patience(self) -> float:
        """How long the answer may take."""
        return self.timeout if self.wait else PATIENCE


@frozen(kw_only=True)
class StopQuery(WaitQuery):
    """How to stop."""

    now: bool = False
    """Kill at once, without the stop signal; hurries a stop that is under way."""


@frozen(kw_only=True)
class SignalBody:
    """A signal to send."""

    signal: SignalName
    """Its name, such as ``HUP``, or its number."""
    group: bool = True
    """Send it to the whole process group, and not to the main process alone."""


@routes.add(
    "POST",
    f"{AGENT}/start",
    answer=UnitView,
    conditional=True,
    problems=(NotFound, RevisionMismatch, SpawnFailed, InvalidTransition, TimedOut, StorageError),
)
async def start_agent(call: Call[WaitQuery]) -> Answer:
    """Make an agent run, and remember that it should."""
    call.body(NoBody)
    name, query = unit_name(call), call.query
    view: UnitView = await call.services.ask(
        DIRECTORY,
        lambda reply: StartUnit(name=name, wait=query.wait, expected_revision=call.expected_revision, reply_to=reply),
        timeout=query.patience,
    )
    return unit_answer(view)


@routes.add(
    "POST",
    f"{AGENT}/stop",
    answer=UnitView,
    conditional=True,
    problems=(NotFound, RevisionMismatch, TimedOut, StorageError),
)
async def stop_agent(call: Call[StopQuery]) -> Answer:
    """Make an agent stop, and remember that it should stay so."""
    call.body(NoBody)
    name, query = unit_name(call), call.query
    view: UnitView = await call.services.ask(
        DIRECTORY,
        lambda reply: StopUnit(
            name=name, wait=query.wait, now=query.now, expected_revision=call.expected_revision, reply_to=reply
        ),
        timeout=query.patience,
    )
    return unit_answer(view)


@routes.add(
    "POST",
    f"{AGENT}/restart",
    answer=UnitView,
    conditional=True,
    problems=(NotFound, RevisionMismatch, SpawnFailed, InvalidTransition, TimedOut, StorageError),
)
async def restart_agent(call: Call[WaitQuery]) -> Answer:
    """Stop what runs of an agent, then start it; one at rest is just started."""
    call.body(NoBody)
    name, query = unit_name(call), call.query
    view: UnitView = await call.services.ask(
        DIRECTORY,
        lambda reply: RestartUnit(name=name, wait=query.wait, expected_revision=call.expected_revision, reply_to=reply),
        timeout=query.patience,
    )
    return unit_answer(view)


@routes.add(
    "POST",
    f"{AGENT}/pause",
    answer=UnitView,
    conditional=True,
    problems=(NotFound, RevisionMismatch, InvalidTransition),
)
async def pause_agent(call: Call[NoQuery]) -> Answer:
    """Let nothing of a running agent run, without ending it."""
    call.body(NoBody)
    name, revision = unit_name(call), call.expected_revision
    view: UnitView = await call.services.ask(
        DIRECTORY, lambda reply: PauseUnit(name=name, expected_revision=revision, reply_to=reply)
    )
    return unit_answer(view)


@routes.add(
    "POST",
    f"{AGENT}/resume",
    answer=UnitView,
    conditional=True,
    problems=(NotFound, RevisionMismatch, InvalidTransition),
)
async def resume_agent(call: Call[NoQuery]) -> Answer:
    """Let a paused agent run on."""
    call.body(NoBody)
    name, revision = unit_name(call), call.expected_revision
    view: UnitView = await call.services.ask(
        DIRECTORY, lambda reply: ResumeUnit(name=name, expected_revision=revision, reply_to=reply)
    )
    return unit_answer(view)


@routes.add(
    "POST",
    f"{AGENT}/signal",
    body=SignalBody,
    answer=UnitView,
    conditional=True,
    problems=(NotFound, RevisionMismatch, InvalidTransition, SignalFailed),
)
async def signal_agent(call: Call[NoQuery]) -> Answer:
    """Send a signal to what runs of an agent."""
    body, name = call.body(SignalBody), unit_name(call)
    view: UnitView = await call.services.ask(
        DIRECTORY,
        lambda reply: SignalUnit(
            name=name,
            signal=body.signal,
            whole_group=body.group,
            expected_revision=call.expected_revision,
            reply_to=reply,
        ),
    )
    return unit_answer(view)
