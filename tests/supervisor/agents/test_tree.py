"""Which processes belong to an incarnation is decided from a picture of the process table."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from supervisor.agents.identity import Stat
from supervisor.agents.marks import Mark
from supervisor.agents.strays import strays
from supervisor.agents.tree import Picture, Process, Wanted, members, with_descendants

OURS = Mark("web", 3, "home")
OTHERS = Mark("db", 1, "home")
DAEMON = 100
MAIN = 200
WANTED = Wanted(mark=OURS, main=MAIN, start_time=50)


def process(pid: int, parent: int, **facts: Any) -> Process:
    """Return a process; by default in the daemon's session, alive, and as old as its pid says."""
    stat = Stat(
        pid=pid,
        state=facts.get("state", "S"),
        parent=parent,
        group=facts.get("group", 1),
        session=facts.get("session", 1),
        start_time=facts.get("start", pid),
        dead=facts.get("dead", False),
    )
    return Process(stat, facts.get("seal"), facts.get("mark"))


def picture(*processes: Process) -> Picture:
    base = [process(1, 0), process(DAEMON, 1)]
    return Picture({found.pid: found for found in (*base, *processes)}, taken_by=DAEMON)


def main(**facts: Any) -> Process:
    return process(MAIN, DAEMON, **{"start": 50, "session": MAIN, "group": MAIN, "seal": OURS.seal, **facts})


def found(*processes: Process) -> set[int]:
    return {found.pid for found in members(picture(*processes), WANTED)}


def test_the_main_process_belongs_to_it_and_so_does_all_below() -> None:
    assert {MAIN, 201, 202} == found(main(seal=None), process(201, MAIN), process(202, 201), process(300, DAEMON))


def test_an_orphan_that_left_the_session_is_known_by_its_seal() -> None:
    assert {300, 301} == found(process(300, 1, session=300, seal=OURS.seal), process(301, 300))


def test_an_orphan_without_a_seal_is_known_by_its_mark() -> None:
    assert {300} == found(process(300, 1, mark=OURS), process(301, 1, mark=OTHERS))


def test_a_seal_says_more_than_a_mark() -> None:
    assert set() == found(process(300, 1, seal=OTHERS.seal, mark=OURS))


def test_the_session_and_the_group_of_a_main_process_that_is_there_belong_to_it() -> None:
    assert {MAIN, 300, 301} == found(main(), process(300, 1, session=MAIN), process(301, 1, group=MAIN))


def test_a_dead_main_process_that_was_not_reaped_keeps_its_session_certain() -> None:
    assert {300} == found(main(dead=True), process(300, 1, session=MAIN))


def test_the_session_of_a_recycled_pid_is_somebody_elses() -> None:
    recycled = process(MAIN, DAEMON, start=99, session=MAIN, group=MAIN)

    assert set() == found(recycled, process(300, MAIN, session=MAIN, group=MAIN))


def test_a_session_without_its_leader_is_not_taken_for_ours() -> None:
    assert set() == found(process(300, 1, session=MAIN, group=MAIN))


def test_what_has_belonged_to_it_before_still_does_when_its_links_are_gone() -> None:
    orphan, recycled = process(300, 1, start=60), process(301, 1, start=99)
    wanted = evolve(WANTED, kin=frozenset({(300, 60), (301, 61)}))

    assert [found.pid for found in members(picture(orphan, recycled), wanted)] == [300]


def test_what_is_dead_needs_no_killing() -> None:
    assert {MAIN} == found(main(), process(201, MAIN, dead=True))


def test_the_daemon_and_all_above_it_are_never_touched() -> None:
    """Even if a forged mark, or a daemon started by one of its own agents, says otherwise."""
    daemon = process(DAEMON, 50, mark=OURS, seal=OURS.seal)
    above = process(50, 1, mark=OURS)

    assert {60} == found(above, daemon, process(60, 50))


def test_another_incarnation_of_the_unit_is_spared() -> None:
    next_one = process(300, DAEMON, session=300, seal=Mark("web", 4, "home").seal)

    assert {MAIN} == found(main(), next_one, process(301, 300))


def test_the_oldest_comes_first() -> None:
    processes = members(picture(main(), process(201, MAIN, start=70), process(202, MAIN, start=60)), WANTED)

    assert [found.pid for found in processes] == [MAIN, 202, 201]


FORESTS = st.lists(st.integers(min_value=0, max_value=29), min_size=1, max_size=30)


@given(FORESTS, st.sets(st.integers(min_value=0, max_value=29)))
def test_descendants_are_those_whose_chain_of_parents_meets_a_root(parents: list[int], roots: set[int]) -> None:
    """Also in pictures that are inconsistent, where a chain may lead in a circle."""
    table = {pid: process(pid, parent) for pid, parent in enumerate(parents)}
    view = Picture(table, taken_by=0)
    roots &= set(table)

    def meets(pid: int) -> bool:
        return bool(view.lineage(pid) & roots)

    expected = {pid for pid in table if meets(pid)}
    assert expected == with_descendants(view, roots)


# ---- what an earlier daemon has left ----


def leader(pid: int, whose: Mark, **facts: Any) -> Process:
    return process(pid, 1, **{"session": pid, "mark": whose, "seal": whose.seal, **facts})


def test_strays_are_told_by_unit_incarnation_and_age() -> None:
    view = picture(
        leader(300, OURS, start=9),
        process(301, 300, session=300, mark=OURS, start=8),
        leader(302, OURS, start=10),  # a helper that made a session of its own
        leader(200, OTHERS),
        leader(400, Mark("web", 1, "another home")),
        leader(500, OURS, dead=True, start=1),
        process(600, 1),
    )

    told = [(stray.unit, stray.incarnation, stray.identity.pid, stray.main) for stray in strays(view, "home")]

    assert told == [("db", 1, 200, True), ("web", 3, 301, False), ("web", 3, 300, True), ("web", 3, 302, False)]


def test_a_stray_that_has_overwritten_its_environment_is_found_if_its_mark_is_known() -> None:
    view = picture(leader(300, OURS, mark=None))

    assert strays(view, "home") == ()
    (stray,) = strays(view, "home", [OTHERS, OURS])
    assert (stray.unit, stray.incarnation, stray.main) == ("web", 3, True)
