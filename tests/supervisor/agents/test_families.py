"""Many incarnations are told apart in one walk through the process table, by the rules for one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from supervisor.agents.families import families
from supervisor.agents.identity import Stat
from supervisor.agents.marks import Mark
from supervisor.agents.tree import Picture, Process, Wanted, members

WEB = Mark("web", 3, "home")
DB = Mark("db", 1, "home")
DAEMON = 100


def process(
    pid: int, parent: int, *, seal: int | None = None, mark: Mark | None = None, session: int = 1, dead: bool = False
) -> Process:
    stat = Stat(pid=pid, state="S", parent=parent, group=session, session=session, start_time=pid, dead=dead)
    return Process(stat, seal, mark)


def picture(*processes: Process) -> Picture:
    base = [process(1, 0), process(DAEMON, 1)]
    return Picture({found.pid: found for found in (*base, *processes)}, taken_by=DAEMON)


def pids(found: tuple[Process, ...]) -> set[int]:
    return {each.pid for each in found}


def test_each_process_is_in_the_family_whose_seal_it_carries() -> None:
    table = picture(
        process(200, DAEMON, seal=WEB.seal, session=200),
        process(201, 200, seal=WEB.seal, session=200),
        process(300, DAEMON, seal=DB.seal, session=300),
        process(301, 1, seal=DB.seal, session=301),
        process(400, DAEMON),
    )

    found = families(table, {WEB: 200, DB: 300})

    assert pids(found[WEB]) == {200, 201}
    assert pids(found[DB]) == {300, 301}


def test_what_a_process_without_a_seal_started_is_found_by_its_mark_its_session_or_its_parent() -> None:
    table = picture(
        process(200, DAEMON, session=200),
        process(201, 1, session=200),
        process(202, 1, mark=WEB, session=202),
        process(203, 202, session=203),
    )

    assert pids(families(table, {WEB: 200})[WEB]) == {200, 201, 202, 203}


def test_a_pid_that_is_somebody_elses_by_now_leads_nobody() -> None:
    table = picture(process(200, 1, seal=DB.seal, session=200), process(201, 200, session=200))

    assert families(table, {WEB: 200})[WEB] == ()


def test_the_dead_and_the_daemon_itself_are_in_no_family() -> None:
    table = picture(process(200, DAEMON, seal=WEB.seal, session=200, dead=True), process(201, 200, seal=WEB.seal))

    assert pids(families(table, {WEB: 200})[WEB]) == {201}
    assert families(picture(), {WEB: DAEMON})[WEB] == ()


def test_processes_that_seem_to_descend_from_each_other_are_no_endless_walk() -> None:
    table = picture(process(200, 201), process(201, 200))

    assert families(table, {WEB: 999})[WEB] == ()


@given(
    st.lists(
        st.tuples(st.integers(0, 11), st.sampled_from([None, WEB.seal, DB.seal]), st.sampled_from([None, WEB, DB])),
        max_size=12,
    )
)
def test_of_one_incarnation_the_walk_finds_what_looking_for_it_alone_finds(facts: list[tuple[int, int, Mark]]) -> None:
    """Where no process of another incarnation is below it: that one is counted where it belongs."""
    made = [
        process(200 + number, 200 + parent if parent < number else DAEMON, seal=seal, mark=None if seal else mark)
        for number, (parent, seal, mark) in enumerate(facts)
    ]
    table = picture(*made)
    alone = {each.pid for each in members(table, Wanted(mark=WEB, main=200, start_time=-1))}

    found = pids(families(table, {WEB: -1})[WEB])

    assert found == alone
