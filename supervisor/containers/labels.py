"""How a container says whose it is. Pure.

A container belongs to the daemon whose instance its label names, and to nobody else, whatever its name is. The labels
are on it from its first instant, so that no crash can come between a container and the knowledge of whose it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PREFIX: Final = "dev.hoody."
INSTANCE: Final = f"{PREFIX}instance"
UNIT: Final = f"{PREFIX}unit"
INCARNATION: Final = f"{PREFIX}incarnation"
"""The incarnation that it was made for; later ones may use it again."""
SPEC_HASH: Final = f"{PREFIX}spec-hash"
"""What it was made from: one that differs is replaced at the next start."""


def ownership(*, instance: str, unit: str, incarnation: int, spec_hash: str) -> dict[str, str]:
    """Return the labels of a container that we make."""
    return {INSTANCE: instance, UNIT: unit, INCARNATION: str(incarnation), SPEC_HASH: spec_hash}


def owner_of(labels: Mapping[str, str]) -> str | None:
    """Return the instance that a container belongs to, or None where it belongs to no Hoody Daemon."""
    return labels.get(INSTANCE) or None


def belongs_to(labels: Mapping[str, str], *, instance: str, unit: str) -> bool:
    """Tell whether a container was made by this instance for this unit."""
    return labels.get(INSTANCE) == instance and labels.get(UNIT) == unit
