"""Lines of cron are read or refused in words, and their times hold whatever the clocks of a zone do."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from supervisor.convert import definition_document, definition_from_document
from supervisor.errors import InvalidInput
from supervisor.runtime.policy import RestartType
from supervisor.units.schedule import Missed, Overlap, Schedule, local_zone
from supervisor.units.spec import AgentSpec

FIELDS = st.from_regex(r"(\*|[0-9]{1,2})(-[0-9]{1,2})?(/[0-9]{1,2})?(,[0-9]{1,2})?", fullmatch=True)
LINES = st.lists(FIELDS, min_size=5, max_size=5).map(" ".join) | st.text(max_size=30)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"])
INSTANTS = st.integers(1_577_836_800, 2_051_222_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def times(schedule: Schedule, start: datetime, count: int) -> list[str]:
    found = []
    for _ in range(count):
        start = schedule.next_after(start) or pytest.fail("no time to come")
        found.append(start.strftime("%d. %H:%M"))
    return found


@given(LINES, ZONES, INSTANTS)
def test_any_text_is_a_schedule_with_a_time_to_come_or_is_refused_in_words(
    line: str, zone: str, start: datetime
) -> None:
    schedule, refused = None, ""
    try:
        schedule = Schedule(cron=line, timezone=zone)
    except ValueError as error:
        refused = str(error)
    if schedule is None:
        assert "schedule" in refused or "never comes" in refused
        return
    due = schedule.next_after(start)

    assert due is not None
    assert due > start
    assert due.tzinfo is UTC


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("61 * * * *", "its minute cannot be read"),
        ("0 0 30 2 *", "its day-of-month cannot be read"),
        ("* * *", "wrong number of fields"),
        ("0 0 0 0 1#2/3", "is no schedule"),
        ("* * * * *" * 50, "at most 200 plain characters"),
        ("٣ * * * *", "plain characters"),
    ],
)
def test_a_line_that_cannot_be_read_names_the_field(line: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Schedule(cron=line)


def test_a_zone_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no time zone 'Mars/Olympus'"):
        Schedule(cron="0 0 * * *", timezone="Mars/Olympus")
    with pytest.raises(ValueError, match="there is no time zone"):
        Schedule(cron="0 0 * * *", timezone="../../etc/passwd")


def test_the_hours_that_clocks_skip_or_repeat_are_run_once() -> None:
    nightly = Schedule(cron="30 2 * * *", timezone="Europe/Berlin")
    quarterly = Schedule(cron="*/30 * * * *", timezone="Europe/Berlin")

    # In UTC: from 29 March 2026, 01:00 on it is two hours ahead, from 25 October, 01:00 on one.
    assert times(nightly, datetime(2026, 3, 28, tzinfo=UTC), 3) == ["28. 01:30", "29. 01:00", "30. 00:30"]
    assert times(nightly, datetime(2026, 10, 24, tzinfo=UTC), 3) == ["24. 00:30", "25. 00:30", "26. 01:30"]
    assert times(quarterly, datetime(2026, 10, 25, 0, 10, tzinfo=UTC), 3) == ["25. 00:30", "25. 01:00", "25. 01:30"]


def test_without_a_zone_the_times_are_those_of_the_machine() -> None:
    noon = Schedule(cron="0 12 * * *").next_after(datetime(2026, 6, 1, tzinfo=UTC))

    assert noon is not None
    assert noon.astimezone(local_zone()).hour == 12


def test_a_document_says_it_in_one_line_or_in_a_table_and_restart_follows_from_it() -> None:
    short = definition_from_document({"name": "job", "command": "true", "schedule": "*/5 * * * *"})
    table = {"cron": "*/5 * * * *", "timezone": "UTC", "overlap": "kill", "missed": "once"}
    long = definition_from_document({"name": "job", "command": "true", "schedule": table})

    assert short.spec == AgentSpec(command="true", restart=RestartType.TEMPORARY, schedule=Schedule(cron="*/5 * * * *"))
    assert long.spec.schedule == Schedule(cron="*/5 * * * *", timezone="UTC", overlap=Overlap.KILL, missed=Missed.ONCE)
    assert definition_from_document(definition_document(long)) == long


@pytest.mark.parametrize(
    ("schedule", "sentence"),
    [
        ("99 * * * *", "its minute cannot be read"),
        (5, 'expected a line of cron such as "*/5 * * * *", or a table'),
        ({}, "is required"),
        ({"cron": "* * * * *", "overlap": "wait"}, "'wait' is not one of"),
        ({"cron": "* * * * *", "zone": "UTC"}, "zone"),
    ],
)
def test_a_schedule_that_is_none_is_told_with_its_path(schedule: object, sentence: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        definition_from_document({"name": "job", "command": "true", "schedule": schedule})

    (problem,) = caught.value.problems
    assert problem.path.startswith("schedule")
    assert sentence in f"{problem.path} {problem.message}"


def test_a_schedule_and_a_restart_policy_together_are_refused() -> None:
    with pytest.raises(InvalidInput, match="cannot be given together with schedule"):
        definition_from_document({"name": "job", "command": "true", "schedule": "* * * * *", "restart": "always"})


def test_another_schedule_replaces_nothing_that_runs() -> None:
    plain = AgentSpec(command="true")
    timed = AgentSpec(command="true", restart=RestartType.TEMPORARY, schedule=Schedule(cron="* * * * *"))

    assert not plain.is_replaced_by(timed)
    assert not timed.is_replaced_by(plain)
    assert not timed.is_replaced_by(evolve(timed, schedule=Schedule(cron="0 0 * * *")))
    assert timed.is_replaced_by(evolve(timed, command="false"))
