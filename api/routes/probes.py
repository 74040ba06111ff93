"""Liveness."""

from __future__ import annotations

from api.answers import TEXT_TYPE, Answer
from api.endpoints import Call, Endpoints, NoQuery

routes = Endpoints()


@routes.add("GET", "/livez", media_type=TEXT_TYPE, open=True)
async def livez(_call: Call[NoQuery]) -> Answer:
    """Tell that the daemon answers; nothing is looked at."""
    return Answer(body=b"ok\n", media_type=TEXT_TYPE)
