"""In which order several units are stopped: those that depend on others first."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hoody.client import Client

_OWN_KIND = "agents/"


def stop_waves(client: Client, names: Sequence[str]) -> list[list[str]]:
    """Return ``names`` in waves: each one is to be stopped when those in the waves before it are down."""
    if len(names) < 2:
        return [list(names)]
    needs = {unit["name"]: unit["spec"].get("depends_on") or () for unit in client.agents.list()}
    return waves(names, {name: [said.removeprefix(_OWN_KIND) for said in needs.get(name, ())] for name in names})


def waves(names: Sequence[str], needs: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Part ``names`` into waves, so that each comes in an earlier wave than those that it needs. Pure."""
    from supervisor.units.graph import free_to_end

    found: list[list[str]] = []
    left = list(names)
    while left:
        # In a circle nobody is first: then all of it goes at once.
        wave = list(free_to_end(left, needs)) or left
        found.append(wave)
        left = [name for name in left if name not in wave]
    return found
