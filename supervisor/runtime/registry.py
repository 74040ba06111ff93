"""Names for live actors. A name belongs to one incarnation at a time."""

from __future__ import annotations

from typing import Any

from supervisor.runtime.errors import ActorNotFound, NameTaken
from supervisor.runtime.ref import ActorRef


class Registry:
    """Finds the present incarnation of an actor by its name."""

    __slots__ = ("_refs",)

    def __init__(self) -> None:
        self._refs: dict[str, ActorRef[Any]] = {}

    def whereis(self, name: str) -> ActorRef[Any] | None:
        """Return the live incarnation called ``name``, or None."""
        return self._refs.get(name)

    def ref(self, name: str) -> ActorRef[Any]:
        """Return the live incarnation called ``name``. Raises ``ActorNotFound``."""
        found = self._refs.get(name)
        if found is None:
            raise ActorNotFound(name)
        return found

    def names(self) -> tuple[str, ...]:
        """Return every registered name, sorted."""
        return tuple(sorted(self._refs))

    def register(self, name: str, ref: ActorRef[Any]) -> None:
        """Give ``name`` to ``ref``. Raises ``NameTaken`` where another live actor has it."""
        if self._refs.setdefault(name, ref) is not ref:
            raise NameTaken(name)

    def unregister(self, name: str, ref: ActorRef[Any]) -> None:
        """Take ``name`` from ``ref``. Does nothing where ``ref`` does not have it."""
        if self._refs.get(name) is ref:
            del self._refs[name]
