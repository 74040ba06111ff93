"""Units that are probed and limited: what becomes of them, with a real keeper, in virtual time."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import pytest
import trio
from attrs import evolve

from supervisor.errors import SpawnFailed
from supervisor.store.messages import LiveRecord
from supervisor.units.driver import ExitStatus
from supervisor.units.probes.spec import Limits, Liveness, OnUnhealthy, Readiness
from supervisor.units.quantities import Duration
from supervisor.units.services import UnitServices
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Desired, EndReason, Health, State, UnitStatus
from supervisor.units.testing import FakeDriver, FakeInstruments, Program, Shelf, Units, fake_driver, running_units
from tests.supervisor.units.player import MORNING

NO = ExitStatus(code=1)


@pytest.fixture
async def driver(virtual_time: None) -> AsyncIterator[FakeDriver]:
    async with fake_driver(web=Program(), job=Program(runs_for=0.2), dies=Program(runs_for=30.0, ends=NO)) as computer:
        yield computer


@pytest.fixture
def tools() -> FakeInstruments:
    return FakeInstruments()


@pytest.fixture
def services(driver: FakeDriver, tools: FakeInstruments) -> UnitServices:
    return UnitServices(driver=driver, instruments=tools, wall=lambda: MORNING + timedelta(seconds=trio.current_time()))


@pytest.fixture
async def units(services: UnitServices) -> AsyncIterator[Units]:
    async with running_units(services) as found:
        yield found


def spec(name: str = "web", **more: Any) -> AgentSpec:
    return AgentSpec(command=(name,), **more)


def looking(**more: Any) -> Readiness:
    return Readiness(exec=("is-ready",), interval=Duration(1), timeout=Duration(2), **more)


def checking(**more: Any) -> Liveness:
    changes = {"interval": Duration(10), "timeout": Duration(2), "start_period": Duration(0), **more}
    return Liveness(exec=("is-alive",), **changes)


async def until(units: Units, wanted: Callable[[UnitStatus], object], name: str = "web") -> UnitStatus:
    with trio.fail_after(1000):
        while True:
            status = (await units.get(name)).status
            if wanted(status):
                return status
            await trio.sleep(0.05)


async def status(units: Units, name: str = "web") -> UnitStatus:
    return (await units.get(name)).status


def tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


# ---- readiness ----


async def test_running_waits_for_readiness(units: Units, tools: FakeInstruments) -> None:
    tools.answers["is-ready"] = NO
    await units.create("web", spec(readiness=looking()))
    await trio.sleep(20)
    before = await status(units)
    tools.answers.clear()
    after = await until(units, lambda status: status.ready)

    assert (before.state, before.ready) == (State.STARTING, False)
    assert before.reason == "not ready yet: the command failed (exited with code 1): it is all broken"
    assert (after.state, after.reason, after.incarnation) == (State.RUNNING, "", 1)


async def test_a_start_that_is_waited_for_is_answered_when_it_is_ready(units: Units, tools: FakeInstruments) -> None:
    tools.takes = 1.5
    await units.create("web", spec(readiness=looking()), start=False)

    view = await units.start("web", wait=True)

    assert (view.status.state, view.status.ready) == (State.RUNNING, True)
    assert trio.current_time() >= 1.5


async def test_what_does_not_become_ready_in_time_could_not_be_started(units: Units, tools: FakeInstruments) -> None:
    tools.answers["is-ready"] = NO
    await units.create("web", spec(readiness=looking(), start_timeout=Duration(5)), start=False)

    with pytest.raises(SpawnFailed, match=r"it did not become ready within 5 s \(the command failed"):
        await units.start("web", wait=True)
    found = await until(units, lambda status: status.exit)

    assert found.exit is not None
    assert found.exit.reason is EndReason.NOT_READY
    assert (found.counters.spawn_failures, found.counters.crashes) == (1, 0)


async def test_a_probe_that_never_answers_is_cut_off_and_counts_as_a_no(units: Units, tools: FakeInstruments) -> None:
    tools.takes = 1000.0
    await units.create("web", spec(readiness=looking()))
    await trio.sleep(10)

    assert (await status(units)).reason == "not ready yet: no answer within 2 s"
    assert tools.cancelled == len(tools.runs) - 1 == 3


async def test_losing_readiness_later_is_shown_and_restarts_nothing(
    units: Units, driver: FakeDriver, tools: FakeInstruments
) -> None:
    await units.create("web", spec(readiness=looking(failures=3)))
    await until(units, lambda status: status.ready)
    tools.answers["is-ready"] = NO
    await trio.sleep(2.5)
    still = await status(units)
    await trio.sleep(10)
    lost = await status(units)
    tools.answers.clear()
    back = await until(units, lambda status: status.ready)

    assert still.ready
    assert (lost.state, lost.ready) == (State.RUNNING, False)
    assert lost.reason.startswith("not ready: the command failed")
    assert (back.state, back.reason, back.incarnation, len(driver.launches)) == (State.RUNNING, "", 1, 1)


async def test_a_probe_that_cannot_be_started_says_why(units: Units, tools: FakeInstruments) -> None:
    tools.answers["is-ready"] = "no such file: 'is-ready'"
    await units.create("web", spec(readiness=looking()))
    await trio.sleep(5)

    assert (await status(units)).reason == "not ready yet: no such file: 'is-ready'"


async def test_a_failure_that_is_worded_anew_each_time_is_told_now_and_then(
    units: Units, tools: FakeInstruments
) -> None:
    await units.create("web", spec(readiness=looking()))
    shown = set()
    for number in range(60):
        tools.answers["is-ready"] = f"no luck at {number}"
        await trio.sleep(0.5)
        shown.add((await status(units)).reason)

    assert 3 <= len(shown) <= 5
    assert (await status(units)).reason.startswith("not ready yet: no luck at ")


async def test_a_line_of_output_makes_it_ready_for_good(units: Units, tools: FakeInstruments) -> None:
    await units.create("web", spec(readiness=Readiness(log=r"listening on port \d+")))
    await trio.sleep(5)
    before = await status(units)
    tools.write(b"listening on port eighty")
    tools.write(b"12:00 listening on port 80")
    await until(units, lambda status: status.ready)
    await trio.sleep(1000)

    assert before.reason == "not ready yet: waiting for line like 'listening on port \\\\d+'"
    assert (await status(units)).ready


# ---- liveness ----


async def test_what_fails_its_liveness_probe_is_restarted_with_a_reason_and_a_counter_of_its_own(
    units: Units, tools: FakeInstruments
) -> None:
    await units.create("web", spec(liveness=checking()))
    well = await until(units, lambda status: status.health is Health.HEALTHY)
    tools.answers["is-alive"] = NO
    await until(units, lambda status: status.exit)
    tools.answers.clear()
    again = await until(units, lambda status: status.health is Health.HEALTHY)

    assert well.incarnation == 1
    assert again.exit is not None
    assert (again.exit.reason, again.incarnation, again.restarts) == (EndReason.LIVENESS, 2, 1)
    assert again.exit.detail == (
        "liveness probe: the command failed (exited with code 1): it is all broken (3 times in a row): ended by SIGTERM"
    )
    assert (again.counters.liveness_failures, again.counters.crashes) == (1, 0)


async def test_too_few_failures_in_a_row_change_nothing(units: Units, tools: FakeInstruments) -> None:
    await units.create("web", spec(liveness=checking(failures=3)))
    await until(units, lambda status: status.health is Health.HEALTHY)
    for _ in range(10):
        tools.answers["is-alive"] = NO
        await trio.sleep(20)
        tools.answers.clear()
        await trio.sleep(10)

    found = await status(units)
    assert (found.health, found.incarnation) == (Health.HEALTHY, 1)


async def test_every_incarnation_begins_with_a_clean_record(units: Units, tools: FakeInstruments) -> None:
    """Four failures, an end, and one more failure: that is not five in a row."""
    await units.create("web", spec("dies", liveness=checking(failures=5, interval=Duration(9))))
    tools.answers["is-alive"] = NO
    await until(units, lambda status: status.incarnation == 3)

    found = await status(units)
    assert found.counters.liveness_failures == 0
    assert found.exit is not None
    assert found.exit.reason is EndReason.CRASHED


async def test_where_it_is_to_be_ignored_ill_health_is_only_shown(units: Units, tools: FakeInstruments) -> None:
    await units.create("web", spec(liveness=checking(), on_unhealthy=OnUnhealthy.IGNORE))
    tools.answers["is-alive"] = NO
    ill = await until(units, lambda status: status.health is Health.UNHEALTHY)
    counts = units.services.roster.counts()
    tools.answers.clear()
    well = await until(units, lambda status: status.health is Health.HEALTHY)

    assert (ill.state, ill.incarnation) == (State.RUNNING, 1)
    assert ill.reason.startswith("unhealthy: the command failed")
    assert (counts.unhealthy, counts.by_health) == (("web",), {"unhealthy": 1})
    assert (well.reason, well.incarnation) == ("", 1)
    assert units.services.roster.counts().unhealthy == ()


async def test_health_is_starting_until_it_is_known_and_none_where_nobody_looks(
    units: Units, tools: FakeInstruments
) -> None:
    tools.takes = 1.0
    await units.create("web", spec(liveness=checking()))
    await units.create("job", spec("web"))
    await trio.sleep(0.5)
    early = await status(units)
    await trio.sleep(1.0)

    assert (early.health, (await status(units)).health) == (Health.STARTING, Health.HEALTHY)
    assert (await status(units, "job")).health is Health.NONE


async def test_failures_in_the_start_period_do_not_count(units: Units, tools: FakeInstruments) -> None:
    tools.answers["is-alive"] = NO
    await units.create("web", spec(liveness=checking(start_period=Duration(120), failures=1)))
    await trio.sleep(100)
    found = await status(units)
    tools.answers.clear()
    await trio.sleep(1.5)

    assert (found.health, found.incarnation) == (Health.STARTING, 1)
    assert (await status(units)).health is Health.HEALTHY


async def test_liveness_waits_until_it_has_been_ready(units: Units, tools: FakeInstruments) -> None:
    tools.answers.update({"is-ready": NO, "is-alive": NO})
    await units.create("web", spec(readiness=looking(), liveness=checking(failures=1)))
    await trio.sleep(50)

    assert {word for _, word in tools.runs} == {"is-ready"}
    assert (await status(units)).incarnation == 1


async def test_a_look_that_waits_for_its_turn_is_not_late(units: Units, tools: FakeInstruments) -> None:
    tools.turns.total_tokens = 1
    tools.takes = 1.5
    for number in range(5):
        await units.create(f"web-{number}", spec("web", liveness=checking(failures=1)))
    await trio.sleep(60)

    assert units.services.roster.counts().by_health == {"healthy": 5}
    assert tools.cancelled == 0


# ---- limits of time ----


async def test_what_runs_for_too_long_is_ended_with_words_of_its_own(units: Units) -> None:
    await units.create("web", spec(limits=Limits(runtime=Duration(7200))))
    await trio.sleep(7190)
    before = await status(units)
    found = await until(units, lambda status: status.exit)

    assert before.incarnation == 1
    assert found.exit is not None
    assert found.exit.reason is EndReason.LIMIT
    assert found.exit.detail == "it ran for 2 h, which is its limit: ended by SIGTERM"
    assert found.counters.limits == 1


async def test_what_is_silent_for_too_long_is_stalled(units: Units, tools: FakeInstruments) -> None:
    await units.create("web", spec(limits=Limits(silence=Duration(600))))
    for _ in range(5):
        await trio.sleep(500)
        tools.write(b"still here")
    before, last = await status(units), trio.current_time()
    found = await until(units, lambda status: status.exit)

    assert before.incarnation == 1
    assert trio.current_time() - last == pytest.approx(600, abs=1)
    assert found.exit is not None
    assert (found.exit.reason, found.counters.stalls) == (EndReason.STALLED, 1)
    assert found.exit.detail == "it wrote nothing for 10 min: ended by SIGTERM"


async def test_silence_is_counted_anew_for_each_incarnation(units: Units, tools: FakeInstruments) -> None:
    await units.create("web", spec("dies", limits=Limits(silence=Duration(50))))
    tools.write(b"hello")

    await until(units, lambda status: status.incarnation == 4)

    assert (await status(units)).counters.stalls == 0


# ---- sd_notify ----


class Mouth:
    """Speaks as the program would."""

    def __init__(self, tools: FakeInstruments) -> None:
        self.name = b"\0" + tools.notify_name("web").encode()

    def say(self, *lines: str) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as mouth:
            mouth.connect(self.name)
            mouth.send("\n".join(lines).encode())


@pytest.fixture
def mouth(tools: FakeInstruments) -> Mouth:
    return Mouth(tools)


NOTIFYING = Readiness(notify=True)
GUARDED = Liveness(notify=True, interval=Duration(30), failures=1, start_period=Duration(0))


async def test_a_program_tells_itself_that_it_is_ready_and_what_it_does(units: Units, mouth: Mouth) -> None:
    await units.create("web", spec(readiness=NOTIFYING))
    await trio.sleep(1)
    before = await status(units)
    mouth.say("STATUS=loading the index")
    loading = await until(units, lambda status: status.says)
    mouth.say("READY=1", "STATUS=serving")
    ready = await until(units, lambda status: status.ready and status.says == "serving")
    mouth.say("STOPPING=1")
    stopping = await until(units, lambda status: not status.ready)

    assert (before.state, before.reason) == (State.STARTING, "not ready yet: waiting for sign of life")
    assert (loading.state, loading.says) == (State.STARTING, "loading the index")
    assert ready.state is State.RUNNING
    assert stopping.reason == "not ready: it says that it is stopping"


async def test_a_stranger_is_not_listened_to(units: Units, tools: FakeInstruments, mouth: Mouth) -> None:
    tools.strangers.add(os.getpid())
    await units.create("web", spec(readiness=NOTIFYING))
    await trio.sleep(1)
    mouth.say("READY=1")
    await trio.sleep(5)

    assert not (await status(units)).ready


async def test_more_time_to_start_is_given_to_who_asks_for_it(units: Units, mouth: Mouth) -> None:
    await units.create("web", spec(readiness=NOTIFYING, start_timeout=Duration(10)))
    for _ in range(5):
        await trio.sleep(8)
        mouth.say("EXTEND_TIMEOUT_USEC=10000000")
    mouth.say("EXTEND_TIMEOUT_USEC=1")
    await trio.sleep(8)
    before = await status(units)
    found = await until(units, lambda status: status.exit)

    assert before.incarnation == 1
    assert found.exit is not None
    assert "did not become ready within 50 s" in found.exit.detail


async def test_a_watchdog_that_is_not_fed_restarts(units: Units, mouth: Mouth) -> None:
    await units.create("web", spec(liveness=GUARDED))
    await trio.sleep(1)
    for _ in range(10):
        mouth.say("WATCHDOG=1")
        await trio.sleep(25)
    fed = await status(units)
    found = await until(units, lambda status: status.exit)

    assert (fed.health, fed.incarnation) == (Health.HEALTHY, 1)
    assert found.exit is not None
    assert found.exit.reason is EndReason.LIVENESS
    assert "no sign of life for 30 s" in found.exit.detail


async def test_a_program_may_say_itself_that_it_is_broken_or_ask_for_patience(units: Units, mouth: Mouth) -> None:
    await units.create("web", spec(liveness=GUARDED))
    await trio.sleep(1)
    mouth.say("EXTEND_TIMEOUT_USEC=300000000")
    await trio.sleep(290)
    patient = await status(units)
    mouth.say("WATCHDOG=trigger")
    found = await until(units, lambda status: status.exit)

    assert patient.incarnation == 1
    assert found.exit is not None
    assert "it says itself that it does not work" in found.exit.detail


async def test_a_program_that_talks_without_a_pause_is_no_load(units: Units, mouth: Mouth) -> None:
    await units.create("web", spec(readiness=NOTIFYING))
    await trio.sleep(1)
    shown = set()
    for number in range(200):
        mouth.say(f"STATUS={number}")
        await trio.sleep(0.01)
        shown.add((await status(units)).says)
    await until(units, lambda status: status.says == "199")

    assert len(shown) <= 4


# ---- who is judged, and by how many ----


async def test_a_unit_without_probes_has_no_task_and_no_socket(units: Units) -> None:
    await units.create("plain", spec("web"), start=False)
    await trio.sleep(1)
    before = tasks()
    await units.start("plain", wait=True)
    plain = tasks()
    await units.create("web", spec(liveness=checking()))
    await units.start("web", wait=True)

    # A program of the fake computer has no task of its own.
    assert plain == before
    assert tasks() > plain


async def test_with_the_incarnation_its_judges_end(units: Units, tools: FakeInstruments) -> None:
    await units.create("web", spec(readiness=looking(), liveness=checking(), limits=Limits(runtime=Duration(10_000))))
    await units.create("job", spec("web"), start=False)
    await trio.sleep(0.5)
    await units.stop("web", wait=True)
    stopped, runs = tasks(), len(tools.runs)
    await trio.sleep(1000)

    assert len(tools.runs) == runs
    assert tasks() == stopped


async def test_a_stop_does_not_wait_for_a_probe_that_hangs(units: Units, tools: FakeInstruments) -> None:
    tools.takes = 1000.0
    await units.create("web", spec(readiness=looking()))
    await trio.sleep(0.5)
    began = trio.current_time()
    await units.stop("web", wait=True)

    assert trio.current_time() - began < 1
    assert tools.cancelled == len(tools.runs)


async def test_after_a_crash_of_its_keeper_it_is_judged_again_and_taken_as_ready(
    units: Units, tools: FakeInstruments, driver: FakeDriver
) -> None:
    await units.create("web", spec(readiness=looking(), liveness=checking()))
    await until(units, lambda status: status.ready)
    tools.answers["is-ready"] = NO

    ref = units.system.registry.ref("agents/web")
    ref.tell("nonsense")  # type: ignore[arg-type]
    with trio.fail_after(10):
        while not ref.stopped:  # noqa: ASYNC110 - on the virtual clock
            await trio.sleep(0.001)
    found = await until(units, lambda status: status.state is State.RUNNING)
    lost = await until(units, lambda status: not status.ready)

    assert found.ready
    assert (lost.state, lost.incarnation, len(driver.launches)) == (State.RUNNING, 1, 1)


async def test_the_next_daemon_remembers_that_a_program_has_said_that_it_is_ready(
    services: UnitServices, driver: FakeDriver, mouth: Mouth
) -> None:
    shelf = Shelf()
    async with running_units(services, shelf) as units:
        await units.create("web", spec(readiness=NOTIFYING, liveness=GUARDED))
        await trio.sleep(1)
        mouth.say("READY=1")
        await until(units, lambda status: status.ready)
    live = shelf.record("web").progress.live
    assert isinstance(live, LiveRecord)
    assert live.was_ready

    async with running_units(services, shelf) as units:
        found = await until(units, lambda status: status.state is State.RUNNING)
        mouth.say("WATCHDOG=1", "STATUS=still serving")
        await until(units, lambda status: status.says == "still serving" and status.health is Health.HEALTHY)
        assert found.ready
    assert len(driver.launches) == 1


async def test_what_was_not_ready_yet_gets_its_time_anew_from_the_next_daemon(
    services: UnitServices, tools: FakeInstruments
) -> None:
    tools.answers["is-ready"] = NO
    shelf = Shelf()
    async with running_units(services, shelf) as units:
        await units.create("web", spec(readiness=looking(), start_timeout=Duration(60)))
        await trio.sleep(50)
    async with running_units(services, shelf) as units:
        await trio.sleep(50)
        found = await status(units)
        assert (found.state, found.incarnation) == (State.STARTING, 1)
        await trio.sleep(15)
        assert (await status(units)).counters.spawn_failures == 1
    assert shelf.record("web").desired is Desired.RUNNING


async def test_a_socket_that_cannot_be_bound_ends_in_words_and_not_in_a_crash(
    units: Units, tools: FakeInstruments, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as squatter:
        squatter.bind(b"\0" + tools.notify_name("web").encode())
        await units.create("web", spec(readiness=NOTIFYING, start_timeout=Duration(5)))
        found = await until(units, lambda status: status.exit)

    assert found.exit is not None
    assert found.exit.reason is EndReason.NOT_READY
    assert "cannot be bound: Address already in use" in caplog.text


async def test_where_nothing_came_of_a_start_no_socket_is_left(units: Units, mouth: Mouth) -> None:
    await units.create("web", spec("no-such-program", readiness=NOTIFYING))
    await until(units, lambda status: status.state is State.BACKOFF)

    with pytest.raises(ConnectionRefusedError):
        mouth.say("READY=1")


async def test_a_command_that_looks_runs_as_the_unit_does_and_is_not_probed_itself(
    units: Units, tools: FakeInstruments, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[AgentSpec] = []
    run = tools.run

    async def remember(unit: str, spec: AgentSpec) -> Any:
        made.append(spec)
        return await run(unit, spec)

    monkeypatch.setattr(FakeInstruments, "run", lambda _self, unit, spec: remember(unit, spec))
    asked = spec(readiness=looking(), directory="/srv", environment={"A": "b"}, limits=Limits(runtime=Duration(1000)))
    await units.create("web", asked)
    await until(units, lambda status: status.ready)

    assert made[0] == evolve(asked, command=("is-ready",), readiness=None, limits=Limits())
