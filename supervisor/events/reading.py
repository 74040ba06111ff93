"""What a reader of the feed is given."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen

from supervisor.store.entry import Entry


@frozen(kw_only=True)
class Gap:
    """Events are missing here: those from ``first`` to ``last`` are not kept any more.

    Where ``first`` is greater than ``last`` the reader's number is from a feed that is not this one (the state was
    damaged or removed meanwhile), and whatever it knows is to be read anew.
    """

    first: int
    last: int


@frozen(kw_only=True)
class Batch:
    """Some events, and the number to go on behind. A gap comes before the entries."""

    entries: Sequence[Entry] = ()
    place: int
    gap: Gap | None = None
