"""Words in braces."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.units.spec import AgentSpec
from supervisor.units.templates import check_templates, has_templates, render

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("abc {}", max_size=3).filter(lambda text: "{" not in text),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3),
)


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("", ""),
        ("{port}", "8080"),
        ("http://x:{port}/{name}", "http://x:8080/web"),
        ("{ports.http}", "8081"),
        ("{{port}}", "{port}"),
        ("${HOME} {} {a b} { port }", "${HOME} {} {a b} { port }"),
        ("{{port}", "{8080"),
        ('{"a":{"b":1}}', '{"a":{"b":1}}'),
    ],
)
def test_templates_are_replaced_and_everything_else_stays(text: str, rendered: str) -> None:
    assert render(text, {"port": "8080", "ports.http": "8081", "name": "web"}) == rendered


@given(JSON)
def test_json_stays_as_it_is(value: object) -> None:
    text = json.dumps(value)

    assert not has_templates(text)
    assert render(text, {}) == text


@given(st.text("{}abc. ", max_size=12))
def test_what_was_checked_can_be_rendered(text: str) -> None:
    values = {"a": "1", "b": "2"}
    try:
        check_templates(text, values)
    except ValueError:
        return
    render(text, values)


def test_a_template_that_is_not_known_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ValueError, match=r"in the value of URL, \{prt\} is not known here; did you mean \{port\}\?"):
        AgentSpec(command="a", environment={"URL": "{prt}"}, ports=("http",))
    with pytest.raises(ValueError, match=r"write \{\{port\}\} for the text itself"):
        AgentSpec(command="a", environment={"URL": "{port}"})
    with pytest.raises(ValueError, match=r"ports\.admin"):
        AgentSpec(command="a", environment={"URL": "{ports.admin}"}, ports=("http",))


@pytest.mark.parametrize("ports", [("",), ("HTTP",), ("a-b",), ("1",), ("a", "a"), ("x" * 33,)])
def test_a_name_that_no_port_can_have_is_refused(ports: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"port|twice"):
        AgentSpec(command="a", ports=ports)
