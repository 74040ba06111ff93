"""Examples for the documentation of the API, by the class that they are of. A test holds each against its schema."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from supervisor.convert import definition_document
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Desired, Kind, State, UnitStatus, UnitView

_DEFINITION: Final = {
    "name": "web",
    "command": ["python3", "-m", "http.server", "8000"],
    "directory": "/srv/site",
    "environment": {"LOG_LEVEL": "info"},
    "backoff": {"max": "30s"},
    "labels": {"team": "docs"},
}
_DOCUMENT: Final = {"agents": {"web": {"command": ["python3", "-m", "http.server", "8000"]}}}
_CHANGE: Final = {
    "action": "replace",
    "kind": "agent",
    "name": "web",
    "restart": True,
    "keys": [{"key": "backoff.max", "before": "60s", "after": "30s"}],
    "error": None,
}

BODIES: Final[Mapping[str, Any]] = {
    "AgentDefinition": _DEFINITION,
    "ApplyBody": {"document": _DOCUMENT, "source": "/srv/hoody.toml", "prune": False, "dry_run": True},
    "GroupDefinition": {"name": "pipeline", "members": ["source", "sink"], "strategy": "rest_for_one"},
    "InputBody": {"text": "print(1 + 1)\n"},
    "ShutdownBody": {"leave_agents": True},
    "SignalBody": {"signal": "HUP", "group": True},
}
"""Of what is sent."""

PATCH: Final = {"labels": {"team": None, "tier": "web"}, "stop_timeout": "30s"}

_STARTED: Final = datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC)
_UNIT: Final = definition_document(
    UnitView(
        kind=Kind.AGENT,
        name="web",
        workspace=None,
        labels={"team": "docs"},
        revision=3,
        created_at=datetime(2026, 1, 31, 12, 0, tzinfo=UTC),
        spec=AgentSpec(command=("python3", "-m", "http.server", "8000"), environment={"KEY": "secret"}),
        status=UnitStatus(
            state=State.RUNNING, desired=Desired.RUNNING, ready=True, pid=4711, incarnation=2, started_at=_STARTED
        ),
        source="/srv/hoody.toml",
    ),
    reveal=(),
)

ANSWERS: Final[Mapping[str, Any]] = {
    "UnitView": _UNIT,
    "UnitPage": {"items": [_UNIT], "next": None},
    "ApplyAnswer": {"applied": True, "changes": [_CHANGE], "left": []},
    "DeclarationDocument": {**_DOCUMENT, "groups": {"site": {"members": ["web"], "strategy": "one_for_all"}}},
    "NewToken": {"token": "hdy_..."},
    "Stopping": {"stopping": True, "leave_agents": False},
    "Problem": {
        "type": "urn:hoody:error:invalid_input",
        "title": "The input is not valid",
        "status": 422,
        "detail": "the definition of agent 'web' is not valid: comand: there is no such key; did you mean 'command'?",
        "code": "invalid_input",
        "request_id": "5f0c2a91-17",
        "errors": [
            {
                "path": "comand",
                "pointer": "/comand",
                "message": "there is no such key; did you mean 'command'?",
            }
        ],
    },
}
"""Of what is answered."""
