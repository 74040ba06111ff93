"""Documents become typed data exactly or not at all, and every fault of a document is told with its path."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from attrs import evolve, frozen
from hypothesis import given
from hypothesis import strategies as st

from supervisor.convert import (
    definition_document,
    definition_from_document,
    keep_hidden_values,
    parse_json,
    parse_time,
    structure,
    unstructure,
)
from supervisor.errors import InvalidInput, MalformedRequest
from supervisor.runtime.policy import OnGiveUp, RestartType
from supervisor.units.log_settings import LogSettings
from supervisor.units.probes.spec import Limits
from supervisor.units.quantities import Duration, SignalName, Size
from supervisor.units.spec import REDACTED, RESERVED_ENVIRONMENT, AgentDefinition, AgentSpec, BackoffSpec, Stdin
from supervisor.units.status import EndReason, Kind, LastExit, UnitStatus, UnitView


@frozen(kw_only=True)
class Sample:
    """One field of each sort that documents hold."""

    text: str = ""
    whole: int = 0
    fraction: float = 0.0
    flag: bool = False
    size: Size = Size(0)
    wait: Duration = Duration(0)
    signal: SignalName = SignalName("TERM")
    at: datetime | None = None
    words: tuple[str, ...] = ()
    choice: RestartType = RestartType.PERMANENT


MINIMAL = {"name": "web", "command": ["true"]}

keys = st.text(st.characters(codec="utf-8", exclude_characters="=\0"), min_size=1, max_size=8)
variables = keys.filter(lambda name: name not in RESERVED_ENVIRONMENT)
plain = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
durations = st.integers(0, 10**9).map(lambda millis: Duration(millis / 1000))
signals = st.sampled_from(["TERM", "KILL", "HUP", "INT", "USR1"]).map(SignalName)
backoffs = st.builds(
    BackoffSpec,
    initial=durations,
    factor=st.floats(1, 100),
    max=durations,
    jitter=st.floats(0, 1),
    reset_after=durations,
)
words = st.lists(plain, max_size=3).map(lambda rest: ("true", *rest))
specs = st.builds(
    AgentSpec,
    command=words,
    directory=st.none() | plain,
    environment=st.dictionaries(variables, plain.filter(lambda text: text != REDACTED), max_size=3),
    limits=st.builds(
        Limits,
        memory=st.none() | st.integers(1 << 20, 1 << 40).map(Size),
        cpu=st.none() | st.floats(0.01, 64),
        processes=st.none() | st.integers(1, 1000),
        open_files=st.none() | st.integers(3, 1000),
        core=st.none() | st.integers(0, 1 << 40).map(Size),
    ),
    stdin=st.sampled_from(Stdin),
    user=st.none() | st.sampled_from(["www-data", 33]),
    group=st.none() | st.just("adm"),
    groups=st.none() | st.lists(st.sampled_from(["adm", 44]), max_size=2).map(tuple),
    umask=st.none() | st.just("027"),
    nice=st.none() | st.integers(-20, 19),
    environment_files=st.lists(plain, max_size=2).map(tuple),
    restart=st.sampled_from(RestartType),
    success_exit_codes=st.lists(st.integers(0, 255), max_size=3).map(tuple),
    success_signals=st.lists(signals, max_size=2).map(tuple),
    backoff=backoffs,
    max_restarts=st.integers(0, 1000),
    period=durations,
    on_give_up=st.sampled_from(OnGiveUp),
    start_seconds=durations,
    stop_signal=signals,
    stop_timeout=durations,
    logs=st.builds(
        LogSettings,
        max_size=st.integers(4096, 2**30).map(Size),
        backups=st.integers(0, 100),
        max_age=st.none() | durations.filter(lambda seconds: seconds >= 1),
        compress=st.booleans(),
    ),
) | st.builds(AgentSpec, command=st.sampled_from(["sleep 1", "echo 'a b'"]), shell=st.booleans())
labels = st.dictionaries(st.from_regex(r"[a-z]{1,6}", fullmatch=True), plain, max_size=3)
definitions = st.builds(
    AgentDefinition,
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_-]{0,20}", fullmatch=True),
    spec=specs,
    workspace=st.none() | st.just("site"),
    labels=labels,
)
documents = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
values_of_any_sort = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("name", "command", "shell", "backoff", "environment", "labels", "spec"), documents)
)


def problems_of(document: object) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        definition_from_document(document)
    return {problem.path: problem.message for problem in caught.value.problems}


@given(definitions)
def test_a_definition_written_flat_reads_back_as_itself(definition: AgentDefinition) -> None:
    document = json.loads(json.dumps(definition_document(definition)))

    assert definition_from_document(document) == definition


@given(definitions)
def test_the_unit_object_that_is_shown_can_be_sent_back(definition: AgentDefinition) -> None:
    document = json.loads(json.dumps(definition_document(_view(definition))))

    assert definition_from_document(document, definition.name) == definition


@given(documents | values_of_any_sort)
def test_any_document_gives_a_definition_or_invalid_input_and_nothing_else(document: object) -> None:
    refused: tuple[object, ...] = ()
    made = None
    try:
        made = definition_from_document(document)
    except InvalidInput as error:
        refused = error.problems

    assert refused or isinstance(made, AgentDefinition)


@given(st.binary(max_size=40) | documents.map(lambda document: json.dumps(document).encode()))
def test_any_bytes_are_a_document_or_a_malformed_request(text: bytes) -> None:
    sentence = "read"
    try:
        parse_json(text)
    except MalformedRequest as error:
        sentence = str(error)

    assert sentence


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("text", 5, "expected text, got a whole number; write it in quotes"),
        ("text", "a\0b", "must not contain a NUL character"),
        ("text", "\ud800", "half of a surrogate pair"),
        ("text", None, "expected text, got null"),
        ("whole", "5", "expected a whole number, got text"),
        ("whole", 5.0, "expected a whole number, got a fraction"),
        ("whole", True, "expected a whole number, got a boolean"),
        ("whole", 10**400, "the number does not fit into 64 bits"),
        ("fraction", "1.5", "expected a number, got text"),
        ("fraction", False, "expected a number, got a boolean"),
        ("fraction", float("nan"), "the number is not finite"),
        ("fraction", float("inf"), "the number is not finite"),
        ("fraction", 10**400, "the number is not finite"),
        ("flag", "no", "expected true or false, got text"),
        ("flag", 1, "expected true or false, got a whole number"),
        ("size", 1.5, "expected a number of bytes"),
        ("size", "5 parsecs", "expected a number of bytes"),
        ("wait", [], "expected a number of seconds"),
        ("wait", -1, "must be between 0 and 100 years, got -1"),
        ("signal", "NOPE", "no such signal: 'NOPE'"),
        ("at", "yesterday", 'expected a time such as "2026-01-31T12:00:00Z"'),
        ("at", "2026-01-31T12:00:00", 'expected a time such as "2026-01-31T12:00:00Z"'),
        ("at", "2026-02-31T12:00:00Z", 'expected a time such as "2026-01-31T12:00:00Z"'),
        ("words", "abc", "expected a list, got text"),
        ("choice", "alway", "did you mean 'always'?"),
        ("choice", 1, 'expected one of "permanent"'),
    ],
)
def test_a_value_of_another_type_is_refused_in_words(key: str, value: object, message: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        structure(Sample, {key: value})

    assert [key] == [problem.path for problem in caught.value.problems]
    assert message in caught.value.problems[0].message


def test_values_of_the_right_type_are_taken_exactly() -> None:
    made = structure(
        Sample,
        {
            "text": "5",
            "whole": 2**63 - 1,
            "fraction": 2,
            "flag": True,
            "size": "1KiB",
            "wait": "1m30s",
            "signal": "sighup",
            "at": "2026-01-31T12:00:00.123456789+02:00",
            "words": ["a", "b"],
            "choice": "on-failure",
        },
    )

    assert made == Sample(
        text="5",
        whole=2**63 - 1,
        fraction=2.0,
        flag=True,
        size=Size(1024),
        wait=Duration(90.0),
        signal=SignalName("HUP"),
        at=datetime(2026, 1, 31, 10, 0, 0, 123456, tzinfo=UTC),
        words=("a", "b"),
        choice=RestartType.TRANSIENT,
    )


def test_every_fault_of_a_document_is_told_at_once_with_its_path() -> None:
    found = problems_of(
        {
            "name": "we/b",
            "comand": "x",
            "backoff": {"inital": 1, "factor": 0.5, "max": "zz"},
            "environment": {"A": 5},
            "success_exit_codes": [1, "2", True],
            "max_restarts": -1,
            "labels": {"a=": "b"},
        }
    )

    assert set(found) == {
        "name",
        "comand",
        "command",
        "backoff.inital",
        "backoff.factor",
        "backoff.max",
        "environment.A",
        "success_exit_codes[1]",
        "success_exit_codes[2]",
        "max_restarts",
        'labels["a="]',
    }
    assert found["comand"] == "there is no such key; did you mean 'command'?"
    assert found["backoff.inital"] == "there is no such key; did you mean 'initial'?"
    assert found["command"] == "is required"
    assert found["backoff.factor"] == "must be >= 1: 0.5"


def test_faults_of_the_unit_object_carry_the_path_in_that_object() -> None:
    found = problems_of({"name": "web", "kind": "container", "spec": {"command": [1]}, "status": 5, "more": 1})

    assert set(found) == {"kind", "spec.command[0]", "more"}


def test_a_rule_between_two_keys_is_told_even_where_one_was_left_out() -> None:
    assert "No closing quotation" in problems_of({"name": "web", "command": "echo 'a"})[""]


def test_a_rule_about_a_key_that_is_at_fault_itself_waits_until_it_is_right() -> None:
    assert set(problems_of({"name": "web", "command": 5, "shell": True})) == {"command"}


@pytest.mark.parametrize("document", [None, 5, "text", [], [MINIMAL], True])
def test_a_definition_that_is_no_table_is_refused(document: object) -> None:
    assert set(problems_of(document)) == {""}


def test_the_name_in_the_document_must_be_the_one_in_the_address() -> None:
    with pytest.raises(InvalidInput, match="not the name in the address"):
        definition_from_document(MINIMAL, "other")

    assert definition_from_document({"command": "true"}, "other").name == "other"


def test_a_hostile_document_is_told_its_first_faults_only() -> None:
    found = problems_of({f"key{number}": number for number in range(100_000)})

    assert len(found) <= 60
    assert "first" in found[""]


def test_no_message_shows_a_value_of_the_environment() -> None:
    with pytest.raises(InvalidInput) as caught:
        definition_from_document({**MINIMAL, "environment": {"KEY": ["hunter2"], "NUL": "hunter2\0", "A=B": "hunter2"}})

    assert "hunter2" not in str(caught.value)


def test_the_environment_is_hidden_unless_a_name_is_asked_for() -> None:
    definition = definition_from_document({**MINIMAL, "environment": {"A": "1", "B": "2"}})

    assert definition_document(definition, reveal=())["environment"] == {"A": REDACTED, "B": REDACTED}
    assert definition_document(definition, reveal={"B"})["environment"] == {"A": REDACTED, "B": "2"}
    assert definition_document(definition)["environment"] == {"A": "1", "B": "2"}
    assert definition_document(_view(definition), reveal=())["spec"]["environment"] == {"A": REDACTED, "B": REDACTED}


def test_a_hidden_value_that_is_sent_back_keeps_what_is_stored() -> None:
    stored = definition_from_document({**MINIMAL, "environment": {"A": "1", "B": "2"}})
    sent = definition_from_document({**MINIMAL, "environment": {"A": REDACTED, "C": "3"}})

    assert keep_hidden_values(sent, stored.spec).spec.environment == {"A": "1", "C": "3"}
    assert keep_hidden_values(stored, None) == stored


def test_a_hidden_value_that_was_never_stored_is_refused_by_name() -> None:
    sent = definition_from_document({**MINIMAL, "environment": {"NEW": REDACTED}})

    with pytest.raises(InvalidInput) as caught:
        keep_hidden_values(sent, None)

    assert [problem.path for problem in caught.value.problems] == ["environment.NEW"]


def test_a_view_is_written_with_numbers_for_status_and_text_for_spec() -> None:
    at = datetime(2026, 1, 31, 12, tzinfo=timezone(timedelta(hours=2)))
    exit_ = LastExit(reason=EndReason.CRASHED, at=at, signal="KILL")
    view = _view(definition_from_document(MINIMAL))

    document = unstructure(evolve(view, status=evolve(view.status, exit=exit_, waiting_for=("db",))))

    assert document["spec"]["stop_timeout"] == "10s"
    assert document["spec"]["restart"] == "permanent"
    assert document["created_at"] == "2026-01-01T00:00:00Z"
    assert document["status"]["exit"]["at"] == "2026-01-31T10:00:00Z"
    assert document["status"]["exit"]["reason"] == "crashed"
    assert document["status"]["waiting_for"] == ["db"]
    assert type(document["kind"]) is str


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON"),
        (b'{"a":1,}', "not valid JSON"),
        (b'{"a":1} x', "not valid JSON"),
        (b"\xef\xbb\xbf{}", "not valid JSON"),
        (b'{"a":"\xff"}', "not valid UTF-8 (byte 6)"),
        (b'{"a":NaN}', "NaN is not a number in JSON"),
        (b'{"a":-Infinity}', "-Infinity is not a number in JSON"),
        (b'{"a":1,"b":{"c":1,"c":2}}', "the key 'c' is given twice"),
        (b'"\\ud800"', "half of a surrogate pair"),
        (b'{"\\udfff":1}', "half of a surrogate pair"),
        (b"[" * 40 + b"]" * 40, "nests deeper than 32 levels"),
        (b"[" * 100_000, "nests deeper than 32 levels"),
        (b"9" * 10_000, "not valid JSON"),
    ],
)
def test_json_that_two_readers_could_read_differently_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(MalformedRequest) as caught:
        parse_json(text)

    assert message in str(caught.value)


def test_json_as_deep_as_allowed_is_read() -> None:
    assert parse_json(b"[" * 32 + b"]" * 32)


def test_a_time_without_an_offset_is_refused_even_as_a_toml_value() -> None:
    with pytest.raises(ValueError, match="without an offset"):
        parse_time(datetime(2026, 1, 31))  # noqa: DTZ001 - the very thing that is refused


def _view(definition: AgentDefinition) -> UnitView:
    return UnitView(
        kind=Kind.AGENT,
        name=definition.name,
        workspace=definition.workspace,
        labels=definition.labels,
        revision=3,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        spec=definition.spec,
        status=UnitStatus(),
    )
