"""What one unit may say of others that it depends on. Pure.

A unit is meant by its name where it is of the same kind, and by the plural of its kind and its name otherwise:
``db``, ``containers/db``. The full form, ``agents/db``, is the *address* of a unit, and the registered name of its
keeper.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NewType

from supervisor.units.names import check_name


class Until(StrEnum):
    """What a unit waits for before it is started."""

    STARTED = "started"
    """the other has a process, or has done its work"""
    READY = "ready"
    """the other is up and ready"""
    HEALTHY = "healthy"
    """the other is ready and, where it has a liveness probe, that says so too"""
    COMPLETED = "completed"
    """the other has come to a wanted end"""


class OnDependencyRestart(StrEnum):
    """What becomes of a unit that runs when one that it depends on ends or is restarted."""

    IGNORE = "ignore"
    """it runs on"""
    RESTART = "restart"
    """it is ended, before the other where that is ended by plan, and started once the other is there again"""


DependsOn = NewType("DependsOn", Mapping[str, Until])
"""What a unit depends on, in the order in which it was said."""

NO_DEPENDENCIES: Final = DependsOn({})


def check_dependencies(_instance: object, _attribute: object, value: Mapping[str, Until]) -> None:
    """Check, as a validator of attrs, that every key can be the name of a unit."""
    for reference in value:
        check_reference(reference)


def check_reference(reference: str) -> str:
    """Return ``reference`` if it can mean a unit; otherwise raise ``ValueError``."""
    kind, slash, name = reference.rpartition("/")
    if slash and not (kind.isascii() and kind.isalpha() and kind.islower()):
        raise ValueError(f'{reference[:80]!r} names no unit: expected "NAME", or "KIND/NAME" such as "agents/db"')
    check_name(name)
    return reference


def address_of(reference: str, plural: str) -> str:
    """Return the address that a unit of the kind ``plural`` means by ``reference``."""
    return reference if "/" in reference else f"{plural}/{reference}"
