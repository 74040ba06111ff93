"""Serves the clients of one incarnation of the HTTP service with hypercorn's protocols, and gets rid of them in time.

hypercorn's own ``serve`` is not used, for two reasons that were seen to happen. It sends under a shield without a
deadline, so that one client that stops reading keeps it from ever returning; here every live connection is known, and
its socket is shut down when the grace is over. And an exception in the protocol of one connection ends the whole
server; here it ends that connection.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from functools import partial
from typing import Final

import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hypercorn.utils import wrap_app

from api.guard import Application
from api.listening import Listening
from api.rules import MOST_HEADERS

logger = logging.getLogger("hoody.api")

CLEAN_UP: Final = 0.2
"""Seconds between the end of the grace and the shutting of the sockets that are still open then."""


class Connection(TCPServer):
    """One client."""

    async def protocol_send(self, event: Event) -> None:
        """Send; where the reading side is closing the connection at this moment, there is nobody to send to."""
        try:
            await super().protocol_send(event)
        except trio.BusyResourceError:
            await self.protocol.handle(Closed())

    def drop(self) -> None:
        """Shut the socket down, so that whatever waits for the client ends."""
        try:
            self.stream.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            logger.debug("a client was gone before it could be dropped")


def make_config() -> Config:
    """Return hypercorn's settings."""
    config = Config()
    config.errorlog = logging.getLogger("hoody.api.server")
    config.accesslog = None
    config.include_server_header = False
    config.h11_max_incomplete_size = MOST_HEADERS
    config.h2_max_header_list_size = MOST_HEADERS
    config.keep_alive_timeout = 5
    config.websocket_max_message_size = 1024 * 1024
    return config


async def serve(
    application: Application,
    listening: Listening,
    *,
    stopping: trio.Event,
    grace: float,
    started: Callable[[], None],
) -> None:
    """Serve until ``stopping`` is set and every client is gone, or ``grace`` seconds have passed since.

    When the grace is over, or this is cancelled, what is still open is cancelled and then dropped.
    """
    context = WorkerContext(None)
    live: set[Connection] = set()
    wrapped = wrap_app(application, 0, "asgi")  # type: ignore[arg-type]
    config = make_config()

    async def handle(stream: trio.SocketStream) -> None:
        connection = Connection(wrapped, config, context, ConnectionState({}), stream)  # type: ignore[arg-type]
        live.add(connection)
        try:
            await connection.run()
        except* Exception:
            logger.exception("the connection of a client ended with an error")
        finally:
            live.discard(connection)

    # Duplicates: closing them when this incarnation ends leaves the port to the next one.
    listeners = [trio.SocketListener(trio.socket.from_stdlib_socket(each.dup())) for each in listening.sockets]
    async with trio.open_nursery() as guardians:
        async with trio.open_nursery() as clients:
            guardians.start_soon(_end_late_clients, stopping, grace, clients.cancel_scope, live)
            async with trio.open_nursery() as accepting:
                accept = partial(trio.serve_listeners, handle, listeners, handler_nursery=clients)
                await accepting.start(accept)
                started()
                await stopping.wait()
                accepting.cancel_scope.cancel(reason="the HTTP service stops")
            await context.terminated.set()
        guardians.cancel_scope.cancel(reason="every client is gone")


async def _end_late_clients(
    stopping: trio.Event, grace: float, clients: trio.CancelScope, live: set[Connection]
) -> None:
    try:
        await stopping.wait()
        await trio.sleep(grace)
    finally:
        clients.cancel(reason="the grace is over")
        if live:
            with trio.CancelScope(shield=True):
                await trio.sleep(CLEAN_UP)
        for connection in list(live):
            connection.drop()
