"""The life of an actor: its start, its timers, monitors and tasks, its end."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from supervisor.runtime import (
    Actor,
    ActorRef,
    ActorStopped,
    AskTimeout,
    Cancelled,
    ChildEnded,
    ChildStarted,
    ChildUnstoppable,
    CleanupFailed,
    Context,
    Crashed,
    Down,
    Event,
    ExitReason,
    NameTaken,
    Normal,
    Shutdown,
    StartFailed,
    Stopped,
    System,
    actor,
)
from supervisor.runtime.ref import mailbox_of
from supervisor.runtime.testing import EventLog, Probe, run_with_clock, running
from tests.supervisor.runtime.parts import FOREVER, Ask, Do, Message, Note, Notebook, read, root


async def crash(_context: Context[Message]) -> None:
    raise ValueError("boom")


async def stop(context: Context[Message]) -> None:
    context.stop()


def kept(system: System) -> list[ActorRef[Message]]:
    return [system.registry.ref(name) for name in system.registry.names()]


async def test_a8_a_restart_begins_with_fresh_state(autojump_clock: object) -> None:
    async with running(root(actor("book", Notebook, restart=FOREVER))) as system:
        old = system.registry.ref("book")
        old.tell(Note("old"))
        old.tell(Do(crash))
        await trio.testing.wait_all_tasks_blocked()
        new = system.registry.ref("book")

        assert new is not old
        assert old.stopped
        assert await read(new) == ()


async def test_a_crash_is_told_with_its_traceback_and_concerns_nobody_else(autojump_clock: object) -> None:
    log = EventLog()
    system = System()
    system.telemetry.attach(log)
    async with running(root(actor("a", Notebook, restart=FOREVER), actor("b", Notebook)), system=system):
        other = system.registry.ref("b")
        system.registry.ref("a").tell(Do(crash))
        await trio.testing.wait_all_tasks_blocked()
        assert system.registry.ref("b") is other
        (ended,) = log.of(ChildEnded)

    assert ended.path == "root/a"
    assert isinstance(ended.reason, Crashed)
    assert ended.reason.error.__traceback__ is not None


class Lifecycle(Actor[str]):
    """Writes down what happens to it."""

    def __init__(self, seen: list[Any], *, fail: str = "") -> None:
        self.seen = seen
        self.fail = fail

    async def pre_start(self, context: Context[str]) -> None:
        self.seen.append("pre_start")
        if self.fail == "pre_start":
            raise ValueError("no disk")

    async def handle(self, message: str, context: Context[str]) -> None:
        if message == "crash":
            raise ValueError("boom")
        if message == "stop":
            context.stop()

    async def post_stop(self, context: Context[str], reason: ExitReason) -> None:
        self.seen.append(reason)
        self.seen.append(context.system.registry.whereis("life"))
        if self.fail == "post_stop":
            raise ValueError("cleaning up")
        if self.fail == "hang":
            await trio.sleep(math.inf)


@pytest.mark.parametrize(
    ("message", "kind"), [("stop", Normal), ("crash", Crashed), (None, Stopped)], ids=["stop", "crash", "stopped"]
)
async def test_post_stop_learns_the_reason_after_the_name_is_free(
    message: str | None, kind: type[ExitReason], autojump_clock: object
) -> None:
    seen: list[Any] = []
    async with running(root(actor("life", lambda: Lifecycle(seen), restart=FOREVER))) as system:
        if message is not None:
            system.registry.ref("life").tell(message)
            await trio.testing.wait_all_tasks_blocked()

    assert seen[0] == "pre_start"
    assert isinstance(seen[1], kind)
    assert seen[2] is None


async def test_a_failed_pre_start_is_a_failed_start_and_needs_no_post_stop(autojump_clock: object) -> None:
    seen: list[Any] = []
    with pytest.raises(StartFailed, match="'root/life' could not start: ValueError: no disk"):
        async with running(root(actor("life", lambda: Lifecycle(seen, fail="pre_start")))):
            raise AssertionError("it must not come up")

    assert seen == ["pre_start"]


async def test_a_failing_clean_up_is_the_crash_unless_there_was_one_already(autojump_clock: object) -> None:
    log = EventLog()
    system = System()
    system.telemetry.attach(log)
    tree = root(actor("life", lambda: Lifecycle([], fail="post_stop"), restart=FOREVER))
    async with running(tree, system=system):
        for message in ("crash", "stop"):
            system.registry.ref("life").tell(message)
            await trio.testing.wait_all_tasks_blocked()

    reasons = [event.reason for event in log.of(ChildEnded) if event.path == "root/life"]
    assert all(isinstance(reason, Crashed) for reason in reasons)
    errors = [str(reason.error) for reason in reasons if isinstance(reason, Crashed)]
    assert errors == ["boom", "cleaning up", "cleaning up"]
    (beside,) = log.of(CleanupFailed)
    assert isinstance(beside.reason, Crashed)
    assert str(beside.reason.error) == "cleaning up"


async def test_a_clean_up_is_cut_off_at_its_deadline(autojump_clock: object) -> None:
    log = EventLog()
    system = System()
    system.telemetry.attach(log)
    tree = root(actor("life", lambda: Lifecycle([], fail="hang"), cleanup=2.0))
    async with running(tree, system=system):
        started = trio.current_time()

    assert trio.current_time() - started == pytest.approx(2.0)
    assert [type(event.reason) for event in log.of(CleanupFailed)] == [Cancelled]


class SlowFarewell(Actor[str]):
    """Takes its time to clean up."""

    def __init__(self, seconds: float, done: list[str]) -> None:
        self.seconds = seconds
        self.done = done

    async def handle(self, message: str, context: Context[str]) -> None:
        await trio.sleep(math.inf)

    async def post_stop(self, context: Context[str], reason: ExitReason) -> None:
        await trio.sleep(self.seconds)
        self.done.append("clean")


@pytest.mark.parametrize(("busy", "seconds"), [(False, 20), (True, 25)], ids=["idle", "in a handler"])
async def test_a_clean_up_gets_its_own_time_after_the_time_to_stop(
    busy: bool, seconds: float, autojump_clock: object
) -> None:
    log = EventLog()
    system = System()
    system.telemetry.attach(log)
    done: list[str] = []
    slow = actor("slow", lambda: SlowFarewell(20, done), cleanup=30, shutdown=Shutdown(seconds=5, abandon_after=1))

    async with running(root(slow), system=system):
        if busy:
            system.registry.ref("slow").tell("hang")
            await trio.testing.wait_all_tasks_blocked()

    assert done == ["clean"]
    assert trio.current_time() == pytest.approx(seconds)
    assert log.of(ChildUnstoppable) == []


async def test_a_hurry_cuts_a_clean_up_short(autojump_clock: object) -> None:
    log = EventLog()
    system = System()
    system.telemetry.attach(log)
    done: list[str] = []
    slow = [actor(each, lambda: SlowFarewell(20, done), cleanup=30) for each in "ab"]

    async with running(root(*slow), system=system):
        system.shutdown("first")
        await trio.sleep(1)
        system.shutdown("second")

    assert done == []
    assert trio.current_time() == pytest.approx(3)
    assert log.of(ChildUnstoppable) == []
    assert len(log.of(CleanupFailed)) == 2


async def test_an_actor_that_is_slow_to_stop_is_cancelled_after_its_time(autojump_clock: object) -> None:
    log = EventLog()
    system = System()
    system.telemetry.attach(log)

    async def hang(_context: Context[Message]) -> None:
        await trio.sleep(math.inf)

    async with running(root(actor("book", Notebook, shutdown=Shutdown.within(4))), system=system):
        system.registry.ref("book").tell(Do(hang))
        await trio.testing.wait_all_tasks_blocked()
        started = trio.current_time()

    assert trio.current_time() - started == pytest.approx(4)
    assert log.of(ChildEnded)[0].reason == Cancelled("it did not stop within 4 s")


async def test_with_cancel_now_an_actor_gets_no_time(autojump_clock: object) -> None:
    log = EventLog()
    system = System()
    system.telemetry.attach(log)

    async def hang(_context: Context[Message]) -> None:
        await trio.sleep(math.inf)

    async with running(root(actor("book", Notebook, shutdown=Shutdown.cancel_now())), system=system):
        system.registry.ref("book").tell(Do(hang))
        await trio.testing.wait_all_tasks_blocked()

    assert trio.current_time() == 0
    assert log.of(ChildEnded)[0].reason == Stopped("the block is over")


async def test_two_live_actors_cannot_have_one_name(autojump_clock: object) -> None:
    with pytest.raises(StartFailed) as caught:
        async with running(root(actor("a", Notebook, name="same"), actor("b", Notebook, name="same"))):
            raise AssertionError("it must not come up")

    assert isinstance(caught.value.cause, NameTaken)


# ---- monitors ----


async def test_a4_a_monitor_gets_exactly_one_down(autojump_clock: object) -> None:
    probe: Probe[str] = Probe()
    async with running(root(probe.spec(), actor("book", Notebook, restart=FOREVER))) as system:
        ref = system.registry.ref("book")
        monitor = probe.monitor(ref)
        ref.tell(Do(crash))

        down = await probe.expect()

        assert isinstance(down, Down)
        assert (down.monitor, down.ref) == (monitor, ref)
        assert isinstance(down.reason, Crashed)
        await probe.expect_nothing()


async def test_a4_a_monitor_of_a_dead_actor_gets_its_down_at_once(autojump_clock: object) -> None:
    probe: Probe[str] = Probe()
    async with running(root(probe.spec(), actor("book", Notebook, restart=FOREVER))) as system:
        ref = system.registry.ref("book")
        ref.tell(Do(stop))
        await trio.testing.wait_all_tasks_blocked()
        probe.monitor(ref)

        down = await probe.expect(within=0.001)

        assert isinstance(down, Down)
        assert down.reason == Normal()


async def test_a4_after_demonitor_nothing_comes_not_even_what_was_on_its_way(autojump_clock: object) -> None:
    probe: Probe[str] = Probe()
    async with running(root(probe.spec(), actor("book", Notebook, restart=FOREVER))) as system:
        ref = system.registry.ref("book")
        alive = probe.monitor(ref)
        probe.context.demonitor(alive)
        ref.tell(Do(stop))
        await trio.testing.wait_all_tasks_blocked()
        on_its_way = probe.monitor(ref)
        probe.context.demonitor(on_its_way)

        await probe.expect_nothing()


async def test_a4_two_monitors_get_one_down_each_and_a_dead_watcher_none(autojump_clock: object) -> None:
    first: Probe[str] = Probe("first")
    second: Probe[str] = Probe("second")
    tree = root(first.spec(), second.spec(), actor("book", Notebook, restart=FOREVER))
    async with running(tree) as system:
        ref = system.registry.ref("book")
        monitors = {first.monitor(ref), first.monitor(ref)}
        second.monitor(ref)
        second.context.stop()
        await trio.testing.wait_all_tasks_blocked()
        assert set(mailbox_of(ref).watchers or ()) == monitors
        ref.tell(Do(crash))
        await trio.testing.wait_all_tasks_blocked()

        downs = {item.monitor for item in first.received if isinstance(item, Down)}
        assert downs == monitors
        assert not second.received


async def test_a5_the_name_is_free_and_the_asks_have_failed_before_anyone_learns(autojump_clock: object) -> None:
    order: list[str] = []
    system = System()

    class Watcher(Actor[ActorRef[Message]]):
        """Looks around when it gets a Down."""

        async def handle(self, message: ActorRef[Message], context: Context[ActorRef[Message]]) -> None:
            context.monitor(message)

        async def on_down(self, down: Down, context: Context[ActorRef[Message]]) -> None:
            order.append("down")

    def listen(event: Event) -> None:
        if isinstance(event, ChildEnded) and event.path == "root/book":
            order.append(f"parent, name free: {system.registry.whereis('book') is None}")

    system.telemetry.attach(listen)
    async with running(root(actor("watcher", Watcher), actor("book", Notebook, restart=FOREVER)), system=system):
        ref = system.registry.ref("book")
        system.registry.ref("watcher").tell(ref)
        await trio.testing.wait_all_tasks_blocked()

        async def crash_with(_context: Context[Message], _reply: object) -> None:
            raise ValueError

        with pytest.raises(ActorStopped):
            await ref.ask(lambda reply: Ask(crash_with, reply), timeout=5)
        assert system.registry.whereis("book") is not ref
        await trio.testing.wait_all_tasks_blocked()

    assert order[0] == "parent, name free: True"
    assert order.count("down") == 1


# ---- timers ----


class TimerUser(Actor[tuple[Any, ...]]):
    """Starts and cancels timers as it is told; keeps when they fire."""

    def __init__(self, fired: list[tuple[float, str]]) -> None:
        self.fired = fired

    async def handle(self, message: tuple[Any, ...], context: Context[tuple[Any, ...]]) -> None:
        match message:
            case ("start", key, delay, text):
                context.start_timer(key, delay, ("fired", text))
            case ("cancel", key):
                context.cancel_timer(key)
            case ("fired", text):
                self.fired.append((trio.current_time(), text))
            case ("sleep", seconds):
                await trio.sleep(seconds)
            case ("crash",):
                raise ValueError


async def timers(script: list[tuple[Any, ...]]) -> list[tuple[float, str]]:
    fired: list[tuple[float, str]] = []
    async with running(root(actor("t", lambda: TimerUser(fired), restart=FOREVER))) as system:
        for message in script:
            ref = system.registry.whereis("t")
            assert ref is not None
            ref.tell(message)
            await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(100)
        assert len(system.timers) == 0
    return fired


async def test_a_timer_fires_once_at_its_time(autojump_clock: object) -> None:
    assert await timers([("start", "k", 3.0, "x")]) == [(pytest.approx(3.0), "x")]


async def test_a_timer_replaces_the_one_of_its_key(autojump_clock: object) -> None:
    script = [("start", "k", 3.0, "old"), ("start", "k", 5.0, "new"), ("start", "j", 4.0, "other")]

    assert [text for _, text in await timers(script)] == ["other", "new"]


async def test_a_cancelled_timer_is_silent_even_if_it_had_fired(autojump_clock: object) -> None:
    # The handler sleeps over the timer's time, so the cancel comes while its message waits.
    fired: list[tuple[float, str]] = []

    class Sleeper(TimerUser):
        async def handle(self, message: tuple[Any, ...], context: Context[tuple[Any, ...]]) -> None:
            if message == ("go",):
                context.start_timer("k", 1.0, ("fired", "cancelled"))
                context.start_timer("j", 1.0, ("fired", "replaced"))
                await trio.sleep(2)
                context.cancel_timer("k")
                context.start_timer("j", 1.0, ("fired", "new"))
            else:
                await super().handle(message, context)

    async with running(root(actor("t", lambda: Sleeper(fired)))) as system:
        system.registry.ref("t").tell(("go",))
        await trio.sleep(10)

    assert fired == [(pytest.approx(3.0), "new")]


async def test_timers_end_with_their_incarnation(autojump_clock: object) -> None:
    assert await timers([("start", "k", 3.0, "x"), ("crash",)]) == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(1, 50)), max_size=20))
def test_the_last_timer_of_each_key_fires_and_no_other(starts: list[tuple[str, float]]) -> None:
    last = {key: (delay, index) for index, (key, delay) in enumerate(starts)}
    # All are started in the same instant; of two that are due together, the one started first comes first.
    expected = [str(index) for _, index in sorted(last.values())]

    fired = run_with_clock(timers, [("start", key, delay, str(index)) for index, (key, delay) in enumerate(starts)])

    assert [text for _, text in fired] == expected


# ---- background tasks ----


async def test_the_crash_of_a_background_task_is_the_crash_of_the_actor(autojump_clock: object) -> None:
    log = EventLog()
    system = System()
    system.telemetry.attach(log)
    interrupted: list[str] = []

    async def fail_soon() -> None:
        await trio.sleep(1)
        raise ValueError("background")

    async def spawn_and_wait(context: Context[Message]) -> None:
        context.spawn(fail_soon)
        try:
            await trio.sleep(math.inf)
        finally:
            interrupted.append("handler")

    async with running(root(actor("book", Notebook, restart=FOREVER)), system=system):
        system.registry.ref("book").tell(Do(spawn_and_wait))
        ended = await log.wait_for(ChildEnded)

    assert isinstance(ended.reason, Crashed)
    assert str(ended.reason.error) == "background"
    assert interrupted == ["handler"]


async def test_background_tasks_end_before_post_stop_and_before_the_restart(autojump_clock: object) -> None:
    order: list[str] = []

    class Spawner(Actor[str]):
        """Spawns a task that takes its time to end."""

        async def pre_start(self, context: Context[str]) -> None:
            order.append("start")
            context.spawn(self.work, "one")

        async def work(self, name: str) -> None:
            try:
                await trio.sleep(math.inf)
            finally:
                with trio.CancelScope(shield=True, deadline=trio.current_time() + 5):
                    await trio.sleep(0.5)
                order.append(name)

        async def handle(self, message: str, context: Context[str]) -> None:
            raise ValueError(message)

        async def post_stop(self, context: Context[str], reason: ExitReason) -> None:
            order.append("post_stop")

    async with running(root(actor("s", Spawner, restart=FOREVER))) as system:
        system.registry.ref("s").tell("crash")
        await trio.sleep(1)
        assert order == ["start", "one", "post_stop", "start"]


async def test_nothing_can_be_spawned_after_the_end(autojump_clock: object) -> None:
    contexts: list[Context[Message]] = []

    async def remember(context: Context[Message]) -> None:
        contexts.append(context)
        context.stop()

    async def task() -> None:
        raise AssertionError("it must not run")

    async with running(root(actor("book", Notebook, restart=FOREVER))) as system:
        system.registry.ref("book").tell(Do(remember))
        await trio.testing.wait_all_tasks_blocked()

        with pytest.raises(ActorStopped):
            contexts[0].spawn(task)


async def test_a_post_reaches_the_handler_in_one_step(autojump_clock: object) -> None:
    probe: Probe[str] = Probe()
    async with running(root(probe.spec())):
        await trio.testing.wait_all_tasks_blocked()
        probe.context.post("now")
        await trio.lowlevel.checkpoint()
        await trio.lowlevel.checkpoint()

        assert list(probe.received) == ["now"]


async def test_an_ask_whose_deadline_is_over_already_times_out(autojump_clock: object) -> None:
    async with running(root(actor("book", Notebook))) as system:

        async def keep(context: Context[Message], reply: object) -> None:
            await trio.sleep(1)

        with pytest.raises(AskTimeout):
            await system.registry.ref("book").ask(lambda reply: Ask(keep, reply), timeout=0)


async def test_starts_and_ends_are_told_in_order(autojump_clock: object) -> None:
    log = EventLog()
    system = System()
    system.telemetry.attach(log)
    async with running(root(actor("a", Notebook), actor("b", Notebook)), system=system):
        assert [ref.name for ref in kept(system)] == ["a", "b"]
        assert log.of(ChildStarted)[0] == ChildStarted(path="root/a", incarnation=1)

    assert log.lives() == ["+root/a", "+root/b", "+root", "-root/b", "-root/a", "-root"]
