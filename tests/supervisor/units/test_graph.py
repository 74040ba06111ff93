"""Cycles and orders, on graphs of any shape."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from supervisor.units.graph import find_cycle, free_to_end, longest_path, reversed_graph, start_order

NODES = st.integers(0, 7)
GRAPHS = st.dictionaries(NODES, st.sets(NODES, max_size=4), max_size=8)
ACYCLIC = GRAPHS.map(
    lambda graph: {node: {other for other in needed if other < node} for node, needed in graph.items()}
)


def reaches_itself(graph: dict[int, set[int]]) -> bool:
    """Decide it the slow way."""
    for start, needed in graph.items():
        seen: set[int] = set()
        waiting = list(needed)
        while waiting:
            node = waiting.pop()
            if node == start:
                return True
            if node not in seen:
                seen.add(node)
                waiting += graph.get(node, ())
    return False


@given(GRAPHS)
def test_a_cycle_is_found_where_there_is_one_and_only_there(graph: dict[int, set[int]]) -> None:
    assert bool(find_cycle(graph)) == reaches_itself(graph)


@given(GRAPHS)
def test_a_cycle_is_named_from_each_unit_to_one_that_it_depends_on(graph: dict[int, set[int]]) -> None:
    cycle = find_cycle(graph)

    assert all(other in graph[node] for node, other in pairwise(cycle))
    assert cycle[:1] == cycle[-1:]
    assert len(cycle) != 1


@given(ACYCLIC)
def test_each_one_is_started_after_all_that_it_depends_on(graph: dict[int, set[int]]) -> None:
    order = start_order(graph)

    assert set(order) == set(graph) | {other for needed in graph.values() for other in needed}
    assert all(order.index(other) < order.index(node) for node, needed in graph.items() for other in needed)


@given(ACYCLIC, st.sets(NODES))
def test_ends_go_from_the_last_dependent_to_the_first_dependency(graph: dict[int, set[int]], live: set[int]) -> None:
    left, ended = sorted(live), []
    while left:
        now = free_to_end(left, graph)
        assert now
        ended += now
        left = [node for node in left if node not in now]

    assert sorted(ended) == sorted(live)
    both = [(node, other) for node in live for other in graph.get(node, ()) if other in live]
    assert all(ended.index(node) < ended.index(other) for node, other in both)


@given(GRAPHS)
def test_turning_a_graph_round_twice_loses_no_dependency(graph: dict[int, set[int]]) -> None:
    again = reversed_graph(reversed_graph(graph))

    assert {node: needed for node, needed in again.items() if needed} == {
        node: needed for node, needed in graph.items() if needed
    }


def test_the_longest_way_is_that_of_a_chain_and_not_the_sum_of_all() -> None:
    graph = {"web": {"api"}, "api": {"db"}, "job": {"db"}}
    length = {"web": 1.0, "api": 2.0, "db": 3.0, "job": 4.0}

    assert longest_path(graph, length.__getitem__, length) == 7.0
    assert longest_path(graph, length.__getitem__, {"web", "job"}) == 4.0
    assert longest_path({"a": {"b"}, "b": {"a"}}, lambda _: 2.0, {"a", "b"}) == 2.0
    assert longest_path({}, length.__getitem__, ()) == 0.0
