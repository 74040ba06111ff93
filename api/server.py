"""The HTTP service: the last child of the root, so that it is the first to stop."""

from __future__ import annotations

import secrets
from typing import Final, cast

import trio

from api.app import make_app
from api.connections import CLEAN_UP, serve
from api.finishing import Finishing
from api.guard import Application, Guard
from api.listening import Listening, listen
from api.routes import ENDPOINTS
from api.rules import Rules
from api.services import Services
from api.work import Work
from supervisor.agents.inputs import InputPipes
from supervisor.agents.meter import Meter
from supervisor.control import DaemonControl
from supervisor.events import EventLog
from supervisor.health import HealthWatch
from supervisor.logs import LogReader
from supervisor.runtime import ServiceContext

GRACE: Final = 1.0
"""Seconds that clients get to take their answers when the service stops."""
SHUTDOWN: Final = GRACE + CLEAN_UP + 1.0
"""Seconds that a supervisor should give the service to stop; it needs less, whatever its clients do."""


class HttpService:
    """Starts incarnations of the service; what a ``ChildSpec`` takes as its ``start``.

    The sockets outlive an incarnation that crashed, so the port stays and clients that connect meanwhile are served by
    the next one. An orderly stop closes them: then there is nobody who would answer.
    """

    def __init__(
        self,
        control: DaemonControl,
        listening: Listening,
        *,
        logs: LogReader,
        health: HealthWatch,
        meter: Meter,
        inputs: InputPipes,
        events: EventLog,
        grace: float = GRACE,
    ) -> None:
        self._control = control
        self._logs = logs
        self._health = health
        self._meter = meter
        self._inputs = inputs
        self._events = events
        self._listening = listening
        self._grace = grace
        self._port = listening.port
        self._closed = False

    @property
    def url(self) -> str:
        """Where clients find the service."""
        return f"http://127.0.0.1:{self._port}"

    async def __call__(self, context: ServiceContext) -> None:
        """Serve until a stop is asked. Raises ``Conflict`` where the port was lost between two incarnations."""
        if self._closed:
            self._listening = listen(self._port)
            self._closed = False
        async with trio.open_nursery() as jobs:
            services = Services(
                system=context.system,
                control=self._control,
                logs=self._logs,
                health=self._health,
                meter=self._meter,
                inputs=self._inputs,
                events=self._events,
                stopping=context.stopping,
                work=Work(jobs),
                url=self.url,
            )
            app = make_app(ENDPOINTS, services)
            await app.startup()
            rules = Rules(
                port=self._port,
                open_paths={endpoint.path for endpoint in ENDPOINTS if endpoint.open},
                verify_token=self._control.verify_token,
                clock=trio.current_time,
            )
            guard = Guard(Finishing(cast("Application", app)), rules, run_id=secrets.token_hex(4))
            async with trio.open_nursery() as watching:
                watching.start_soon(self._stop_listening, context.stopping)
                await serve(
                    guard, self._listening, stopping=context.stopping, grace=self._grace, started=context.started
                )
                watching.cancel_scope.cancel(reason="the HTTP service has ended")
            jobs.cancel_scope.cancel(reason="the HTTP service has ended")

    async def _stop_listening(self, stopping: trio.Event) -> None:
        await stopping.wait()
        self._closed = True
        self._listening.close()
