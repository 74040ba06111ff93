"""Liveness, readiness and health."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from api.answers import TEXT_TYPE, Answer
from api.endpoints import API, Call, Endpoints, NoQuery
from api.routes.naming import DIRECTORY
from api.services import Services
from supervisor.errors import TimedOut, Unavailable
from supervisor.health import HealthReport
from supervisor.units.messages import GetHealth, HealthCounts

routes = Endpoints()

_PATIENCE: Final = 3.0
"""Whoever probes gives up sooner than a person does."""


@frozen(kw_only=True)
class ReadyQuery:
    """What to tell of readiness."""

    verbose: bool = False
    """List what was looked at."""


@routes.add("GET", "/livez", media_type=TEXT_TYPE, open=True)
async def livez(_call: Call[NoQuery]) -> Answer:
    """Tell that the daemon answers; nothing is looked at."""
    return Answer(body=b"ok\n", media_type=TEXT_TYPE)


@routes.add("GET", "/readyz", media_type=TEXT_TYPE, open=True)
async def readyz(call: Call[ReadyQuery]) -> Answer:
    """Tell whether every part of the daemon is up: 200, or 503."""
    checks = await _checks(call.services)
    ready = all(checks.values())
    lines = [f"[{'+' if good else '-'}]{name} {'ok' if good else 'failed'}" for name, good in checks.items()]
    told = [*(lines if call.query.verbose else ()), "ok" if ready else "not ready"]
    return Answer(status=200 if ready else 503, body="\n".join([*told, ""]).encode(), media_type=TEXT_TYPE)


@routes.add("GET", f"{API}/health", answer=HealthReport)
async def show_health(call: Call[NoQuery]) -> Answer:
    """Sum up the health of the agents, of the parts of the daemon and of its store."""
    return Answer(body=call.services.health_text.of(await _report(call.services)))


async def _checks(services: Services) -> dict[str, bool]:
    """Look at what readiness consists of; whoever has no token learns which of the parts fails, and no more."""
    try:
        report = await _report(services)
    except (Unavailable, TimedOut):
        return {"agents": False}
    return {
        "agents": True,
        "daemon": report.ready,
        "logs": report.logs.running,
        "mailboxes": not (report.daemon and report.daemon.full_mailboxes),
    }


async def _report(services: Services) -> HealthReport:
    counts: HealthCounts = await services.ask(DIRECTORY, lambda reply: GetHealth(reply_to=reply), timeout=_PATIENCE)
    return services.health.report((counts,))
