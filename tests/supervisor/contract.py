"""What every driver keeps: one suite, run against the fake and against the real ones.

A driver's own tests derive a class from :class:`DriverContract` and give it a fixture ``world``, a :class:`DriverWorld`
that says how this driver is made to show each behaviour. See ``tests/supervisor/units/test_fake_driver.py``.
"""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from typing import Any

import pytest
import trio
from attrs import define, evolve, field

from supervisor.errors import SpawnFailed
from supervisor.units.driver import Driver, ExitStatus, Identity, Incarnation, Launch


class DriverWorld(ABC):
    """A driver with programs that behave in known ways. Everything started in it is gone when its fixture ends."""

    driver: Driver[Any]
    patience: float = 30.0
    """How long (on trio's clock) anything that should happen may take."""
    quiet: float = 0.3
    """How long to watch for something that should not happen."""
    knows_adopted_exits: bool = True
    """Whether the exit status of an adopted incarnation is known, as it is for processes that are still children."""

    @abstractmethod
    def steady(self) -> Any:
        """Return the spec of a program that runs until a signal ends it, TERM included."""

    @abstractmethod
    def stubborn(self) -> Any:
        """Return the spec of a program that ignores TERM."""

    @abstractmethod
    def exits(self, code: int) -> Any:
        """Return the spec of a program that ends at once with this code."""

    @abstractmethod
    def leaves_helpers(self) -> Any:
        """Return the spec of a program with two more processes that do not end with it; it runs until signalled."""

    @abstractmethod
    def missing(self) -> Any:
        """Return the spec of a program that cannot be started because it does not exist."""

    @abstractmethod
    def helpers(self, incarnation: Incarnation) -> set[int]:
        """Return the live pids of an incarnation other than its main process."""

    @abstractmethod
    def alive(self, pid: int) -> bool:
        """Tell whether a process of that pid exists; one that has ended and was reaped does not."""

    @abstractmethod
    def running(self, unit: str) -> set[int]:
        """Return the live main processes of a unit."""

    async def settled(self, incarnation: Incarnation) -> None:
        """Wait until the program of a new incarnation behaves as its spec says (has installed its handlers)."""
        await trio.lowlevel.checkpoint()


@define
class Ends:
    """Collects what a driver reports through ``on_exit``."""

    seen: list[ExitStatus] = field(factory=list)
    tasks: list[trio.lowlevel.Task | None] = field(factory=list)
    came: trio.Event = field(factory=trio.Event)

    def __call__(self, status: ExitStatus) -> None:
        trio.lowlevel.current_trio_token()  # raises off the trio thread
        self.seen.append(status)
        self.came.set()

    async def one(self, world: DriverWorld) -> ExitStatus:
        """Wait for the report, and make sure that no second one follows."""
        with trio.fail_after(world.patience):
            await self.came.wait()
        await trio.sleep(world.quiet)
        assert len(self.seen) == 1
        return self.seen[0]

    async def none(self, world: DriverWorld) -> None:
        """Make sure that nothing is reported."""
        await trio.sleep(world.quiet)
        assert self.seen == []


def launch(spec: Any, unit: str = "web", incarnation: int = 1) -> Launch[Any]:
    return Launch(unit=unit, incarnation=incarnation, spec=spec)


async def start(world: DriverWorld, spec: Any, ends: Ends, unit: str = "web", number: int = 1) -> Incarnation:
    with trio.fail_after(world.patience):
        incarnation = await world.driver.spawn(launch(spec, unit, number), ends)
        await world.settled(incarnation)
    return incarnation


async def clear(world: DriverWorld, incarnation: Incarnation) -> tuple[int, ...]:
    return await incarnation.clear(deadline=trio.current_time() + world.patience)


class DriverContract:
    """Derive from it, and define a fixture ``world``."""

    # ---- starting ----

    async def test_a_started_incarnation_lives_and_says_who_it_is(self, world: DriverWorld) -> None:
        incarnation = await start(world, world.steady(), Ends())

        assert world.alive(incarnation.identity.pid)
        assert incarnation.identity.boot_id
        assert world.running("web") == {incarnation.identity.pid}

    async def test_each_incarnation_has_an_identity_of_its_own(self, world: DriverWorld) -> None:
        found: set[Identity] = set()

        async def one(number: int) -> None:
            found.add((await start(world, world.steady(), Ends(), f"unit{number}", number)).identity)

        async with trio.open_nursery() as nursery:
            for number in range(1, 9):
                nursery.start_soon(one, number)

        assert len(found) == len({identity.pid for identity in found}) == 8

    async def test_a_program_that_does_not_exist_is_refused_in_words_and_leaves_nothing(
        self, world: DriverWorld
    ) -> None:
        ends = Ends()

        with pytest.raises(SpawnFailed) as caught, trio.fail_after(world.patience):
            await world.driver.spawn(launch(world.missing()), ends)

        assert "no such" in str(caught.value).lower()
        assert world.running("web") == set()
        await ends.none(world)

    async def test_a_start_that_was_cancelled_reports_nothing_from_then_on(self, world: DriverWorld) -> None:
        ends = Ends()
        returned = False
        with trio.CancelScope() as scope:
            scope.cancel(reason="the test wants it so")
            await world.driver.spawn(launch(world.exits(3)), ends)
            returned = True
        before = len(ends.seen)

        await trio.sleep(world.quiet)
        assert len(ends.seen) == (1 if returned else before)

    # ---- exits ----

    @pytest.mark.parametrize("code", [0, 1, 7, 255])
    async def test_the_exit_code_is_reported_once_and_exactly(self, world: DriverWorld, code: int) -> None:
        ends = Ends()
        await start(world, world.exits(code), ends)

        assert await ends.one(world) == ExitStatus(code=code)

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGUSR1])
    async def test_the_signal_that_ended_it_is_reported(self, world: DriverWorld, number: int) -> None:
        ends = Ends()
        incarnation = await start(world, world.steady(), ends)

        incarnation.signal(number)

        status = await ends.one(world)
        assert (None, number) == (status.code, status.signal)
        assert not world.alive(incarnation.identity.pid)

    async def test_the_report_never_comes_from_inside_the_call_that_caused_it(self, world: DriverWorld) -> None:
        ends = Ends()
        incarnation = await start(world, world.steady(), ends)

        incarnation.signal(signal.SIGKILL)

        assert ends.seen == []
        await ends.one(world)

    # ---- signals ----

    async def test_a_stubborn_program_outlives_term_and_not_kill(self, world: DriverWorld) -> None:
        ends = Ends()
        incarnation = await start(world, world.stubborn(), ends)

        incarnation.signal(signal.SIGTERM)
        await ends.none(world)
        incarnation.signal(signal.SIGKILL)

        assert (await ends.one(world)).signal == signal.SIGKILL

    async def test_a_signal_after_the_end_does_nothing(self, world: DriverWorld) -> None:
        ends = Ends()
        incarnation = await start(world, world.exits(0), ends)
        await ends.one(world)

        incarnation.signal(signal.SIGTERM)
        incarnation.signal(signal.SIGKILL, whole_group=False)

        assert len(ends.seen) == 1

    async def test_a_signal_to_the_main_process_alone_spares_its_helpers(self, world: DriverWorld) -> None:
        ends = Ends()
        incarnation = await start(world, world.leaves_helpers(), ends)
        before = world.helpers(incarnation)

        incarnation.signal(signal.SIGKILL, whole_group=False)
        await ends.one(world)

        assert len(before) == 2
        assert all(world.alive(pid) for pid in before)
        assert await clear(world, incarnation) == ()

    # ---- clearing ----

    async def test_clearing_ends_everything_and_reports_the_end_once(self, world: DriverWorld) -> None:
        ends = Ends()
        incarnation = await start(world, world.leaves_helpers(), ends)
        helpers = world.helpers(incarnation)

        assert await clear(world, incarnation) == ()
        assert (await ends.one(world)).signal == signal.SIGKILL
        assert not any(world.alive(pid) for pid in {incarnation.identity.pid, *helpers})

    async def test_clearing_a_stubborn_program_does_not_wait_for_it(self, world: DriverWorld) -> None:
        ends = Ends()
        incarnation = await start(world, world.stubborn(), ends)

        assert await clear(world, incarnation) == ()
        assert (await ends.one(world)).signal == signal.SIGKILL

    async def test_clearing_after_the_end_of_the_main_process_takes_its_helpers(self, world: DriverWorld) -> None:
        ends = Ends()
        incarnation = await start(world, world.leaves_helpers(), ends)
        helpers = world.helpers(incarnation)
        incarnation.signal(signal.SIGKILL, whole_group=False)
        await ends.one(world)

        assert await clear(world, incarnation) == ()
        assert not any(world.alive(pid) for pid in helpers)

    async def test_clearing_again_finds_nothing(self, world: DriverWorld) -> None:
        ends = Ends()
        incarnation = await start(world, world.steady(), ends)

        assert await clear(world, incarnation) == ()
        assert await clear(world, incarnation) == ()
        await ends.one(world)

    async def test_a_cancelled_clearing_can_be_taken_up_again(self, world: DriverWorld) -> None:
        ends = Ends()
        incarnation = await start(world, world.leaves_helpers(), ends)
        helpers = world.helpers(incarnation)
        with trio.CancelScope() as scope:
            scope.cancel(reason="the test wants it so")
            await clear(world, incarnation)

        assert await clear(world, incarnation) == ()
        assert not any(world.alive(pid) for pid in {incarnation.identity.pid, *helpers})

    async def test_clearing_one_unit_spares_the_others(self, world: DriverWorld) -> None:
        kept = await start(world, world.leaves_helpers(), Ends(), "kept", 1)
        ended = await start(world, world.leaves_helpers(), Ends(), "ended", 1)

        assert await clear(world, ended) == ()
        assert world.alive(kept.identity.pid)
        assert len(world.helpers(kept)) == 2

    async def test_clearing_one_incarnation_spares_the_next_one_of_the_unit(self, world: DriverWorld) -> None:
        ends = Ends()
        old = await start(world, world.leaves_helpers(), ends, "web", 1)
        old.signal(signal.SIGKILL, whole_group=False)
        await ends.one(world)
        new = await start(world, world.leaves_helpers(), Ends(), "web", 2)

        assert await clear(world, old) == ()
        assert world.alive(new.identity.pid)
        assert len(world.helpers(new)) == 2

    # ---- letting go and taking up again ----

    async def test_a_detached_incarnation_runs_on_and_reports_nothing(self, world: DriverWorld) -> None:
        ends = Ends()
        incarnation = await start(world, world.steady(), ends)

        incarnation.detach()
        incarnation.detach()

        assert world.alive(incarnation.identity.pid)
        await ends.none(world)

    async def test_detaching_after_the_end_is_harmless(self, world: DriverWorld) -> None:
        ends = Ends()
        incarnation = await start(world, world.exits(0), ends)
        await ends.one(world)

        incarnation.detach()

        assert len(ends.seen) == 1

    async def test_an_adopted_incarnation_reports_its_end_to_its_new_owner_only(self, world: DriverWorld) -> None:
        old_owner, new_owner = Ends(), Ends()
        incarnation = await start(world, world.steady(), old_owner)
        incarnation.detach()

        with trio.fail_after(world.patience):
            adopted = await world.driver.adopt(incarnation.identity, launch(world.steady()), new_owner)
        assert adopted is not None
        assert adopted.identity == incarnation.identity
        adopted.signal(signal.SIGTERM)

        status = await new_owner.one(world)
        assert status.signal == signal.SIGTERM if world.knows_adopted_exits else not status.known
        assert old_owner.seen == []

    async def test_an_adopted_incarnation_is_cleared_like_any_other(self, world: DriverWorld) -> None:
        ends = Ends()
        incarnation = await start(world, world.leaves_helpers(), Ends())
        helpers = world.helpers(incarnation)
        incarnation.detach()
        with trio.fail_after(world.patience):
            adopted = await world.driver.adopt(incarnation.identity, launch(world.leaves_helpers()), ends)
        assert adopted is not None

        assert await clear(world, adopted) == ()
        assert not any(world.alive(pid) for pid in {incarnation.identity.pid, *helpers})
        await ends.one(world)

    async def test_what_has_ended_cannot_be_adopted(self, world: DriverWorld) -> None:
        first, second = Ends(), Ends()
        incarnation = await start(world, world.exits(0), first)
        await first.one(world)

        with trio.fail_after(world.patience):
            adopted = await world.driver.adopt(incarnation.identity, launch(world.exits(0)), second)

        assert adopted is None
        await second.none(world)

    @pytest.mark.parametrize("change", [{"start_time": 1}, {"boot_id": "another-boot"}], ids=["recycled pid", "boot"])
    async def test_a_process_that_is_not_beyond_doubt_the_one_meant_is_never_adopted(
        self, world: DriverWorld, change: dict[str, Any]
    ) -> None:
        ends = Ends()
        incarnation = await start(world, world.steady(), Ends())
        incarnation.detach()

        with trio.fail_after(world.patience):
            adopted = await world.driver.adopt(evolve(incarnation.identity, **change), launch(world.steady()), ends)

        assert adopted is None
        assert world.alive(incarnation.identity.pid)
        await ends.none(world)
