"""The health of everything: one word, and what is behind it."""

from __future__ import annotations

from datetime import UTC, datetime

from attrs import evolve

from supervisor.health import HealthWatch, Overall, no_logs
from supervisor.logs import FailingStream
from supervisor.runtime import ChildEnded, ChildGaveUp, ChildStarted, Crashed, RestartScheduled
from supervisor.runtime.reasons import Stopped
from supervisor.store.health import StoreHealth, StoreReport
from supervisor.units.messages import HealthCounts
from supervisor.units.status import Kind

WELL = HealthCounts(
    kind=Kind.AGENT,
    total=2,
    by_state={"RUNNING": 2},
    by_health={"none": 2},
    crash_loops=0,
    unhealthy=(),
    unhealthy_total=0,
)
STORE = "hoody/store"


def crash(path: str) -> ChildEnded:
    return ChildEnded(path=path, incarnation=1, reason=Crashed.by(RuntimeError("boom")))


def test_where_nothing_has_failed_all_is_well() -> None:
    watch = HealthWatch(StoreReport())
    watch(ChildStarted(path=STORE, incarnation=1))

    report = watch.report([WELL])

    assert (report.status, report.ready, report.parts) == (Overall.HEALTHY, True, ())
    assert report.kinds == {"agents": WELL}


def test_a_unit_that_is_not_well_degrades_it_and_leaves_the_daemon_ready() -> None:
    report = HealthWatch(StoreReport()).report([evolve(WELL, unhealthy=("web",), unhealthy_total=1)])

    assert (report.status, report.ready) == (Overall.DEGRADED, True)


def test_a_store_that_cannot_write_degrades_it() -> None:
    store = StoreReport(health=StoreHealth(failing_since=datetime(2026, 1, 1, tzinfo=UTC), error="disk full"))

    report = HealthWatch(store).report([WELL])

    assert (report.status, report.store.error) == (Overall.DEGRADED, "disk full")


def test_output_that_cannot_be_written_degrades_it_and_is_told_with_its_stream() -> None:
    failing = FailingStream(unit="web", stream="stdout", since=1.0, error="disk full")
    logs = evolve(no_logs(), failing=(failing,), failing_total=1)

    report = HealthWatch(StoreReport(), logs=lambda: logs, lost_lines=lambda: 3).report([WELL])

    assert (report.status, report.ready, report.logs.failing) == (Overall.DEGRADED, True, (failing,))
    assert report.lost_log_lines == 3


def test_output_that_was_lost_degrades_it() -> None:
    logs = evolve(no_logs(), lost_bytes=7)

    assert HealthWatch(StoreReport(), logs=lambda: logs).report([WELL]).status is Overall.DEGRADED


def test_a_part_of_the_daemon_that_is_down_makes_it_unhealthy_until_it_is_back() -> None:
    watch = HealthWatch(StoreReport())
    watch(crash(STORE))
    watch(RestartScheduled(path=STORE, delay=0.5, crash_loop=False))

    down = watch.report([WELL])
    watch(ChildStarted(path=STORE, incarnation=2))
    back = watch.report([WELL])

    assert (down.status, down.ready) == (Overall.UNHEALTHY, False)
    assert down.parts[0].detail == "crashed with RuntimeError: boom; next try in 0.5 s"
    assert (back.status, back.parts[0].restarts, back.parts[0].up) == (Overall.HEALTHY, 1, True)
    assert back.parts[0].detail == "crashed with RuntimeError: boom"


def test_a_part_that_has_given_up_says_so() -> None:
    watch = HealthWatch(StoreReport())
    watch(crash("hoody/logs"))
    watch(ChildGaveUp(path="hoody/logs", restarts=3, escalated=True))

    assert watch.report([]).parts[0].detail.endswith("gave up after 3 restarts")


def test_the_keeper_of_a_unit_is_no_part_of_the_daemon() -> None:
    watch = HealthWatch(StoreReport())

    watch(crash("hoody/agents/agents-units/web"))

    assert watch.report([WELL]).ready


def test_a_part_that_was_asked_to_stop_has_not_failed() -> None:
    watch = HealthWatch(StoreReport())

    watch(ChildEnded(path=STORE, incarnation=1, reason=Stopped("the daemon ends")))

    assert watch.report([WELL]).ready
