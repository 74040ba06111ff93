"""Messages that were accepted and can no longer be handled, or were sent too late: counted all, reported at a rate."""

from __future__ import annotations

import trio

from supervisor.runtime.telemetry import DeadLetter, Telemetry

_PER_WINDOW = 10
_WINDOW = 1.0


class DeadLetters:
    """Counts every dead letter of a system and reports the first few of each second as events.

    The limit keeps a flood of lost messages from becoming a flood of log lines; the counts stay exact.
    """

    __slots__ = ("_reported", "_suppressed", "_telemetry", "_window_start", "total")

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._window_start = 0.0
        self._reported = 0
        self._suppressed = 0
        self.total = 0

    def add(self, actor: str, message: object) -> None:
        """Note that ``message`` to ``actor`` was lost. The message itself is not kept."""
        self.total += 1
        now = trio.current_time()
        if now - self._window_start >= _WINDOW:
            self._window_start = now
            self._reported = 0
        if self._reported >= _PER_WINDOW:
            self._suppressed += 1
            return
        self._reported += 1
        suppressed, self._suppressed = self._suppressed, 0
        self._telemetry.emit(DeadLetter(actor=actor, message=type(message).__qualname__, suppressed=suppressed))
