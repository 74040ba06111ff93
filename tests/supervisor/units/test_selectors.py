"""Label selectors: what fits, and what is no selector."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.units.selectors import Selector, parse_selector

LABELS = {"team": "docs", "tier": "web", "empty": "", "my key": 'a, "b"'}


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("", True),
        ("team", True),
        ("none", False),
        ("!none", True),
        ("! team", False),
        ("team=docs", True),
        ("team == docs", True),
        ("team=code", False),
        ("team!=docs", False),
        ("team!=code", True),
        ("none!=x", True),
        ("none=x", False),
        ("empty=", True),
        ("team=", False),
        ("team=docs,tier=web", True),
        ("team=docs , tier=api", False),
        ("tier in (web, api)", True),
        ("tier in (api)", False),
        ("none in (api)", False),
        ("tier notin (api)", True),
        ("tier notin (web,api),team", False),
        ("none notin (x)", True),
        (r'"my key"="a, \"b\""', True),
        ('"my key" in (x, "a")', False),
        ("in=in", False),
    ],
)
def test_a_selector_fits_labels_or_not(text: str, fits: bool) -> None:
    assert parse_selector(text).fits(LABELS) is fits


@pytest.mark.parametrize(
    "text",
    [
        ",",
        "=x",
        "team=docs,",
        "team docs",
        "tier in",
        "tier in web",
        "tier in ()",
        "tier in (a",
        "a=b=c",
        "!",
        '"x',
        "a,,b",
        "(",
        "!!a",
        "x" * 5000,
    ],
)
def test_what_is_no_selector_is_refused_in_words(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a selector: .*; examples: |is longer than"):
        parse_selector(text)


@given(st.text(max_size=30))
def test_any_text_is_a_selector_or_refused(text: str) -> None:
    try:
        found = parse_selector(text)
    except ValueError:
        return
    assert isinstance(found.fits(LABELS), bool)


@given(st.dictionaries(st.sampled_from(["a", "b c", 'd"', "in"]), st.text(st.characters(codec="utf-8"), max_size=5)))
def test_what_is_quoted_is_read_as_it_was(labels: dict[str, str]) -> None:
    def quoted(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    text = ",".join(f"{quoted(key)}={quoted(value)}" for key, value in labels.items())

    assert parse_selector(text).fits(labels)
    assert parse_selector(text) == Selector(parse_selector(text).requirements)
