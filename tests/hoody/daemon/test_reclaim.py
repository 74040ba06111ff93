"""What an earlier daemon left running and did not write down: taken up, ended, or left alone."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from hoody.daemon.alive import start_time
from hoody.daemon.reclaim import Sorted, age_of, sort_out
from supervisor.agents.strays import Stray
from supervisor.store.messages import LiveRecord, Progress, UnitRecord
from supervisor.units.driver import Identity
from supervisor.units.spec import AgentSpec
from supervisor.units.status import EndReason, Kind, LastExit, State

NOW = datetime(2030, 1, 2, tzinfo=UTC)


def identity(pid: int) -> Identity:
    return Identity(pid=pid, start_time=1000 + pid, boot_id="boot")


def record(name: str = "web", **progress: Any) -> UnitRecord:
    return UnitRecord(
        kind=Kind.AGENT, name=name, workspace=None, labels={}, revision=1, created_at=NOW,
        spec=AgentSpec(command="sleep 1"), progress=Progress(**progress),
    )  # fmt: skip


def live(incarnation: int, pid: int) -> LiveRecord:
    return LiveRecord(incarnation=incarnation, identity=identity(pid), started_at=NOW)


def ended(incarnation: int) -> LastExit:
    return LastExit(reason=EndReason.EXITED, at=NOW, code=0, incarnation=incarnation)


def stray(incarnation: int, pid: int, *, unit: str = "web", main: bool = True) -> Stray:
    return Stray(unit=unit, incarnation=incarnation, identity=identity(pid), main=main)


def test_a_process_on_record_is_left_to_its_keeper() -> None:
    known = record(state=State.RUNNING, incarnation=3, live=live(3, 30))

    assert sort_out([known], [stray(3, 30), stray(3, 31, main=False)]) == Sorted()


def test_a_command_that_ran_beside_a_unit_is_ended_whether_or_not_the_unit_is_still_there() -> None:
    known = record(state=State.RUNNING, incarnation=3, live=live(3, 30))
    probes = (stray(7, 31, unit="web~probe"), stray(8, 40, unit="gone~probe"))

    assert sort_out([known], [stray(3, 30), *probes]) == Sorted(beside=probes)


def test_a_start_that_was_not_written_down_is_taken_up() -> None:
    fresh, starting = record("fresh"), record("starting", state=State.RUNNING, incarnation=7, exit=ended(6))
    behind = record("behind", state=State.RUNNING, incarnation=2, exit=ended(2))
    found = [stray(1, 10, unit="fresh"), stray(7, 70, unit="starting"), stray(3, 30, unit="behind")]

    sorted_out = sort_out([fresh, starting, behind], found)

    assert {(unit.name, each.incarnation) for unit, each in sorted_out.adopt} == {
        ("fresh", 1), ("starting", 7), ("behind", 3),
    }  # fmt: skip
    assert sorted_out.stop == ()


def test_a_rival_of_a_process_on_record_is_ended() -> None:
    known = record(state=State.RUNNING, incarnation=3, live=live(3, 30))

    sorted_out = sort_out([known], [stray(2, 20), stray(3, 30), stray(4, 40)])

    assert sorted_out.adopt == ()
    assert [each.incarnation for _, each in sorted_out.stop] == [2, 4]


def test_the_newest_of_several_unrecorded_starts_is_taken_up_and_the_others_end() -> None:
    sorted_out = sort_out([record(state=State.RUNNING, incarnation=1, live=live(1, 10))], [stray(2, 20), stray(3, 30)])

    assert [each.incarnation for _, each in sorted_out.adopt] == [3]
    assert [each.incarnation for _, each in sorted_out.stop] == [2]


def test_left_overs_of_an_incarnation_that_has_ended_are_ended_and_not_taken_for_it() -> None:
    rests = record(state=State.EXITED, incarnation=5, exit=ended(5))

    sorted_out = sort_out([rests], [stray(5, 50), stray(5, 51, main=False), stray(4, 40, main=False)])

    assert sorted_out.adopt == ()
    assert [(each.incarnation, each.main) for _, each in sorted_out.stop] == [(5, True), (4, False)]


def test_left_overs_of_a_dead_main_process_on_record_are_ended() -> None:
    known = record(state=State.RUNNING, incarnation=3, live=live(3, 30))

    sorted_out = sort_out([known], [stray(3, 31), stray(3, 32, main=False)])

    assert sorted_out.adopt == ()
    assert [each.identity.pid for _, each in sorted_out.stop] == [31]


def test_a_recycled_pid_is_not_the_process_on_record() -> None:
    recycled = Stray(unit="web", incarnation=3, identity=Identity(pid=30, start_time=9, boot_id="boot"), main=True)

    sorted_out = sort_out([record(incarnation=3, state=State.RUNNING, live=live(3, 30))], [recycled])

    assert [each.identity for _, each in sorted_out.stop] == [recycled.identity]


def test_processes_of_units_that_are_not_defined_are_left_alone() -> None:
    assert sort_out([record()], [stray(1, 10, unit="gone")]) == Sorted(foreign=(stray(1, 10, unit="gone"),))


records = st.builds(
    record,
    st.sampled_from(["a", "b"]),
    state=st.sampled_from([State.RUNNING, State.STOPPED, State.EXITED]),
    incarnation=st.integers(0, 5),
    live=st.none() | st.builds(live, st.integers(1, 5), st.integers(1, 8)),
    exit=st.none() | st.builds(ended, st.integers(0, 5)),
)
strays = st.builds(
    stray, st.integers(1, 6), st.integers(1, 8), unit=st.sampled_from(["a", "b", "c"]), main=st.booleans()
)


@given(st.lists(records, max_size=2, unique_by=lambda record: record.name), st.lists(strays, max_size=8))
def test_at_most_one_incarnation_of_a_unit_survives_and_nothing_undefined_is_touched(
    known: list[UnitRecord], found: list[Stray]
) -> None:
    sorted_out = sort_out(known, found)

    names = {each.name for each in known}
    for name in names:
        stopped = {each.incarnation for unit, each in sorted_out.stop if unit.name == name}
        taken = {each.incarnation for unit, each in sorted_out.adopt if unit.name == name}
        left = {each.incarnation for each in found if each.unit == name} - stopped
        assert len(left) <= 1
        assert taken <= left
    assert set(sorted_out.foreign) == {each for each in found if each.unit not in names}


def test_the_age_of_a_process_is_told_from_the_kernels_clock() -> None:
    mine = Identity(pid=os.getpid(), start_time=start_time(os.getpid()) or 0, boot_id="")

    assert timedelta(0) <= age_of(mine) < timedelta(hours=1)
