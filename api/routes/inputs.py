"""Give a running agent input."""

from __future__ import annotations

import base64

from attrs import Attribute, field, frozen
from attrs.validators import le

from api.answers import Answer, json_answer
from api.endpoints import Call, Endpoints
from api.routes.naming import AGENT, DIRECTORY, unit_name
from supervisor.errors import Conflict, InvalidInput, InvalidTransition, NotFound, Problem, RevisionMismatch, TimedOut
from supervisor.units.messages import GetUnit
from supervisor.units.quantities import Duration
from supervisor.units.spec import Stdin
from supervisor.units.status import UnitView

routes = Endpoints()


def _one_of_both(instance: InputBody, _attribute: Attribute[str | None], value: str | None) -> None:
    if (value is None) == (instance.text is None):
        raise ValueError("either text or base64 is to be given, and not both")


@frozen(kw_only=True)
class InputQuery:
    """How long the agent has to take it."""

    timeout: Duration = field(default=Duration(10.0), validator=le(Duration(300)))
    """How long to wait until the agent has taken all of it."""


@frozen(kw_only=True)
class InputBody:
    """What to write to its standard input: exactly one of both, and nothing is added to it, no end of line either."""

    text: str | None = None
    """As text."""
    base64: str | None = field(default=None, validator=_one_of_both)
    """As bytes, in base64."""


@frozen(kw_only=True)
class InputTaken:
    """All of it is in the pipe that the agent reads from."""

    bytes: int


@routes.add(
    "POST",
    f"{AGENT}/input",
    body=InputBody,
    answer=InputTaken,
    conditional=True,
    problems=(InvalidInput, NotFound, Conflict, InvalidTransition, RevisionMismatch, TimedOut),
)
async def give_input(call: Call[InputQuery]) -> Answer:
    """Write to the standard input of an agent that has ``stdin = "pipe"``."""
    data, name = _data(call.body(InputBody)), unit_name(call)
    view: UnitView = await call.services.ask(DIRECTORY, lambda reply: GetUnit(name=name, reply_to=reply))
    _check(view, call.expected_revision)
    await call.services.inputs.write(name, view.status.incarnation, data, within=call.query.timeout)
    return json_answer(InputTaken(bytes=len(data)))


def _data(body: InputBody) -> bytes:
    if body.text is not None:
        return body.text.encode()
    try:
        return base64.b64decode(body.base64 or "", validate=True)
    except ValueError as error:
        raise InvalidInput.of("the body", [Problem("base64", f"is not base64: {error}")]) from None


def _check(view: UnitView, revision: int | None) -> None:
    if revision is not None and revision != view.revision:
        raise RevisionMismatch(
            f"{view.name!r} is at revision {view.revision}, not {revision}",
            hint="look at it again, then repeat the change",
        )
    if view.spec.stdin is not Stdin.PIPE:
        raise Conflict(f"{view.name!r} takes no input", hint='define it with stdin = "pipe"')
    if view.status.pid is None:
        raise InvalidTransition(f"there is no process to give input to: the unit is {view.status.state}")
