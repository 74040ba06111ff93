"""The daemon, as what runs in it sees it: who it is, its token, and how to ask it to end."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import trio

from hoody.daemon.successor import Inheritance, check_program
from hoody.daemon.token import TokenKeeper
from hoody.home import Home
from hoody.version import __version__
from supervisor.errors import Conflict, StorageError
from supervisor.units.services import Departure

WRITE_WITHIN: Final = 10.0

_log = logging.getLogger("hoody.daemon")


class Control:
    """Implements ``supervisor.control.DaemonControl``."""

    def __init__(
        self, *, home: Home, instance: str, started_at: datetime, tokens: TokenKeeper, departure: Departure
    ) -> None:
        self.version = __version__
        self.instance = instance
        self.started_at = started_at
        self.folders: Mapping[str, str] = {
            "config": home.config,
            "state": home.state,
            "runtime": home.runtime,
            "logs": home.logs,
        }
        self.stopping = trio.Event()
        """Set once somebody has asked for the end."""
        self.departure = departure
        self.hurry: Callable[[], None] = departure.hurried.set
        """What a second request does."""
        self.inheritance: Inheritance | None = None
        """What is handed on to the program that takes this one's place; None where none is to."""
        self.bequeath: Callable[[], Inheritance] | None = None
        """How to find that out. The daemon sets it before it serves."""
        self._tokens = tokens
        self._at_stop: list[Callable[[bool], None]] = []

    def at_stop(self, told: Callable[[bool], None]) -> None:
        """Have ``told`` called when the end is asked for, with whether units are left running."""
        self._at_stop.append(told)

    def verify_token(self, token: bytes) -> bool:
        """Tell whether ``token`` is the present bearer token."""
        return self._tokens.verify(token)

    async def rotate_token(self) -> str:
        """Make a new token; see ``DaemonControl``."""
        with trio.move_on_after(WRITE_WITHIN, shield=True):
            return await trio.to_thread.run_sync(self._tokens.rotate, abandon_on_cancel=True)
        raise StorageError(
            f"the disk has not answered for {WRITE_WITHIN:g} s", hint="see which token holds with: hoody token show"
        )

    def reload_token(self) -> None:
        """Take up the token that is in the file now; where that is impossible, say so and keep the old one."""
        try:
            self._tokens.reload()
        except StorageError as error:
            _log.error("the token was not taken up: %s", error)

    async def replace_program(self) -> str:
        """Begin to be replaced in place; see ``DaemonControl``."""
        version = await trio.to_thread.run_sync(check_program, abandon_on_cancel=True)
        if self.stopping.is_set() or self.bequeath is None:
            raise Conflict("the daemon is ending", hint="start it again: hoody up")
        self.inheritance = self.bequeath()
        _log.info("the program is replaced in place", extra={"version": version})
        self.shutdown(leave_units=True)
        return version

    def shutdown(self, *, leave_units: bool) -> None:
        """Begin the end, or hurry one that is under way. The first request decides what becomes of the units."""
        if self.stopping.is_set():
            _log.warning("asked to end once more: hurrying")
            self.hurry()
            return
        _log.info("asked to end", extra={"leave_units": leave_units})
        self.departure.take_units = not leave_units
        for told in self._at_stop:
            told(leave_units)
        self.stopping.set()
