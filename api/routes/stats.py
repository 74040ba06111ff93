"""What agents use of the machine, measured when it is asked for."""

from __future__ import annotations

from api.answers import Answer, json_answer
from api.endpoints import Call, Endpoints, NoQuery
from api.routes.naming import AGENT, DIRECTORY, unit_name
from supervisor.agents.stats import UnitStats
from supervisor.errors import NotFound
from supervisor.units.messages import GetUnit
from supervisor.units.status import UnitView

routes = Endpoints()


@routes.add("GET", f"{AGENT}/stats", answer=UnitStats, problems=(NotFound,))
async def show_stats(call: Call[NoQuery]) -> Answer:
    """Measure what an agent uses, in all and by process."""
    name = unit_name(call)
    view: UnitView = await call.services.ask(DIRECTORY, lambda reply: GetUnit(name=name, reply_to=reply))
    figures = await call.services.meter.measure((view,))
    return json_answer(figures[view.name])
