"""What strangers write is shown without doing anything to the terminal that shows it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.logs import neutralise, render, strip_ansi

HOSTILE = st.lists(
    st.one_of(
        st.text(max_size=4), st.sampled_from(["\x1b", "[", "\x1b[", "31m", "0m", ";", "]0;title\x07", "\x9b", "\r"])
    )
).map("".join)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("with\ttab", "with\ttab"),
        ("windows\r", "windows"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b[1;38:5:9mred", "\x1b[1;38:5:9mred\x1b[0m"),
        ("\x1b[2J\x1b[H", "\\x1b[2J\\x1b[H"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("over\rwritten", "over\\x0dwritten"),
        ("\x9b2J", "\\x9b2J"),
        ("\u202eesrever", "\\u202eesrever"),
    ],
)
def test_colours_pass_and_everything_else_is_shown(text: str, shown: str) -> None:
    assert neutralise(text) == shown


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("\x1b[1;31mred\x1b[m", "red"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never ended", ""),
        ("\x1b(Bx\x1b7y", "xy"),
        ("a\tb\nc\x00\x7f", "a\tb\nc"),
        ("trailing \x1b", "trailing "),
    ],
)
def test_sequences_are_taken_out(text: str, plain: str) -> None:
    assert strip_ansi(text) == plain


@given(HOSTILE)
def test_no_control_character_is_left_after_stripping(text: str) -> None:
    assert not [char for char in strip_ansi(text) if (ord(char) < 32 and char not in "\t\n") or 127 <= ord(char) < 160]


@given(HOSTILE)
def test_only_colours_are_left_after_neutralising(text: str) -> None:
    shown = neutralise(text)
    for part in shown.split("\x1b")[1:]:
        assert part.startswith("[")
        assert part[1:].partition("m")[1] == "m"
        assert set(part[1:].partition("m")[0]) <= set("0123456789;:")
    assert not [char for char in shown if (ord(char) < 32 and char not in "\t\x1b") or 127 <= ord(char) < 160]


@given(st.text(), st.binary())
def test_bytes_are_rendered_whatever_they_are(text: str, data: bytes) -> None:
    assert isinstance(render(data), str)
    assert render(text.encode("utf-8", "replace")) == text.encode("utf-8", "replace").decode()
