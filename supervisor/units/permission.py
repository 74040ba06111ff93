"""Whether definitions may be taken: what the machine has to say against them, before anything is written down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

from supervisor.errors import InvalidInput, Problem
from supervisor.units.spec import AgentDefinition

NOTHING: Final[Mapping[str, str]] = {}


class Permits(Protocol):
    """Looks at the specs of one kind."""

    def concerns(self, spec: Any) -> bool:  # noqa: ANN401 - which specs those are, only the driver's side knows
        """Tell, at once, whether a spec asks for anything that may be refused."""

    def enforcement(self, spec: Any) -> Mapping[str, str]:  # noqa: ANN401
        """Say, at once, how each limit of a spec is enforced, by its key, for those where machines differ."""

    async def problems(self, spec: Any) -> Sequence[Problem]:  # noqa: ANN401
        """Return every reason against a spec, with paths into it."""


class AnythingGoes:
    """Refuses nothing."""

    def concerns(self, _spec: object) -> bool:
        """Say no."""
        return False

    def enforcement(self, _spec: object) -> Mapping[str, str]:
        """Say nothing."""
        return NOTHING

    async def problems(self, _spec: object) -> Sequence[Problem]:
        """Return nothing."""
        return ()


async def require(permits: Permits, definition: AgentDefinition) -> None:
    """Raise ``InvalidInput`` where something speaks against a definition."""
    problems = await _problems(permits, definition)
    if problems:
        raise InvalidInput.of(f"the definition of agent {definition.name!r}", problems)


async def require_all(permits: Permits, definitions: Iterable[AgentDefinition]) -> None:
    """Raise one ``InvalidInput`` for all that speaks against several, with paths into their document."""
    problems = [
        problem._replace(path=f"agents.{definition.name}.{problem.path}")
        for definition in definitions
        for problem in await _problems(permits, definition)
    ]
    if problems:
        raise InvalidInput.of("the document", problems)


async def _problems(permits: Permits, definition: AgentDefinition) -> Sequence[Problem]:
    return await permits.problems(definition.spec) if permits.concerns(definition.spec) else ()
