"""One tree of errors, complete and without doubles."""

from __future__ import annotations

import re

import supervisor.errors
from supervisor.errors import HoodyError, InvalidInput, NotFound, Problem, error_class, error_classes


def test_every_code_is_unique_and_stable_looking() -> None:
    codes = [found.code for found in error_classes()]

    assert sorted(set(codes)) == sorted(codes)
    assert all(re.fullmatch(r"[a-z_]+", code) for code in codes)


def test_every_error_has_an_http_status_and_an_exit_code_that_means_failure() -> None:
    for found in error_classes():
        assert 400 <= found.http_status <= 599, found
        assert 1 <= found.exit_code <= 6, found


def test_every_error_of_the_module_is_listed_in_the_tree_at_its_top() -> None:
    listed = set(re.findall(r"^ *[|+\- ]*([A-Z]\w+)", supervisor.errors.__doc__ or "", re.MULTILINE))
    defined = {found.__name__ for found in error_classes() if found.__module__ == "supervisor.errors"}

    assert defined <= listed


def test_a_code_finds_its_class_again_and_an_unknown_one_finds_the_root() -> None:
    assert error_class("not_found") is NotFound
    assert error_class("something_from_the_future") is HoodyError


def test_a_document_error_tells_every_problem_at_once() -> None:
    error = InvalidInput.of("the definition of agent 'web'", [Problem("a.b", "is missing"), Problem("", "is odd")])

    assert str(error) == "the definition of agent 'web' is not valid: a.b: is missing; is odd"
