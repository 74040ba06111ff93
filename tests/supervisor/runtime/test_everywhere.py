"""Whole trees, broken at every single step of the scheduler and at every point of their actors."""

from __future__ import annotations

import pytest
import trio

from supervisor.runtime import (
    Actor,
    ActorRef,
    ActorStopped,
    AskTimeout,
    ChildSpec,
    Context,
    Down,
    ExitReason,
    ReplyDropped,
    StartFailed,
    Strategy,
    System,
    actor,
    dynamic_supervisor,
    run,
    supervisor,
)
from supervisor.runtime.testing import (
    EventLog,
    Faults,
    InjectedFault,
    Scenario,
    Scripted,
    StepLimit,
    cancel_at_every_step,
    crash_at_every_point,
    running,
)
from tests.supervisor.runtime.parts import FOREVER, Do, Message, Note, Notebook, Read, root


class Ordered:
    """A tree of two levels that comes up, works a little and goes down."""

    def __init__(self) -> None:
        self.log = EventLog()
        self.system = System()
        self.system.telemetry.attach(self.log)
        self.asked = 0
        self.ended = 0

    async def run(self) -> None:
        inner = supervisor("inner", children=[actor("b", Notebook), actor("c", Notebook)])
        tree = root(actor("a", Notebook), inner, actor("d", Notebook), strategy=Strategy.REST_FOR_ONE)
        async with trio.open_nursery() as nursery:
            await nursery.start(self._run_tree, tree)
            for name in ("a", "b", "d"):
                nursery.start_soon(self.ask, self.system.registry.ref(name))
            await trio.sleep(1)
            self.system.shutdown("the scenario is over")

    async def _run_tree(self, tree: ChildSpec, task_status: trio.TaskStatus[System]) -> None:
        await run(tree, system=self.system, task_status=task_status)

    async def ask(self, ref: ActorRef[Message]) -> None:
        self.asked += 1
        try:
            await ref.ask(Read, timeout=5)
        except ActorStopped:
            pass
        finally:
            self.ended += 1

    def check(self) -> None:
        lives = [each.removeprefix("-root/") for each in self.log.lives() if each.startswith("-root/")]
        started = [each.removeprefix("+root/") for each in self.log.lives() if each.startswith("+root/")]
        # The reverse of the start order, except that a supervisor, up after its children, ends after them as well.
        expected = [name for name in ("d", "inner/c", "inner/b", "inner", "a") if name in started]
        assert [name for name in lives if name in started] == expected
        assert self.system.registry.names() == ()
        assert self.asked == self.ended
        assert self.system.shells == set()
        assert len(self.system.timers) == 0


def test_a6_cancelled_at_any_step_a_tree_stops_in_reverse_order_and_leaves_nothing() -> None:
    assert cancel_at_every_step(Ordered) > 40


class Restarting:
    """A group restart with a background task, a dynamic supervisor and a monitor in it."""

    def __init__(self) -> None:
        self.children = [Scripted(each) for each in "ab"]
        self.system = System()

    async def run(self) -> None:
        tree = root(
            self.children[0].spec(restart=FOREVER),
            actor("book", Spawner, restart=FOREVER),
            dynamic_supervisor("units", restart=FOREVER),
            self.children[1].spec(restart=FOREVER),
            strategy=Strategy.ONE_FOR_ALL,
        )
        async with running(tree, system=self.system):
            await self.system.dynamic("units").start_child(actor("u", Notebook))
            self.system.registry.ref("book").tell("crash")
            await trio.sleep(1)

    def check(self) -> None:
        assert all(child.live == 0 and child.most_live <= 1 for child in self.children)
        assert self.system.registry.names() == ()
        assert self.system.shells == set()
        assert len(self.system.timers) == 0


class Spawner(Actor[str]):
    """Has a background task, and crashes when told so."""

    async def pre_start(self, context: Context[str]) -> None:
        context.spawn(trio.sleep, 1000)
        context.start_timer("tick", 1000, "tick")

    async def handle(self, message: str, context: Context[str]) -> None:
        raise ValueError(message)


def test_a6_cancelled_at_any_step_of_a_group_restart_nothing_is_left() -> None:
    assert cancel_at_every_step(Restarting) > 50


async def crash(_context: Context[Message]) -> None:
    raise ValueError("crash")


class Fragile(Actor[Message]):
    """Passes a point wherever it could crash."""

    def __init__(self, faults: Faults, notes: list[str]) -> None:
        self.faults = faults
        self.notes = notes

    async def pre_start(self, context: Context[Message]) -> None:
        await self.faults.point("pre_start")
        context.monitor(context.system.registry.ref("watched"))
        context.spawn(self.work)

    async def work(self) -> None:
        await self.faults.point("task")
        await trio.sleep(3)
        await self.faults.point("task later")

    async def handle(self, message: Message, context: Context[Message]) -> None:
        await self.faults.point("handle")
        match message:
            case Note(text):
                self.notes.append(text)
                context.start_timer("again", 1, Note("timer"))
            case Read(reply):
                reply.send(tuple(self.notes))
            case _:
                raise AssertionError(message)
        await self.faults.point("handled")

    async def on_down(self, down: Down, context: Context[Message]) -> None:
        await self.faults.point("down")

    async def post_stop(self, context: Context[Message], reason: ExitReason) -> None:
        await self.faults.point("post_stop")


class CrashesSomewhere:
    """Whatever part of an actor crashes: it alone is restarted, and the rest does not notice."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.bystander = Scripted("bystander")
        self.log = EventLog()
        self.system = System()
        self.system.telemetry.attach(self.log)
        self.answered_at_last = False
        self.came_up = False
        self.crashes = 0

    async def run(self) -> None:
        notes: list[str] = []
        tree = root(
            self.bystander.spec(),
            actor("watched", Notebook, restart=FOREVER),
            dynamic_supervisor("units"),
        )
        async with running(tree, system=self.system):
            units = self.system.dynamic("units")
            fragile = actor("fragile", lambda: Fragile(self.faults, notes), restart=FOREVER)
            try:
                await units.start_child(fragile)
            except StartFailed:
                assert self.faults.passed == ["pre_start"]
                await units.start_child(fragile)
            self.came_up = True
            for _ in range(5):
                ref = self.system.registry.whereis("fragile")
                if ref is not None:
                    ref.offer(Note("x"))
                await trio.sleep(1)
            self.system.registry.ref("watched").tell(Do(crash))
            await trio.sleep(1)
            await self.ask()
            self.crashes = int(self.faults.raised)

    async def ask(self) -> None:
        for _ in range(2):
            try:
                await self.system.registry.ref("fragile").ask(Read, timeout=5)
            except (ActorStopped, AskTimeout, ReplyDropped):
                await trio.sleep(1)
            else:
                self.answered_at_last = True
                return

    def check(self) -> None:
        assert self.came_up
        assert self.answered_at_last
        assert self.bystander.starts == 1
        assert "down" in self.faults.passed
        ends = [each for each in self.log.lives() if each == "-root/units/fragile"]
        assert len(ends) == self.crashes + 1


def test_an_exception_at_any_point_of_an_actor_restarts_it_and_nothing_else() -> None:
    assert crash_at_every_point(CrashesSomewhere) > 20


class Unruly:
    """Breaks its own rule when it is cancelled early."""

    def __init__(self) -> None:
        self.done = False

    async def run(self) -> None:
        await trio.sleep(1)
        self.done = True

    def check(self) -> None:
        assert self.done


def test_the_harness_says_at_which_step_the_rule_was_broken() -> None:
    with pytest.raises(AssertionError) as caught:
        cancel_at_every_step(Unruly)

    assert "cancelled at step" in caught.value.__notes__[0]


def test_the_harness_refuses_scenarios_that_are_too_long() -> None:
    with pytest.raises(StepLimit):
        cancel_at_every_step(Ordered, limit=3)


class FailsAtPoints:
    """Passes two points and has a rule that a fault at the second one breaks."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults

    async def run(self) -> None:
        for point in ("one", "two"):
            try:
                await self.faults.point(point)
            except InjectedFault:
                return

    def check(self) -> None:
        assert self.faults.raise_at != 1


def test_the_harness_says_at_which_point_the_rule_was_broken() -> None:
    with pytest.raises(AssertionError) as caught:
        crash_at_every_point(FailsAtPoints)
    with pytest.raises(StepLimit):
        crash_at_every_point(FailsAtPoints, limit=1)

    assert "with a fault at point 1: ['one', 'two']" in caught.value.__notes__[0]
    made: Scenario = FailsAtPoints(Faults())
    made.check()
