"""One line on a terminal that says what is being waited for. Nothing where nobody is looking."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from hoody.cli import console
from hoody.cli.text import clean_cell, cut

if TYPE_CHECKING:
    from hoody.client import Client

_MOST_NAMES: Final = 5
_ORDINARY_WIDTH: Final = 80
_PATIENCE: Final = 0.5
"""Seconds that the question for the reason may take: it must not hold up what is waited for."""


class Line:
    """One line of stderr that is written over and over."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._shown = False

    def show(self, text: str) -> None:
        """Put ``text`` in the place of what was there."""
        limit = (console.columns(sys.stderr) or _ORDINARY_WIDTH) - 1
        # Carriage return and "erase to the end of the line": the one sequence that every terminal knows.
        sys.stderr.write("\r\x1b[K" + cut(clean_cell(text), limit))
        sys.stderr.flush()
        self._shown = True

    def waits_for(self, names: Sequence[str], heading: str = "waiting for", why: str = "") -> None:
        """Show who is missing, and since when."""
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        listed = ", ".join(names[:_MOST_NAMES]) + more or "the daemon"
        self.show(f"{heading} {listed} ({time.monotonic() - self._began:.0f}s){why}")

    def clear(self) -> None:
        """Take the line away again."""
        if self._shown:
            self.show("")
            self._shown = False


class Progress:
    """Says which units are missing and why the first of them is late."""

    def __init__(self, client: Client, names: Sequence[str], heading: str) -> None:
        self._client = client
        self._names = names
        self._heading = heading
        self._line = Line()

    def show(self, missing: Sequence[int]) -> None:
        """Show that the units of these indexes are not done yet."""
        names = [self._names[index] for index in missing]
        if names:
            self._line.waits_for(names, self._heading, self._why(names[0]))

    def clear(self) -> None:
        """Take the line away again."""
        self._line.clear()

    def _why(self, name: str) -> str:
        from hoody.client.calls import UnitCalls
        from supervisor.errors import HoodyError

        call = UnitCalls("agents").get(name)
        call.timeout = _PATIENCE
        try:
            status = self._client.send(call)["status"]
        except HoodyError:
            return ""
        return f"; {name} is {status['state']}" + (f": {status['reason']}" if status["reason"] else "")
