"""What an importer may know of where a file was found. Pure data."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import field, frozen


@frozen(kw_only=True)
class Place:
    """Where a file is, and what is beside it."""

    folder: str
    """Absolute."""
    name: str
    """Of the file."""
    siblings: frozenset[str] = frozenset()
    """The names of the files in its folder."""
    environment: Mapping[str, str] = field(factory=dict)
    """What references to variables in the file stand for."""
    variant: str | None = None
    """Which of several sets of variables is meant (``production``)."""
