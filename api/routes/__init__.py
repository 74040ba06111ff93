"""Every route of the API, module by module."""

from __future__ import annotations

from typing import Final

from api.endpoints import Endpoint
from api.routes import (
    agents,
    control,
    daemon,
    declared,
    events,
    groups,
    inputs,
    listing,
    logs,
    metrics,
    probes,
    reference,
    stats,
)

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *probes.routes,
    *metrics.routes,
    *daemon.routes,
    *agents.routes,
    *groups.routes,
    *listing.routes,
    *control.routes,
    *logs.routes,
    *stats.routes,
    *inputs.routes,
    *declared.routes,
    *reference.routes,
    *events.routes,
)
