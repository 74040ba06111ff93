"""Points in a test's own actors at which a fault can be put."""

from __future__ import annotations

import trio


class InjectedFault(Exception):
    """What a point raises when it is its turn."""


class Faults:
    """Numbers the points that a run passes, and raises at the chosen one.

    An actor under test calls ``await faults.point("...")`` wherever something could go wrong. Without ``raise_at``
    nothing is raised and the points are only counted.
    """

    def __init__(self, raise_at: int | None = None) -> None:
        self.raise_at = raise_at
        self.passed: list[str] = []

    @property
    def raised(self) -> bool:
        """Whether the fault has happened."""
        return self.raise_at is not None and len(self.passed) > self.raise_at

    async def point(self, where: str) -> None:
        """Pass a point: a checkpoint, and once in a run a crash."""
        self.passed.append(where)
        if self.raise_at == len(self.passed) - 1:
            raise InjectedFault(f"at {where}")
        await trio.lowlevel.checkpoint()
