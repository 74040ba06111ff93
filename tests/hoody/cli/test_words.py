"""How the words of a command line are read: names and globs, definitions, derived names, ends of waits."""

from __future__ import annotations

import signal
from contextlib import suppress
from typing import Any

import attrs
import pytest
from asyncclick import UsageError
from hypothesis import given
from hypothesis import strategies as st

from hoody.cli.definition import PLAIN_FLAGS, definition
from hoody.cli.naming import derive_name
from hoody.cli.options import DURATION, PAIR, SIGNAL, TAIL
from hoody.cli.ordering import waves
from hoody.cli.output import _health, age, command_line, size
from hoody.cli.selecting import expand
from hoody.cli.waiting import GOALS, exit_code, verdict
from supervisor.errors import InvalidInput, NotFound
from supervisor.units.log_settings import LogSettings
from supervisor.units.names import check_name
from supervisor.units.probes.spec import Limits
from supervisor.units.schedule import Schedule
from supervisor.units.spec import AgentSpec, BackoffSpec
from supervisor.units.status import State

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,8}", fullmatch=True)


def parameters(**given: Any) -> dict[str, Any]:
    """What asyncclick hands over for ``run`` when only ``given`` is on the command line."""
    nothing = dict.fromkeys(PLAIN_FLAGS)
    lists: dict[str, Any] = dict.fromkeys(
        (
            "environment",
            "environment_files",
            "labels",
            "success_exit_codes",
            "success_signals",
            "groups",
            "readiness",
            "liveness",
            "depends_on",
            "ports",
        ),
        (),
    )
    return {"words": ("x",), "shell": False, "workspace": None, "directory": None, **nothing, **lists, **given}


@given(st.lists(NAMES, unique=True), st.lists(NAMES))
def test_plain_names_stay_as_they_are_each_once(known: list[str], words: list[str]) -> None:
    assert expand(words, known) == list(dict.fromkeys(words))


@given(st.lists(NAMES, unique=True, min_size=1))
def test_a_star_stands_for_every_name(known: list[str]) -> None:
    assert expand(["*"], known) == known


def test_globs_and_names_mix_in_the_order_given() -> None:
    assert expand(["db", "web*", "web-1"], ["db", "web-1", "web-2", "x"]) == ["db", "web-1", "web-2"]


def test_a_glob_that_matches_nothing_is_an_error() -> None:
    with pytest.raises(NotFound, match="no agent matches 'y\\*'"):
        expand(["db", "y*"], ["db"])


def test_every_key_of_a_definition_has_a_flag() -> None:
    def keys(cls: type) -> set[str]:
        return {field.name for field in attrs.fields(cls)}

    flags = set(PLAIN_FLAGS.values())
    said_otherwise = {"command", "shell", "directory", "environment", "environment_files", "backoff", "logs"}
    said_otherwise |= {
        "success_exit_codes",
        "success_signals",
        "readiness",
        "liveness",
        "limits",
        "depends_on",
        "ports",
        "groups",
        "schedule",
    }
    tables = {"backoff": BackoffSpec, "limits": Limits, "logs": LogSettings, "schedule": Schedule}

    assert keys(AgentSpec) == {flag for flag in flags if "." not in flag} | said_otherwise
    nested = {f"{table}.{key}" for table, cls in tables.items() for key in keys(cls)}
    assert nested == {flag for flag in flags if "." in flag}


def test_dependencies_are_ready_unless_said_otherwise() -> None:
    given = parameters(depends_on=("db", "seed=completed"), on_dependency_restart="restart")

    found = definition(given, {}, "/w")

    assert found["depends_on"] == {"db": "ready", "seed": "completed"}
    assert found["on_dependency_restart"] == "restart"


@pytest.mark.parametrize("words", [("=ready",), ("db=",), ("db", "db=started")])
def test_a_dependency_that_says_nothing_clear_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInput, match="--depends-on"):
        definition(parameters(depends_on=words), {}, "/w")


def test_those_that_depend_on_others_are_stopped_in_earlier_waves() -> None:
    needs = {"db": [], "api": ["db", "elsewhere"], "web": ["api", "db"], "other": []}

    assert waves(["db", "other", "web", "api"], needs) == [["other", "web"], ["api"], ["db"]]
    assert waves(["db", "web"], needs) == [["web"], ["db"]]
    assert waves(["a", "b", "c"], {"a": ["b"], "b": ["a"], "c": ["a"]}) == [["c"], ["a", "b"]]
    assert waves([], {}) == []


def test_only_what_was_given_is_in_a_definition() -> None:
    assert definition(parameters(words=("a", "-b")), {}, "/home/u") == {"command": ["a", "-b"], "directory": "/home/u"}


def test_flags_become_keys() -> None:
    given = parameters(
        words=("echo hi",),
        shell=True,
        environment=("A=1=2", "FROM_HERE"),
        environment_files=(".env", "/etc/env"),
        labels=(("team", "docs"),),
        success_exit_codes=(0, 3),
        success_signals=("TERM",),
        restart="never",
        user="www-data",
        groups=("adm", "44"),
        umask="027",
        nice=5,
        memory=512 << 20,
        cpu=1.5,
        readiness=("http=http://127.0.0.1/?a=b", "interval=250ms", "successes=2"),
        liveness=("notify", "failures=5"),
        silence=600.0,
        backoff_max=30.0,
        stop_timeout=5.0,
    )

    assert definition(given, {"FROM_HERE": "x"}, "/w") == {
        "command": "echo hi",
        "shell": True,
        "directory": "/w",
        "environment": {"A": "1=2", "FROM_HERE": "x"},
        "environment_files": ["/w/.env", "/etc/env"],
        "labels": {"team": "docs"},
        "success_exit_codes": [0, 3],
        "success_signals": ["TERM"],
        "restart": "never",
        "user": "www-data",
        "groups": ["adm", "44"],
        "umask": "027",
        "nice": 5,
        "readiness": {"http": "http://127.0.0.1/?a=b", "interval": "250ms", "successes": 2},
        "liveness": {"notify": True, "failures": 5},
        "limits": {"memory": 512 << 20, "cpu": 1.5, "silence": 600.0},
        "backoff": {"max": 30.0},
        "stop_timeout": 5.0,
    }


@pytest.mark.parametrize(
    ("given", "expected"), [("sub", "/w/sub"), ("/abs", "/abs"), (None, "/w"), (".", "/w/."), ("/", "/")]
)
def test_a_folder_is_meant_from_where_the_command_is_typed(given: str | None, expected: str) -> None:
    assert definition(parameters(directory=given), {}, "/w")["directory"] == expected


def test_in_a_workspace_paths_belong_to_the_workspace() -> None:
    found = definition(parameters(workspace="site", directory="public", environment_files=(".env",)), {}, "/w")

    assert found == {
        "command": ["x"],
        "workspace": "site",
        "directory": "public",
        "environment_files": [".env"],
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"shell": True, "words": ("a", "b")}, "one string, got 2 words"),
        ({"environment": ("NOT_THERE",)}, "no such variable"),
        ({"environment": ("=x",)}, "expects KEY=VALUE"),
        ({"readiness": ("8000",)}, "--readiness expects KEY=VALUE, got '8000'"),
        ({"readiness": ("=8000",)}, "--readiness expects KEY=VALUE"),
        ({"liveness": ("failures=many",)}, "--liveness failures expects a whole number, got 'many'"),
        ({"liveness": ("notify=yes",)}, "--liveness notify expects true or false, got 'yes'"),
    ],
)
def test_a_definition_that_cannot_be_meant_is_refused(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        definition(parameters(**given), {}, "/w")


@given(st.one_of(st.text(), st.lists(st.text(), min_size=1)), st.sets(NAMES))
def test_a_derived_name_is_valid_and_free(command: str | list[str], taken: set[str]) -> None:
    name = derive_name(command, taken)

    assert check_name(name) == name
    assert name not in taken


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["redis-server", "--port", "1"], "redis-server"),
        (["/usr/bin/python3.11", "-u", "app/main.py"], "main"),
        (["python3", "-m", "http.server", "8000"], "http.server"),
        (["node", "server.js"], "server"),
        (["env", "A=1", "node", "server.js"], "server"),
        (["sh", "-c", "sleep 1"], "sh"),
        ("while true; do date; done", "while"),
        (["../"], "agent"),
    ],
)
def test_a_name_says_what_runs(command: str | list[str], name: str) -> None:
    assert derive_name(command, ()) == name


def test_a_taken_name_gets_a_number() -> None:
    assert derive_name(["web"], {"web", "web-2"}) == "web-3"


def unit(
    state: str,
    *,
    ready: bool = False,
    incarnation: int = 1,
    last: dict[str, Any] | None = None,
    health: str = "none",
) -> Any:
    shown = {"state": state, "ready": ready, "health": health, "incarnation": incarnation}
    return {"name": "u", "status": {**shown, "exit": last, "reason": "why"}}


def ended(code: int | None = None, name: str | None = None) -> dict[str, Any]:
    return {"reason": "exited", "code": code, "signal": name}


@pytest.mark.parametrize(
    ("goal", "found", "expected"),
    [
        ("ready", unit("RUNNING"), None),
        ("ready", unit("RUNNING", ready=True), 0),
        ("ready", unit("FATAL"), 1),
        ("running", unit("STARTING"), None),
        ("running", unit("RUNNING"), 0),
        ("running", unit("BACKOFF"), None),
        ("healthy", unit("RUNNING", ready=True), 0),
        ("healthy", unit("RUNNING", ready=True, health="starting"), None),
        ("healthy", unit("RUNNING", ready=True, health="unhealthy"), None),
        ("healthy", unit("RUNNING", ready=False, health="healthy"), None),
        ("healthy", unit("RUNNING", ready=True, health="healthy"), 0),
        ("healthy", unit("FATAL"), 1),
        ("stopped", unit("RUNNING"), None),
        ("stopped", unit("BACKOFF", last=ended(3)), None),
        ("stopped", unit("EXITED", last=ended(3)), 3),
        ("stopped", unit("STOPPED"), 0),
        ("stopped", unit("STOPPED", last=ended(None, "TERM")), 128 + signal.SIGTERM),
        ("exited", unit("RUNNING"), None),
        ("exited", unit("RUNNING", incarnation=2, last=ended(7)), 7),
        ("exited", unit("BACKOFF", last=ended(7)), 7),
        ("exited", unit("FATAL", last=ended(None)), 1),
    ],
)
def test_a_wait_ends_when_its_goal_is_reached_or_cannot_be(goal: Any, found: Any, expected: int | None) -> None:
    end = verdict(goal, found, 1)

    assert (None if end is None else end.code) == expected


@given(
    st.sampled_from(GOALS),
    st.sampled_from([state.value for state in State]),
    st.booleans(),
    st.integers(0, 3),
    st.one_of(st.none(), st.builds(ended, st.integers(0, 255)), st.builds(ended, st.none(), st.sampled_from(["KILL"]))),
)
def test_every_state_is_judged_with_a_code_that_a_shell_can_carry(
    goal: Any, state: str, ready: bool, incarnation: int, last: Any
) -> None:
    end = verdict(goal, unit(state, ready=ready, incarnation=incarnation, last=last), 1)

    assert end is None or 0 <= end.code <= 255


def test_an_unknown_signal_is_still_a_failure() -> None:
    assert exit_code(ended(None, "NEWSIGNAL")) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (DURATION, "1h30m", 5400.0),
        (DURATION, "250ms", 0.25),
        (SIGNAL, "sighup", "HUP"),
        (SIGNAL, "9", "KILL"),
        (PAIR, "a=b=c", ("a", "b=c")),
        (PAIR, "a=", ("a", "")),
        (TAIL, "all", -1),
        (TAIL, "20", 20),
    ],
)
def test_words_become_values(kind: Any, text: str, value: object) -> None:
    assert kind.convert(text, None, None) == value


@given(st.sampled_from([DURATION, SIGNAL, PAIR, TAIL]), st.text())
def test_any_text_is_a_value_or_a_usage_error(kind: Any, text: str) -> None:
    with suppress(UsageError):
        kind.convert(text, None, None)


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0s"), (59.9, "59s"), (192, "3m12s"), (7500, "2h05m"), (360000, "4d04h")]
)
def test_ages_have_two_units(seconds: float, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("amount", "text"), [(512, "512B"), (3_355_443, "3.2MiB"), (200 * 1024, "200KiB"), (5 * 1024**4, "5.0TiB")]
)
def test_sizes_are_short(amount: float, text: str) -> None:
    assert size(amount) == text


def test_a_command_is_shown_as_one_would_type_it() -> None:
    found: Any = {"spec": {"command": ["echo", "a b"]}}

    assert command_line(found) == "echo 'a b'"


@pytest.mark.parametrize(
    ("state", "ready", "health", "shown"),
    [
        ("RUNNING", True, "none", "-"),
        ("RUNNING", True, "healthy", "healthy"),
        ("RUNNING", False, "none", "not ready"),
        ("RUNNING", False, "healthy", "not ready"),
        ("RUNNING", False, "unhealthy", "unhealthy"),
        ("STARTING", False, "starting", "starting"),
        ("BACKOFF", False, "none", "-"),
    ],
)
def test_of_a_units_health_the_gravest_is_shown(state: str, ready: bool, health: str, shown: str) -> None:
    assert _health(unit(state, ready=ready, health=health)["status"]) == shown
