"""The end of the daemon is bounded, whatever hangs."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest
import trio
from attrs import evolve

from hoody.daemon.control import Control
from hoody.daemon.stopping import LAST_CALL, MARGIN, longest_stop, obey_signals, stop_when_asked
from hoody.daemon.stopping_file import read_waiting_for, remove_waiting_for, write_waiting_for
from hoody.daemon.token import TokenKeeper
from hoody.home import Home, find_home, prepare_home
from supervisor.runtime import ChildSpec, ServiceContext, Shutdown, System, run, supervisor
from supervisor.runtime.testing import run_with_clock
from supervisor.units.dependency import Until
from supervisor.units.quantities import Duration
from supervisor.units.services import Departure
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Kind, UnitStatus, UnitView

NOW = datetime(2030, 1, 2, tzinfo=UTC)


class GivenUp(Exception):
    """Stands for the end of the process."""


async def hangs() -> None:
    """Stand for a part that no cancellation reaches."""
    with trio.CancelScope(shield=True):
        await trio.sleep(10_000)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = find_home({"HOODY_HOME": str(tmp_path)})
    prepare_home(home)
    return home


@pytest.fixture
def control(home: Home) -> Control:
    tokens = TokenKeeper.load_or_create(home.token_file)
    return Control(home=home, instance="test", started_at=NOW, tokens=tokens, departure=Departure())


def view(seconds: float) -> UnitView:
    spec = AgentSpec(command="x", stop_timeout=Duration(seconds))
    return UnitView(
        kind=Kind.AGENT,
        name=f"for-{seconds:g}",
        workspace=None,
        labels={},
        revision=1,
        created_at=NOW,
        spec=spec,
        status=UnitStatus(),
    )


class Ending:
    """Runs a tree whose one child asks for the end of the daemon, and notes when what happens."""

    def __init__(self, control: Control, home: Home, child: Callable[[], Awaitable[None]], *units: UnitView) -> None:
        self.control = control
        self.given_up_at: float | None = None
        self.ended_at = 0.0
        self._home = home
        self._child = child
        self._units = units

    def run(self) -> Ending:
        with contextlib.suppress(ExceptionGroup):
            run_with_clock(self._main)
        return self

    async def _main(self) -> None:
        begin = trio.current_time()
        system = System()

        async def child(context: ServiceContext) -> None:
            context.started()
            self.control.shutdown(leave_units=False)
            await self._child()

        def give_up() -> NoReturn:
            self.given_up_at = trio.current_time() - begin
            raise GivenUp

        spec = ChildSpec("slow", child, shutdown=Shutdown.within(5000))
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(
                    partial(
                        stop_when_asked, system, self.control, self._home, views=lambda: self._units, give_up=give_up
                    )
                )
                await run(supervisor("root", children=[spec]), system=system)
                nursery.cancel_scope.cancel()
        finally:
            self.ended_at = trio.current_time() - begin


def test_an_end_that_takes_too_long_is_hurried(control: Control, home: Home) -> None:
    ending = Ending(control, home, trio.sleep_forever, view(20), view(7)).run()

    assert MARGIN + 20 <= ending.ended_at <= MARGIN + 20 + 5
    assert control.departure.hurried.is_set()
    assert ending.given_up_at is None


def test_a_part_that_hangs_does_not_keep_the_process(control: Control, home: Home) -> None:
    ending = Ending(control, home, hangs).run()

    assert ending.given_up_at == pytest.approx(MARGIN + LAST_CALL, abs=0.1)


def test_a_second_request_hurries_at_once(control: Control, home: Home) -> None:
    async def ask_again() -> None:
        await trio.sleep(1)
        control.shutdown(leave_units=True)
        await trio.sleep_forever()

    ending = Ending(control, home, ask_again, view(20)).run()

    assert ending.ended_at < 5
    assert control.departure.take_units


def test_units_that_are_left_need_no_time(control: Control, home: Home) -> None:
    control.departure.take_units = False
    ending = Ending(control, home, trio.sleep_forever, view(3000))
    control.shutdown(leave_units=True)

    assert ending.run().ended_at <= MARGIN + 5


@pytest.mark.parametrize("content", ["", "3", "{", "null"])
def test_a_broken_file_waits_for_nothing(home: Home, content: str) -> None:
    Path(home.stopping_file).write_text(content)
    Path(home.stopping_file).chmod(0o600)

    assert read_waiting_for(home) == ()


def test_the_longest_stop_timeout_counts() -> None:
    assert longest_stop([]) == 0.0
    assert longest_stop([view(3), view(90), view(10)]) == 90.0


def test_stop_timeouts_along_a_chain_of_dependents_add_up() -> None:
    db, app = view(20), view(30)
    app = evolve(app, name="app", spec=evolve(app.spec, depends_on={"db": Until.READY, "gone": Until.READY}))

    assert longest_stop([evolve(db, name="db"), app, view(40)]) == 50.0


async def test_signals_end_hurry_and_take_up_changes(control: Control) -> None:
    reopened: list[None] = []
    applied: list[None] = []
    hurried: list[None] = []
    control.hurry = lambda: hurried.append(None)

    async def signals() -> AsyncIterator[int]:
        yield signal.SIGHUP
        assert not control.stopping.is_set()
        yield signal.SIGTERM
        assert control.stopping.is_set()
        assert hurried == []
        yield signal.SIGINT

    await obey_signals(signals(), control, lambda: reopened.append(None), apply=lambda: applied.append(None))

    assert (len(reopened), len(hurried), len(applied)) == (1, 1, 1)
    assert control.departure.take_units


def test_the_names_are_written_whole(home: Home) -> None:
    write_waiting_for(home, ["web", "db"])

    assert read_waiting_for(home) == ("web", "db")
    remove_waiting_for(home)
    remove_waiting_for(home)
    assert read_waiting_for(home) == ()
