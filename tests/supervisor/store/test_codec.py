"""What is stored comes back as it was, and what is not ours is refused without harm."""

from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervisor.runtime.policy import OnGiveUp, RestartType
from supervisor.store.codec import (
    Undecodable,
    decode_labels,
    decode_progress,
    decode_spec,
    decode_time,
    encode_labels,
    encode_progress,
    encode_spec,
    encode_time,
)
from supervisor.store.messages import LiveRecord, Progress
from supervisor.units.driver import Identity
from supervisor.units.log_settings import LogSettings
from supervisor.units.probes.spec import Limits
from supervisor.units.quantities import Duration, SignalName, Size
from supervisor.units.spec import AgentSpec, BackoffSpec, Stdin
from supervisor.units.status import Counters, EndReason, Kind, LastExit, State

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
word = st.text(st.sampled_from("abc XYZ-_./é😀\n'\""), min_size=1, max_size=10).filter(str.strip)
seconds = st.floats(0, 1e9, allow_nan=False).map(Duration)
signals = st.sampled_from(["TERM", "KILL", "HUP"]).map(SignalName)
times = st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-7))]))
small = st.integers(0, 2**31)

specs = st.builds(
    AgentSpec,
    command=st.one_of(st.lists(word, min_size=1, max_size=4).map(tuple), st.just("run 'a b'"), st.just("sleep 1")),
    directory=st.none() | text,
    environment=st.dictionaries(st.text("ABC_", min_size=1, max_size=5), text, max_size=3),
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
    environment_files=st.lists(text, max_size=2).map(tuple),
    restart=st.sampled_from(RestartType),
    success_exit_codes=st.lists(st.integers(0, 255), max_size=3).map(tuple),
    success_signals=st.lists(signals, max_size=2).map(tuple),
    backoff=st.builds(BackoffSpec, initial=seconds, factor=st.floats(1, 100), max=seconds, reset_after=seconds),
    max_restarts=small,
    period=seconds,
    on_give_up=st.sampled_from(OnGiveUp),
    start_seconds=seconds,
    stop_signal=signals,
    stop_timeout=seconds,
    logs=st.builds(LogSettings, max_size=st.integers(4096, 2**30), backups=small, compress=st.booleans()),
)
exits = st.builds(
    LastExit,
    reason=st.sampled_from(EndReason),
    at=times,
    code=st.none() | st.integers(0, 255),
    signal=st.none() | st.sampled_from(["SIGKILL", "SIGSEGV"]),
    core_dumped=st.booleans(),
    detail=text,
    incarnation=small,
)
live = st.builds(
    LiveRecord,
    incarnation=small,
    identity=st.builds(Identity, pid=small, start_time=small, boot_id=text),
    started_at=times,
)
progresses = st.builds(
    Progress,
    state=st.sampled_from(State),
    reason=text,
    incarnation=small,
    restarts=small,
    counters=st.builds(Counters, crashes=small, stalls=small),
    exit=st.none() | exits,
    live=st.none() | live,
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)


@given(specs)
def test_every_definition_comes_back_equal(spec: AgentSpec) -> None:
    assert decode_spec(Kind.AGENT, encode_spec(spec)) == spec


@given(progresses)
def test_all_progress_comes_back_equal(progress: Progress) -> None:
    assert decode_progress(encode_progress(progress)) == progress


@given(st.dictionaries(text, text))
def test_labels_come_back_equal(labels: dict[str, str]) -> None:
    assert decode_labels(encode_labels(labels)) == labels


@given(times)
def test_an_instant_comes_back_in_utc_with_its_microseconds(moment: datetime) -> None:
    found = decode_time(encode_time(moment))

    assert found == moment
    assert found.tzinfo is UTC


def test_an_instant_without_a_zone_is_refused_both_ways() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        encode_time(datetime(2030, 1, 1))  # noqa: DTZ001 - the point of the test
    with pytest.raises(Undecodable, match="no time zone"):
        decode_time("2030-01-01T00:00:00")


def test_keys_of_a_newer_version_are_ignored_at_every_depth() -> None:
    document = json.loads(encode_spec(AgentSpec(command="sleep 1")))
    document["invented_later"] = {"deep": [1]}
    document["backoff"]["also_later"] = True

    assert decode_spec(Kind.AGENT, json.dumps(document)) == AgentSpec(command="sleep 1")


def test_keys_that_an_older_version_did_not_write_take_their_defaults() -> None:
    assert decode_spec(Kind.AGENT, '{"command": ["sleep", "1"]}') == AgentSpec(command=("sleep", "1"))
    assert decode_progress("{}") == Progress()


def test_a_definition_is_written_with_its_defaults_and_progress_without() -> None:
    assert json.loads(encode_spec(AgentSpec(command="x")))["stop_timeout"] == 10.0
    assert encode_progress(Progress()) == "{}"


@given(json_values)
def test_a_document_that_is_not_ours_is_refused_with_one_error_class(document: Any) -> None:
    content = json.dumps(document)

    for decode in (lambda value: decode_spec(Kind.AGENT, value), decode_progress, decode_labels):
        with contextlib.suppress(Undecodable):
            decode(content)


@given(st.text() | st.binary() | st.none() | st.integers())
def test_what_is_no_document_is_refused_with_one_error_class(content: object) -> None:
    with contextlib.suppress(Undecodable):
        decode_progress(content)


@given(specs, st.data())
def test_a_text_that_is_cut_off_is_refused(spec: AgentSpec, data: st.DataObject) -> None:
    content = encode_spec(spec)
    cut = content[: data.draw(st.integers(0, len(content) - 1))]

    with pytest.raises(Undecodable):
        decode_spec(Kind.AGENT, cut)


@pytest.mark.parametrize(
    "content",
    [
        '{"command": []}',
        '{"command": [1]}',
        '{"command": "x", "restart": "sometimes"}',
        '{"command": "x", "period": "y"}',
    ],
)
def test_values_that_no_definition_may_have_are_refused(content: str) -> None:
    with pytest.raises(Undecodable):
        decode_spec(Kind.AGENT, content)
