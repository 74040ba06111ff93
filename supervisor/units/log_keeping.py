"""What units need of whoever keeps their logs: the seam between a unit's life and its output."""

from __future__ import annotations

from typing import Protocol

from supervisor.units.log_settings import LogSettings


class LogKeeping(Protocol):
    """Implemented by the log store."""

    def configure(self, unit: str, settings: LogSettings) -> None:
        """Say how the logs of a unit are kept, from the next byte on. Never waits."""

    async def forget(self, unit: str) -> None:
        """Stop capturing a unit that is gone; its log files stay. May raise ``OSError``."""

    async def erase(self, unit: str) -> None:
        """Forget a unit and delete its log files. May raise ``OSError``."""


class NoLogs:
    """Nobody keeps logs."""

    def configure(self, unit: str, settings: LogSettings) -> None:
        """Do nothing."""

    async def forget(self, unit: str) -> None:
        """Do nothing."""

    async def erase(self, unit: str) -> None:
        """Do nothing."""
