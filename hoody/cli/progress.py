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
_PATIENCE: Final = 0.5
"""Seconds that the question for the reason may take: it must not hold up what is waited for."""


class Progress:
    """Says on stderr, over and over on the same line, which units are missing and why the first of them is late."""

    def __init__(self, client: Client, names: Sequence[str], heading: str) -> None:
        self._client = client
        self._names = names
        self._heading = heading
        self._began = time.monotonic()
        self._shown = False

    def show(self, missing: Sequence[int]) -> None:
        """Show that the units of these indexes are not done yet."""
        names = [self._names[index] for index in missing]
        if not names:
            return
        listed = ", ".join(names[:_MOST_NAMES]) + (f" and {len(names) - _MOST_NAMES} more" * (len(names) > _MOST_NAMES))
        seconds = time.monotonic() - self._began
        self._write(f"{self._heading}: {listed} ({seconds:.0f}s){self._why(names[0])}")

    def clear(self) -> None:
        """Take the line away again."""
        if self._shown:
            self._write("")
            self._shown = False

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

    def _write(self, text: str) -> None:
        self._shown = True
        limit = (console.columns(sys.stderr) or 80) - 1
        # Carriage return and "erase to the end of the line": the one sequence that every terminal knows.
        sys.stderr.write("\r\x1b[K" + cut(clean_cell(text), limit))
        sys.stderr.flush()
