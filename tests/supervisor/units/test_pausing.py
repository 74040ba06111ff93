"""A pause: nothing of a unit runs, and nothing of it ends."""

from __future__ import annotations

import signal
from typing import Any

import pytest
import trio

from supervisor.errors import InvalidTransition
from supervisor.units.condition import Condition, Phase
from supervisor.units.driver import ExitStatus
from supervisor.units.effects import Freeze, Note, SendSignal
from supervisor.units.events import (
    Adopted,
    Condemned,
    FreezeRefused,
    PauseAsked,
    ReadyChanged,
    Recalled,
    Recorded,
    RestartAsked,
    ResumeAsked,
    StopAsked,
)
from supervisor.units.memory import progress_of
from supervisor.units.probes.spec import Limits, Liveness
from supervisor.units.quantities import Duration, Size
from supervisor.units.services import UnitServices
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Desired, EndReason, State
from supervisor.units.testing import FakeDriver, FakeInstruments, Program, Units, fake_driver, running_units
from tests.supervisor.units.player import MORNING, Player, identity

SENTENCE = "paused: nothing of it runs until it is resumed"


def paused() -> Player:
    player = Player().run()
    player.send(PauseAsked())
    return player


def test_a_pause_freezes_what_runs_and_says_so() -> None:
    player = paused()

    assert [Freeze(1, frozen=True), Note()] == player.effects
    assert (player.phase, player.condition.paused, player.condition.reason) == (Phase.RUNNING, True, SENTENCE)


def test_a_resume_lets_it_run_on() -> None:
    player = paused()

    player.send(ResumeAsked())

    assert [Freeze(1, frozen=False), Note()] == player.effects
    assert (player.phase, player.condition.paused, player.condition.reason) == (Phase.RUNNING, False, "")


def test_what_is_so_already_stays_so() -> None:
    assert paused().send(PauseAsked()) == []
    assert Player().run().send(ResumeAsked()) == []


@pytest.mark.parametrize("event", [PauseAsked(), ResumeAsked()])
def test_only_what_is_running_can_be_paused_and_resumed(event: PauseAsked | ResumeAsked) -> None:
    for player in (Player(), Player().settle(), Player().back_off()):
        before = player.condition

        with pytest.raises(InvalidTransition, match="only what is RUNNING can be"):
            player.send(event)
        assert player.condition is before


@pytest.mark.parametrize("event", [StopAsked(), RestartAsked(), Condemned(1, EndReason.LIMIT, "too long")])
def test_what_is_paused_hears_the_signal_that_ends_it(event: Any) -> None:
    player = paused()

    player.send(event)

    assert player.did(SendSignal)[0].number == signal.SIGTERM
    assert player.did(Freeze) == [Freeze(1, frozen=False)]
    assert player.effects.index(player.did(SendSignal)[0]) < player.effects.index(player.did(Freeze)[0])
    assert not player.condition.paused


def test_what_follows_the_end_of_something_paused_is_not_paused() -> None:
    player = paused()

    player.exited(signal=signal.SIGKILL)
    player.spawned()

    assert not player.condition.paused


def test_a_pause_that_is_refused_is_none_and_says_why() -> None:
    player = paused()

    player.send(FreezeRefused(1, "it could not be paused: not allowed"))

    assert (player.condition.paused, player.condition.reason) == (False, "it could not be paused: not allowed")


def test_a_pause_is_remembered_and_recalled() -> None:
    record = progress_of(paused().condition).live
    assert record is not None
    assert record.paused
    player = Player(condition=Condition(desired=Desired.RUNNING))
    player.send(
        Recalled(Recorded(incarnation=1, identity=identity(1), started_at=MORNING, up_for=99.0, paused=record.paused))
    )

    player.send(Adopted(1))

    assert (player.phase, player.condition.paused, player.condition.reason) == (Phase.RUNNING, True, SENTENCE)
    assert player.did(Freeze) == [Freeze(1, frozen=True)], "whether it had been done is not known"


def test_late_news_of_a_probe_does_not_hide_the_pause() -> None:
    player = paused()

    player.send(ReadyChanged(1, ready=False, detail="no answer"))

    assert player.condition.reason.startswith(SENTENCE)


# ---- with a keeper ----


async def test_a_paused_unit_stays_running_and_is_resumed(units: Units, driver: FakeDriver) -> None:
    await units.create("web")
    await units.start("web", wait=True)

    view = await units.pause("web")
    await trio.sleep(0.01)

    assert (view.status.state, view.status.paused, view.status.reason) == (State.RUNNING, True, SENTENCE)
    assert driver.only("web").frozen
    assert not (await units.resume("web")).status.paused
    await trio.sleep(0.01)
    assert not driver.only("web").frozen


async def test_a_pause_outlives_the_keeper(units: Units, driver: FakeDriver) -> None:
    await units.create("web")
    await units.start("web", wait=True)
    await units.pause("web")
    ref = units.system.registry.ref("agents/web")

    ref.tell("nonsense")
    with trio.fail_after(60):
        while not ref.stopped or (await units.get("web")).status.state is not State.RUNNING:  # noqa: ASYNC110
            await trio.sleep(0.01)

    assert (await units.get("web")).status.paused
    assert driver.only("web").frozen


async def test_many_changes_of_mind_end_with_the_last_one(units: Units, driver: FakeDriver) -> None:
    await units.create("web")
    await units.start("web", wait=True)

    for _ in range(5):
        await units.pause("web")
        await units.resume("web")
    await units.pause("web")
    await trio.sleep(0.01)

    assert driver.only("web").frozen


async def test_what_may_not_be_signalled_is_not_said_to_be_paused(virtual_time: None) -> None:
    async with (
        fake_driver(web=Program(refuses_signals=True)) as driver,
        running_units(UnitServices(driver=driver)) as units,
    ):
        await units.create("web")
        await units.start("web", wait=True)
        await units.pause("web")
        await trio.sleep(0.01)

        status = (await units.get("web")).status
        assert not status.paused
        assert status.reason.startswith("it could not be paused: not allowed to signal")


async def test_what_is_paused_is_not_judged(virtual_time: None) -> None:
    tools = FakeInstruments(answers={"check": ExitStatus(code=1)})
    liveness = Liveness(exec=("check",), interval=Duration(1), start_period=Duration(30), failures=3)
    spec = AgentSpec(command=("web",), liveness=liveness, limits=Limits(silence=Duration(40)))
    async with (
        fake_driver(web=Program()) as driver,
        running_units(UnitServices(driver=driver, instruments=tools)) as units,
    ):
        await units.create("web", spec)
        await units.start("web", wait=True)
        await units.pause("web")
        await trio.sleep(0.01)
        looks = len(tools.runs)

        await trio.sleep(500)
        held = (await units.get("web")).status
        await units.resume("web")
        await trio.sleep(10)

        assert (held.incarnation, len(tools.runs) > looks) == (1, True)
        assert (await units.get("web")).status.incarnation == 1, "its times begin anew"
        await trio.sleep(50)
        assert (await units.get("web")).status.incarnation == 2


async def test_what_exceeds_a_limit_that_is_watched_is_ended_for_it(virtual_time: None) -> None:
    tools = FakeInstruments()
    spec = AgentSpec(command=("web",), limits=Limits(memory=Size(1 << 20)))
    async with (
        fake_driver(web=Program()) as driver,
        running_units(UnitServices(driver=driver, instruments=tools)) as units,
    ):
        await units.create("web", spec)
        await units.start("web", wait=True)

        tools.use_too_much("it used 2MiB of memory, and its limit is 1MiB")
        await trio.sleep(0.5)

        exited = (await units.get("web")).status.exit
        assert exited is not None
        assert (exited.reason, exited.detail.partition(":")[0]) == (
            EndReason.LIMIT,
            "it used 2MiB of memory, and its limit is 1MiB",
        )
