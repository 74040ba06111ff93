"""Every key of a probe refuses what it cannot carry out, with its path and in words."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor.convert import definition_document, definition_from_document
from supervisor.errors import InvalidInput
from supervisor.store.codec import decode_spec, encode_spec
from supervisor.units.probes.pattern import LONGEST_LINE, compile_pattern, matches
from supervisor.units.probes.target import Target, parse_tcp, parse_url
from supervisor.units.status import Kind


def faults(**keys: Any) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        definition_from_document({"name": "web", "command": "serve", **keys})
    return {problem.path: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize(
    ("table", "path", "words"),
    [
        ({}, "", "exactly one of http, tcp, exec, log, heartbeat, notify; got none"),
        ({"tcp": 80, "exec": "check"}, "", "got tcp and exec"),
        ({"notify": False}, "", "got none"),
        ({"http": "https://127.0.0.1/"}, ".http", "https is not spoken"),
        ({"http": "ftp://127.0.0.1/"}, ".http", "expected an address such as"),
        ({"http": "http://"}, ".http", "expected an address such as"),
        ({"http": "http://127.0.0.1:0/"}, ".http", "expected an address such as"),
        ({"http": "http://127.0.0.1:99999/"}, ".http", "expected an address such as"),
        ({"http": "http://u:p@127.0.0.1/"}, ".http", "user or a password"),
        ({"http": "http://127.0.0.1/ö"}, ".http", "printable ASCII"),
        ({"http": "http://127.0.0.1/a\r\nX: y"}, ".http", "printable ASCII"),
        ({"http": "http://example.org/"}, ".http", "'example.org' is not this machine; say allow_remote = true"),
        ({"http": "http://169.254.169.254/"}, ".http", "is not this machine"),
        ({"http": "http://0.0.0.0/"}, ".http", "is not this machine"),
        ({"tcp": "db:5432"}, ".tcp", "'db' is not this machine"),
        ({"tcp": "0"}, ".tcp", "expected a port"),
        ({"tcp": 65536}, ".tcp", "expected a port"),
        ({"tcp": "http"}, ".tcp", "expected a port"),
        ({"tcp": "::1:80"}, ".tcp", "in brackets"),
        ({"tcp": []}, ".tcp", "expected text or a whole number, got a list"),
        ({"exec": []}, ".exec", "must name a program"),
        ({"exec": "  "}, ".exec", "must name a program"),
        ({"exec": "check 'it"}, ".exec", "cannot be split"),
        ({"log": ""}, ".log", "would match every line"),
        ({"log": "("}, ".log", "is not a pattern: missing )"),
        ({"log": "(?=x)"}, ".log", "no look-around"),
        ({"log": "(x{0,1000}){0,100}"}, ".log", "is not a pattern"),
        ({"log": "x" * 1001}, ".log", "at most 1000"),
        ({"heartbeat": " "}, ".heartbeat", "the path of a file"),
        ({"notify": "yes"}, ".notify", "expected true or false"),
        ({"tcp": 80, "interval": 0}, ".interval", "10ms or longer"),
        ({"tcp": 80, "timeout": "1ms"}, ".timeout", "10ms or longer"),
        ({"tcp": 80, "start_period": "soon"}, ".start_period", "expected a number of seconds"),
        ({"tcp": 80, "failures": 0}, ".failures", ">= 1"),
        ({"tcp": 80, "successes": 1.5}, ".successes", "whole number"),
        ({"tcp": 80, "max_age": "1s"}, ".max_age", "for heartbeat only"),
        ({"heartbeat": "beat", "max_age": 0}, ".max_age", "10ms or longer"),
        ({"exec": "check", "allow_remote": True}, ".allow_remote", "for http and tcp only"),
        ({"htpp": "http://127.0.0.1/"}, ".htpp", "did you mean 'http'?"),
        ("tcp=80", "", "expected a table, got text"),
    ],
)
@pytest.mark.parametrize("key", ["readiness", "liveness"])
def test_a_probe_that_cannot_be_carried_out_is_refused(key: str, table: object, path: str, words: str) -> None:
    found = faults(**{key: table})

    # That there must be exactly one way is told of the way that is there, or of the probe.
    told = found.get(f"{key}{path}") or next(iter(found.values()))
    assert words in told
    assert all(where.startswith(key) for where in found)


@pytest.mark.parametrize(
    ("keys", "path", "words"),
    [
        ({"limits": {"runtime": 0}}, "limits.runtime", "leave it out for no limit"),
        ({"limits": {"silence": "-1s"}}, "limits.silence", "expected a number of seconds"),
        ({"limits": {"silense": "1s"}}, "limits.silense", "did you mean 'silence'?"),
        ({"on_unhealthy": "reboot"}, "on_unhealthy", 'is not one of "restart", "ignore"'),
        ({"start_timeout": None}, "start_timeout", "got null"),
    ],
)
def test_limits_of_time_and_what_follows_are_checked(keys: dict[str, Any], path: str, words: str) -> None:
    assert words in faults(**keys)[path]


@pytest.mark.parametrize(
    "keys",
    [
        {"readiness": {"http": "http://localhost:8000/health?deep=1", "interval": "250ms", "timeout": "1s"}},
        {"readiness": {"tcp": 5432}, "liveness": {"tcp": "[::1]:5432", "failures": 5}},
        {"liveness": {"exec": ["./check", "--fast"], "start_period": "1m"}, "on_unhealthy": "ignore"},
        {"liveness": {"exec": "./check --fast"}, "start_timeout": "5m", "readiness": {"log": r"listening on port \d+"}},
        {"liveness": {"heartbeat": "run/beat", "max_age": "30s"}, "limits": {"runtime": "2h", "silence": "10m"}},
        {"readiness": {"notify": True}, "liveness": {"notify": True, "interval": "30s"}},
        {"readiness": {"http": "http://example.org/", "allow_remote": True}},
    ],
)
def test_what_is_read_is_shown_stored_and_read_again_the_same(keys: dict[str, Any]) -> None:
    made = definition_from_document({"name": "web", "command": "serve", **keys})

    assert definition_from_document(definition_document(made)) == made
    assert decode_spec(Kind.AGENT, encode_spec(made.spec)) == made.spec
    assert made.spec.is_judged


def test_addresses_are_read_into_their_parts() -> None:
    assert parse_url("http://127.0.0.1", allow_remote=False) == Target("127.0.0.1", 80, "/")
    assert parse_url("http://[::1]:8000/a?b=c", allow_remote=False) == Target("::1", 8000, "/a?b=c")
    assert parse_tcp("8000", allow_remote=False) == Target("127.0.0.1", 8000)
    assert parse_tcp("[::1]:80", allow_remote=False) == Target("::1", 80)
    assert parse_tcp("db.example:5432", allow_remote=True) == Target("db.example", 5432)
    assert Target("::1", 8000).authority == "[::1]:8000"
    assert Target("127.0.0.1", 80).authority == "127.0.0.1"


def test_a_pattern_is_found_anywhere_in_a_line_and_only_in_the_beginning_of_a_long_one() -> None:
    pattern = compile_pattern(r"port \d+")

    assert matches(pattern, b"listening on port 80")
    assert not matches(pattern, b"listening on Port eighty")
    assert not matches(pattern, b"x" * LONGEST_LINE + b"port 80")
    assert matches(compile_pattern("caf\u00e9"), "the café is open".encode())
    assert not matches(pattern, b"\xff\xfe\x00")


def test_a_pattern_that_would_take_a_backtracking_engine_for_ever_is_searched_at_once() -> None:
    """Python's own engine needs longer than the age of the universe for this one."""
    assert not matches(compile_pattern(r"(x+x+)+y"), b"x" * 10_000)
