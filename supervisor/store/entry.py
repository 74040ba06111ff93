"""An event as it is kept and sent: its number, what it is chosen by, and its JSON text. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from attrs import frozen


@frozen(kw_only=True)
class Entry:
    """One event with its number. ``text`` is written once, and read by the disk and by every follower as it is."""

    number: int
    time: datetime
    type: str
    kind: str | None = None
    name: str | None = None
    text: str


@frozen(kw_only=True)
class Which:
    """Which events: everything, unless something is said; several values of one field widen the choice."""

    kinds: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    """``unit.exited``, or ``unit`` for all that begin so."""

    def takes(self, entry: Entry) -> bool:
        """Tell whether an event is among them."""
        return (
            (not self.kinds or entry.kind in self.kinds)
            and (not self.names or entry.name in self.names)
            and (not self.types or any(is_of(entry.type, wanted) for wanted in self.types))
        )


def is_of(type_: str, wanted: str) -> bool:
    """Tell whether a type is the one that is wanted, or one of its family."""
    return type_ == wanted or type_.startswith(wanted + ".")


EVERYTHING: Final = Which()


@frozen(kw_only=True)
class Search:
    """Some of the events on disk: those with numbers beyond ``after`` and up to ``upto``, at most ``most`` of them."""

    after: int
    upto: int
    most: int
    which: Which = EVERYTHING
    since: datetime | None = None
    """Only those of this time or later."""
    newest: bool = False
    """The last of them, and not the first; in the order of their numbers all the same."""
