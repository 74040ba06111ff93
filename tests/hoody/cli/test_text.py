"""Nothing that is printed can act on the terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoody.cli.log_lines import LineCleaner
from hoody.cli.table import render_table
from hoody.cli.text import clean, clean_cell, clean_log, cut, pad, width


def harmless(text: str, allowed: str = "") -> bool:
    """No control character, no separator of lines, no mark that turns text around."""
    bad = {"Cc", "Zl", "Zp"}
    turning = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    return all(
        char in allowed or (unicodedata.category(char) not in bad and unicodedata.bidirectional(char) not in turning)
        for char in text
    )


@given(st.text())
def test_whatever_is_cleaned_is_harmless(text: str) -> None:
    assert harmless(clean(text), "\t\n")
    assert harmless(clean_cell(text))
    assert harmless(clean_log(text), "\t\n")


@given(st.text(st.characters(categories=["L", "N", "P", "Zs", "S"])))
def test_text_that_is_only_text_stays_as_it_is(text: str) -> None:
    assert clean(text) == text
    assert clean_cell(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"),
        ("a\rb", "a\\rb"),
        ("a\tb\n", "a\\tb\\n"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202eabc", "\\u202eabc"),
        ("\x7f", "\\x7f"),
    ],
)
def test_control_characters_are_shown_as_what_they_are(text: str, shown: str) -> None:
    assert clean_cell(text) == shown


def test_the_colours_of_a_log_line_are_dropped_and_nothing_else_is_hidden() -> None:
    assert clean_log("\x1b[1;31mred\x1b[0m \x1b]0;title\x07") == "red \\x1b]0;title\\x07"


@given(st.text(), st.integers(0, 30))
def test_what_is_cut_fits_and_says_that_something_is_missing(text: str, columns: int) -> None:
    short = cut(text, columns)

    assert width(short) <= columns
    assert short == text or columns == 0 or short.endswith("…")


@given(st.text(), st.integers(0, 30))
def test_what_is_padded_is_at_least_as_wide(text: str, columns: int) -> None:
    assert width(pad(text, columns)) == max(columns, width(text))


def test_wide_characters_take_two_columns_and_combining_ones_none() -> None:
    assert width("日本") == 4
    assert width("e\u0301") == 1


@given(st.lists(st.lists(st.text(max_size=12), min_size=3, max_size=3), max_size=5))
def test_a_table_has_a_line_per_row_whatever_is_in_the_cells(rows: list[list[str]]) -> None:
    lines = render_table(("A", "B", "C"), rows).split("\n")

    assert len(lines) == len(rows) + 1
    assert all(harmless(line) for line in lines)


@given(st.lists(st.text(st.characters(categories=["L"]), max_size=60), max_size=4), st.integers(20, 60))
def test_a_table_keeps_to_the_width_of_the_terminal(last: list[str], columns: int) -> None:
    table = render_table(("NAME", "COMMAND"), [("web", cell) for cell in last], columns=columns)

    assert all(width(line) <= columns for line in table.split("\n"))


def test_colours_do_not_shift_the_columns() -> None:
    table = render_table(
        ("A", "B"),
        [("x", "y"), ("long", "z")],
        paint=lambda column, text: "red" if text == "x" else None,
        colour=lambda text, colour: f"<{text}>" if colour else text,
    )

    assert table == "A     B\n<x   >  y\nlong  z"


@given(st.lists(st.binary(max_size=20)), st.lists(st.integers(0, 200), max_size=6))
def test_log_lines_come_out_the_same_in_whatever_pieces_they_come(lines: list[bytes], cuts: list[int]) -> None:
    data = b"\n".join(lines)
    whole, pieces = LineCleaner("p "), LineCleaner("p ")
    expected = whole.feed(data) + whole.end()
    found, start = "", 0
    for end in [*sorted(place % (len(data) + 1) for place in cuts), len(data)]:
        found += pieces.feed(data[start:end])
        start = end

    assert found + pieces.end() == expected
    assert harmless(expected, "\t\n")
    assert all(line.startswith("p ") for line in expected.split("\n")[:-1])


def test_a_line_without_an_end_is_not_held_back_for_ever() -> None:
    cleaner = LineCleaner(longest=10)

    assert cleaner.feed(b"x" * 25) == "x" * 10 + "\n" + "x" * 10 + "\n"
    assert cleaner.end() == "x" * 5 + "\n"


def test_colours_stay_where_they_are_wanted_and_end_with_their_line() -> None:
    line = "a \x1b[31mred\x1b[2J word\x07"

    assert clean_log(line, colours=True) == "a \x1b[31mred\\x1b[2J word\\x07\x1b[0m"
    assert clean_log(line) == "a red\\x1b[2J word\\x07"
    assert clean_log("\x07", colours=True) == "\\x07"
