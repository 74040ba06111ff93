"""What the store says of itself. Frozen data in one holder that outlives the incarnations of the store's actor."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from attrs import define, evolve, field, frozen


@frozen(kw_only=True)
class Finding:
    """Something about the state on disk that a person should hear of."""

    sentence: str
    moved_aside: Path | None = None
    rescued: int = 0
    unreadable: str | None = None


@frozen(kw_only=True)
class StoreHealth:
    """Whether the state on disk can be read and written, and what was found wrong with it since the daemon started."""

    failing_since: datetime | None = None
    """When the first write in a row failed; None while all is well."""
    error: str = ""
    """The sentence of the last failure, empty while all is well."""
    moved_aside: tuple[str, ...] = ()
    """Where damaged databases were moved to."""
    rescued: int = 0
    """How many units could be read out of them."""
    unreadable: tuple[str, ...] = ()
    """Stored units that this version cannot read; they are left as they are."""

    @property
    def ok(self) -> bool:
        """Tell whether nothing needs a person's attention."""
        return not (self.failing_since or self.moved_aside or self.unreadable)


@define
class StoreReport:
    """The one place where the present health of the store is kept; reading it costs nothing."""

    health: StoreHealth = field(factory=StoreHealth)
    opened: bool = False
    """Whether the database was opened since the daemon started."""

    def add(self, finding: Finding) -> None:
        """Remember what was found; the same thing is remembered once."""
        health = self.health
        if finding.moved_aside is not None:
            health = evolve(
                health,
                moved_aside=(*health.moved_aside, str(finding.moved_aside)),
                rescued=health.rescued + finding.rescued,
            )
        if finding.unreadable is not None and finding.unreadable not in health.unreadable:
            health = evolve(health, unreadable=(*health.unreadable, finding.unreadable))
        self.health = health
