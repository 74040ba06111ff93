"""Merge patches, by the examples of RFC 7396 and by their rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.merging import merge_patch

scalars = st.booleans() | st.integers(0, 3) | st.text(max_size=2)
tables = st.recursive(
    st.dictionaries(st.sampled_from("abc"), st.none() | scalars, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), st.none() | scalars | inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_the_standard_hold(target: object, patch: object, result: object) -> None:
    assert merge_patch(target, patch) == result


@given(tables, tables)
def test_the_same_patch_twice_is_the_patch_once_and_nothing_given_is_changed(
    target: dict[str, object], patch: dict[str, object]
) -> None:
    before = (repr(target), repr(patch))
    once = merge_patch(target, patch)

    assert merge_patch(once, patch) == once
    assert (repr(target), repr(patch)) == before
