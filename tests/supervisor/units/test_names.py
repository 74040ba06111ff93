"""The names of units."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.units.names import LONGEST_NAME, check_name, nearest


@pytest.mark.parametrize("name", ["a", "web", "web-1", "A.b_c", "0", "x" * LONGEST_NAME])
def test_a_plain_name_is_taken_as_it_is(name: str) -> None:
    assert name == check_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "-a",
        "a/b",
        "a\\b",
        "a b",
        "a\0",
        "ü",
        "x" * 300,
        "web.",
        "a\n",
        None,
        7,
        "../../etc/passwd",
        "%2e",
    ],
)
def test_a_name_that_means_something_to_a_path_a_url_or_a_shell_is_refused_with_the_rule(name: object) -> None:
    with pytest.raises(ValueError, match="a name is 1 to"):
        check_name(name)


@pytest.mark.parametrize("name", ["daemon.log", "Daemon.LOG", "daemon.log.1", "daemon.stderr.log"])
def test_a_name_under_which_the_daemon_keeps_its_own_log_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="keeps its own log"):
        check_name(name)


@given(st.text())
def test_an_accepted_name_is_one_safe_path_segment(name: str) -> None:
    try:
        check_name(name)
    except ValueError:
        return
    assert name.isascii()
    assert not set(name) & set("/\\\0 %?#*")
    assert name not in {"", ".", ".."}


def test_the_nearest_name_is_found_in_spite_of_a_slip_or_of_case() -> None:
    assert nearest("wbe", ["db", "web"]) == "web"
    assert nearest("WEB", ["db", "web"]) == "web"


def test_there_is_no_nearest_name_where_nothing_is_near() -> None:
    assert nearest("zzz", ["db", "web"]) is None
