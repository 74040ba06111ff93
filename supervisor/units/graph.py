"""Who depends on whom: cycles, and the order of starts and stops. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from typing import TypeAlias, TypeVar

T = TypeVar("T")
Graph: TypeAlias = Mapping[T, Collection[T]]
"""Each node with those that it depends on; who is only depended on need not be a key."""


def find_cycle(graph: Graph[T]) -> tuple[T, ...]:
    """Return a cycle, each node depending on the next and the first one again at the end; () where there is none."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        # graphlib lists a cycle from the depended-on to the dependent.
        return tuple(reversed(error.args[1]))
    return ()


def start_order(graph: Graph[T]) -> tuple[T, ...]:
    """Return every node, each behind all that it depends on. The graph must have no cycle."""
    return tuple(TopologicalSorter(graph).static_order())


def reversed_graph(graph: Graph[T]) -> dict[T, set[T]]:
    """Return each node with those that depend on it."""
    found: dict[T, set[T]] = {}
    for node, needed in graph.items():
        found.setdefault(node, set())
        for other in needed:
            found.setdefault(other, set()).add(node)
    return found


def free_to_end(live: Collection[T], graph: Graph[T]) -> tuple[T, ...]:
    """Return those of ``live`` that no other of them depends on: these may be ended now."""
    alive = set(live)
    needed = {other for node in alive for other in graph.get(node, ()) if other != node}
    return tuple(node for node in live if node not in needed)


def longest_path(graph: Graph[T], length: Callable[[T], float], among: Iterable[T]) -> float:
    """Return the greatest sum of lengths along a path of nodes in ``among``, each depending on the next.

    Where there is a cycle there is no order, and it is the greatest single length.
    """
    chosen = set(among)
    within = {node: {other for other in graph.get(node, ()) if other in chosen} for node in chosen}
    if find_cycle(within):
        return max(map(length, chosen), default=0.0)
    sums: dict[T, float] = {}
    for node in start_order(within):
        sums[node] = length(node) + max((sums[other] for other in within[node]), default=0.0)
    return max(sums.values(), default=0.0)


def with_chains(graph: Graph[T], chains: Iterable[Sequence[T]]) -> dict[T, tuple[T, ...]]:
    """Return the graph in which each link of a chain depends on the one before it, too."""
    found = {node: tuple(needed) for node, needed in graph.items()}
    for chain in chains:
        for before, node in pairwise(chain):
            found[node] = (*found.get(node, ()), before)
    return found
