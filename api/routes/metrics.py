"""Figures for Prometheus and what reads its format."""

from __future__ import annotations

from typing import Final

from api.answers import Answer
from api.endpoints import Call, Endpoints, NoQuery
from api.metrics import METRICS_TYPE, metrics_text
from api.routes.naming import DIRECTORY
from supervisor.units.messages import GetHealth, HealthCounts, ListUnits
from supervisor.units.status import UnitView

routes = Endpoints()

_PATIENCE: Final = 3.0


@routes.add("GET", "/metrics", media_type=METRICS_TYPE)
async def show_metrics(call: Call[NoQuery]) -> Answer:
    """Tell the figures of the daemon and of every agent, in the text format of Prometheus."""
    services = call.services
    counts: HealthCounts = await services.ask(DIRECTORY, lambda reply: GetHealth(reply_to=reply), timeout=_PATIENCE)
    views: tuple[UnitView, ...] = await services.ask(
        DIRECTORY, lambda reply: ListUnits(reply_to=reply), timeout=_PATIENCE
    )
    text = metrics_text(services.health.report((counts,)), views, services.control.version)
    return Answer(body=text.encode(), media_type=METRICS_TYPE)
