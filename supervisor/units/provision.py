"""What a unit is given when it is started, beyond its definition: the driver's side of ports and templates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

from supervisor.runtime import ActorRef
from supervisor.store.messages import StoreRequest

Store = ActorRef[StoreRequest]
NO_PORTS: Final[Mapping[str, int]] = {}


class Provision(Protocol):
    """Completes definitions for a start."""

    async def load(self, store: Store) -> None:
        """Take up what was given before. Called before the first keeper begins."""

    def concerns(self, spec: Any) -> bool:  # noqa: ANN401 - a spec of the kind
        """Tell whether there is anything to complete."""

    async def prepare(self, name: str, workspace: str | None, spec: Any, store: Store) -> Any:  # noqa: ANN401 - likewise
        """Return the definition to start by. Raises ``SpawnFailed`` in words, and ``StorageError``."""

    def ports(self, name: str) -> Mapping[str, int]:
        """Return the ports that a unit has, by name."""

    async def forget(self, name: str, store: Store) -> None:
        """Take back what a unit was given that is gone. Raises ``StorageError``."""


class AsDefined:
    """Starts everything as it is defined."""

    async def load(self, store: Store) -> None:
        """Take up nothing."""

    def concerns(self, spec: object) -> bool:  # noqa: ARG002 - the protocol
        """Nothing is completed."""
        return False

    async def prepare(self, name: str, workspace: str | None, spec: Any, store: Store) -> Any:  # noqa: ANN401, ARG002 - the protocol
        """Return the definition."""
        return spec

    def ports(self, name: str) -> Mapping[str, int]:  # noqa: ARG002 - the protocol
        """No unit has any."""
        return NO_PORTS

    async def forget(self, name: str, store: Store) -> None:
        """Nothing was given."""
