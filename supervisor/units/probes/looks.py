"""The ways of looking at a program: each returns None for a pass, or the failure in words.

None of them has a deadline of its own: whoever looks cancels the look when its time is up, and nothing is left of it.
"""

from __future__ import annotations

import errno
import os
import time
from http import HTTPStatus
from pathlib import Path
from typing import Final

import h11
import trio

from supervisor.errors import HoodyError
from supervisor.units.ends import how
from supervisor.units.probes.instruments import Finished
from supervisor.units.probes.target import Target

_PIECE: Final = 4096
_CLOCK_GRAIN: Final = 0.02
"""Seconds by which the time of a file lags behind: the kernel stamps it with the clock of its last tick."""
_WELL: Final = range(200, 400)


async def look_at_http(target: Target) -> str | None:
    """Ask for a page; a status from 200 to 399 passes. The body is not read, and no redirect is followed."""
    try:
        async with await trio.open_tcp_stream(target.host, target.port) as stream:
            status = await _ask(stream, target)
    except OSError as error:
        return _network_words(target, error)
    except (trio.BrokenResourceError, h11.RemoteProtocolError) as error:
        return f"{target.authority} does not answer in HTTP: {error}"
    return None if status in _WELL else f"{target.authority} answered {_status_words(status)}"


async def _ask(stream: trio.SocketStream, target: Target) -> int:
    connection = h11.Connection(h11.CLIENT)
    headers = [("Host", target.authority), ("User-Agent", "hoody-probe"), ("Accept", "*/*"), ("Connection", "close")]
    request = connection.send(h11.Request(method="GET", target=target.path, headers=headers))
    await stream.send_all((request or b"") + (connection.send(h11.EndOfMessage()) or b""))
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await stream.receive_some(_PIECE))
        elif isinstance(event, h11.Response):
            return event.status_code
        elif not isinstance(event, h11.InformationalResponse):
            raise h11.RemoteProtocolError("it closed the connection without an answer")


def _status_words(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)


async def look_at_tcp(target: Target) -> str | None:
    """Connect, and hang up."""
    try:
        async with await trio.open_tcp_stream(target.host, target.port):
            return None
    except OSError as error:
        return _network_words(target, error)


def _network_words(target: Target, error: OSError) -> str:
    where = f"{target.host}:{target.port}"
    cause = error.__cause__
    causes = [error, cause, *(cause.exceptions if isinstance(cause, BaseExceptionGroup) else ())]
    numbers = {found.errno for found in causes if isinstance(found, OSError)}
    if errno.ECONNREFUSED in numbers:
        return f"nobody listens at {where}"
    number = next((number for number in numbers if number and number > 0), None)
    return f"{where} cannot be reached: {os.strerror(number) if number else error}"


def command_failure(finished: Finished) -> str | None:
    """Judge how a probing command has ended."""
    if finished.status.code == 0:
        return None
    words = f": {finished.words}" if finished.words else ""
    return f"the command failed ({how(finished.status)}){words}"


def start_failure(error: HoodyError) -> str:
    """Say why a probing command could not even be started."""
    return str(error) if error.hint is None else f"{error} ({error.hint})"


async def look_at_heartbeat(path: Path, *, since: float, oldest: float | None) -> str | None:
    """Look when a file was last touched: by this incarnation, which began at ``since`` (epoch), and lately."""
    try:
        # Abandoned when the time is up: a dead network disk answers never.
        touched = (await trio.to_thread.run_sync(os.stat, path, abandon_on_cancel=True)).st_mtime
    except FileNotFoundError:
        return f"there is no file {path}"
    except OSError as error:
        return f"{path} cannot be looked at: {error.strerror}"
    if touched < since - _CLOCK_GRAIN:
        return f"{path} has not been touched since the start"
    age = time.time() - touched
    if oldest is not None and age > oldest + _CLOCK_GRAIN:
        return f"{path} was last touched {age:.1f} s ago, and {oldest:g} s are allowed"
    return None
