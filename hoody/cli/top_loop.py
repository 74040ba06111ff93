"""Looks at the agents again and again and draws them in the same place; gives the terminal back as it was."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from hoody.cli import console
from hoody.cli.console import say
from hoody.cli.output import print_units
from hoody.cli.selecting import expand
from hoody.cli.text import clean
from hoody.cli.top_view import Order, in_order, screen
from hoody.client import Client
from supervisor.errors import NotFound, Unavailable

if TYPE_CHECKING:
    from hoody.client.types import Unit

_ENTER: Final = "\x1b[?1049h\x1b[?25l"
"""To the other screen of the terminal, without a cursor."""
_LEAVE: Final = "\x1b[?25h\x1b[?1049l"
_HOME: Final = "\x1b[H"
_REST_OF_LINE: Final = "\x1b[K"
_REST_OF_SCREEN: Final = "\x1b[J"


class Top:
    """One run of ``hoody top``."""

    def __init__(self, words: Sequence[str], order: Order, interval: float) -> None:
        self._client = Client()
        self._words = words
        self._order = order
        self._interval = interval

    def print_once(self, output: str) -> None:
        """Measure over one interval and print the result."""
        self._look()
        time.sleep(self._interval)
        units = self._look()
        if output == "table":
            say(screen(units, datetime.now(UTC), columns=console.columns(sys.stdout)))
        else:
            print_units(units, output)

    def run(self) -> None:
        """Draw until somebody interrupts. A daemon that is away is waited for, and said to be."""
        first = self._look()  # what is wrong with the names or the daemon is told before the screen is taken
        sys.stdout.write(_ENTER)
        try:
            self._draw(self._picture(first))
            while True:
                time.sleep(self._interval)
                try:
                    text = self._picture(self._look())
                except (Unavailable, NotFound) as error:
                    text = clean(str(error))
                self._draw(text)
        except KeyboardInterrupt:
            return
        finally:
            sys.stdout.write(_LEAVE)
            sys.stdout.flush()

    def _look(self) -> list[Unit]:
        units = self._client.agents.list(stats=True)
        if self._words:
            wanted = expand(self._words, [unit["name"] for unit in units])
            known = {unit["name"]: unit for unit in units}
            # One that is not there is asked for alone: the daemon's own refusal names the nearest name.
            units = [known.get(name) or self._client.agents.get(name) for name in wanted]
        return in_order(units, self._order)

    def _picture(self, units: Sequence[Unit]) -> str:
        colours = console.has_colour(sys.stdout)
        return screen(
            units,
            datetime.now(UTC),
            columns=console.columns(sys.stdout),
            lines=_lines(),
            colour=lambda text, colour: console.paint(text, colour, on=colours),
        )

    def _draw(self, text: str) -> None:
        # Written over what was there, line by line: clearing first would flicker.
        rows = "\n".join(line + _REST_OF_LINE for line in text.split("\n"))
        sys.stdout.write(_HOME + rows + "\n" + _REST_OF_SCREEN)
        sys.stdout.flush()


def _lines() -> int:
    try:
        return os.get_terminal_size(sys.stdout.fileno()).lines
    except (OSError, ValueError):
        return 0
