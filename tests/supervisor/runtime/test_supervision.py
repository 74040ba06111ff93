"""Whole trees on a virtual clock: starts, restarts, stops, and children that misbehave."""

from __future__ import annotations

import math
from functools import partial

import pytest
import trio
import trio.testing

from supervisor.runtime import (
    ActorNotFound,
    ActorStopped,
    AutoShutdown,
    Backoff,
    Cancelled,
    ChildEnded,
    ChildGaveUp,
    ChildNotFound,
    ChildSpec,
    ChildState,
    ChildUnstoppable,
    CleanupFailed,
    Crashed,
    DuplicateChild,
    NameTaken,
    NodeKind,
    OnGiveUp,
    ReplyDropped,
    RestartPolicy,
    RestartScheduled,
    RestartsExhausted,
    RestartType,
    ServiceContext,
    Shutdown,
    StartFailed,
    Stopped,
    Strategy,
    SupervisorBug,
    System,
    TooManyChildren,
    TreeStuck,
    Unstoppable,
    actor,
    dynamic_supervisor,
    run,
    supervisor,
)
from supervisor.runtime.testing import Behaviour, Ending, EventLog, Opening, Scripted, Stopping, running
from tests.supervisor.runtime.parts import FOREVER, Notebook, root

CRASHES = Behaviour(ending=Ending.CRASHES, after=1.0)
STAYS = Behaviour()
ONCE = RestartPolicy(restart=RestartType.TEMPORARY)


def listening() -> tuple[System, EventLog]:
    system, log = System(), EventLog()
    system.telemetry.attach(log)
    return system, log


# ---- start and stop ----


async def test_children_start_in_order_and_stop_in_reverse(autojump_clock: object) -> None:
    trace: list[str] = []
    slow = Behaviour(opening_takes=1.0, stopping_takes=1.0)
    children = [Scripted(each, slow, trace=trace) for each in "abc"]

    async with running(root(*(child.spec() for child in children))):
        assert trio.current_time() == pytest.approx(3)

    assert trace == ["+a", "+b", "+c", "-c", "-b", "-a"]
    assert trio.current_time() == pytest.approx(6)


async def test_a_failed_start_stops_what_was_started_and_names_the_culprit(autojump_clock: object) -> None:
    trace: list[str] = []
    inner = supervisor(
        "inner",
        children=[
            Scripted("b", trace=trace).spec(),
            Scripted("c", Behaviour(opening=Opening.FAILS), trace=trace).spec(),
        ],
    )

    reason = await run(root(Scripted("a", trace=trace).spec(), inner))

    assert isinstance(reason, Crashed)
    assert isinstance(reason.error, StartFailed)
    assert reason.error.path == "root/inner/c"
    assert trace == ["+a", "+b", "+c", "-c", "-b", "-a"]


async def test_a_start_has_a_deadline(autojump_clock: object) -> None:
    hanging = Scripted("a", Behaviour(opening=Opening.HANGS))

    reason = await run(root(hanging.spec(start_within=7)))

    assert trio.current_time() == pytest.approx(7)
    assert isinstance(reason, Crashed)
    assert str(reason.error) == "'root/a' could not start: it was not up within 7 s"


async def test_a_child_that_ends_before_it_says_that_it_is_up_has_not_started(autojump_clock: object) -> None:
    async def forgets(service: ServiceContext) -> None:
        await trio.lowlevel.checkpoint()

    reason = await run(root(ChildSpec("a", forgets)))

    assert isinstance(reason, Crashed)
    assert "it ended before it was up" in str(reason.error)


async def test_whoever_waits_for_the_tree_to_come_up_is_told_why_it_does_not(autojump_clock: object) -> None:
    async with trio.open_nursery() as nursery:
        with pytest.raises(StartFailed, match="fails to start"):
            await nursery.start(run, root(Scripted("a", Behaviour(opening=Opening.FAILS)).spec()))


async def test_a_tree_that_is_stopped_before_it_is_up_says_so(autojump_clock: object) -> None:
    system = System()

    async def stop_soon() -> None:
        await trio.sleep(1)
        system.shutdown("changed my mind")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stop_soon)
        with pytest.raises(StartFailed, match="changed my mind"):
            await nursery.start(partial(run, root(Scripted("a", Behaviour(opening_takes=9)).spec()), system=system))


async def test_independent_children_stop_side_by_side(autojump_clock: object) -> None:
    slow = Behaviour(stopping_takes=4.0)
    async with running(root(dynamic_supervisor("units"))) as system:
        for number in range(50):
            await system.dynamic("units").start_child(Scripted(f"u{number}", slow).spec())

    assert trio.current_time() == pytest.approx(4)


async def test_the_return_of_run_says_why_the_tree_ended(autojump_clock: object) -> None:
    transient = RestartPolicy(restart=RestartType.TRANSIENT)
    job = Scripted("job", Behaviour(after=2.0)).spec(restart=transient, significant=True)
    tree = supervisor("root", children=[job], auto_shutdown=AutoShutdown.ANY_SIGNIFICANT)

    assert await run(tree) == Stopped("its significant child 'job' has ended")


async def test_a_system_serves_one_tree_once(autojump_clock: object) -> None:
    system = System()
    async with running(root(), system=system):
        pass

    with pytest.raises(SupervisorBug):
        await run(root(), system=system)


async def test_an_actor_can_be_the_root(autojump_clock: object) -> None:
    async with running(actor("book", Notebook)) as system:
        assert system.registry.names() == ("book",)
        assert system.tree().kind is NodeKind.ACTOR


# ---- restarts ----


async def test_the_first_restart_is_immediate_and_the_next_ones_back_off(autojump_clock: object) -> None:
    system, log = listening()
    policy = RestartPolicy(backoff=Backoff(initial=1.0, factor=2.0, jitter=0.0), on_give_up=OnGiveUp.RETRY)
    child = Scripted("a", CRASHES)

    async with running(root(child.spec(restart=policy)), system=system):
        await trio.sleep(20)

    assert [event.delay for event in log.of(RestartScheduled)][:4] == [0.0, 1.0, 2.0, 4.0]
    assert child.most_live == 1


async def test_a_failing_restart_keeps_being_tried_and_the_supervisor_keeps_answering(autojump_clock: object) -> None:
    policy = RestartPolicy(backoff=Backoff(initial=1.0, max=1.0, jitter=0.0), max_restarts=2)
    child = Scripted("a", CRASHES, *[Behaviour(opening=Opening.FAILS)] * 5, STAYS)

    async with running(root(child.spec(restart=policy))) as system:
        await trio.sleep(3.5)
        (node,) = system.tree().children
        assert node.state is ChildState.WAITING
        assert node.crash_loop
        await trio.sleep(10)
        assert system.tree().children[0].state is ChildState.UP
    assert child.starts == 7


async def test_a_child_of_the_daemon_that_keeps_failing_fails_its_supervisor_up_to_the_root(
    autojump_clock: object,
) -> None:
    system, log = listening()
    inner = supervisor("inner", children=[Scripted("a", CRASHES).spec()])

    reason = await run(root(inner), system=system)

    assert isinstance(reason, Crashed)
    assert isinstance(reason.error, RestartsExhausted)
    assert [event.path for event in log.of(ChildGaveUp)] == ["root/inner/a"] * 4 + ["root/inner"]
    assert all(event.escalated for event in log.of(ChildGaveUp))


async def test_a_child_that_may_fail_stays_down_and_the_tree_goes_on(autojump_clock: object) -> None:
    policy = RestartPolicy(max_restarts=0, on_give_up=OnGiveUp.FAIL)

    async with running(root(Scripted("a", CRASHES).spec(restart=policy), Scripted("b").spec())) as system:
        await trio.sleep(10)
        states = {node.id: node.state for node in system.tree().children}

    assert states == {"a": ChildState.FAILED, "b": ChildState.UP}


async def test_s1_no_two_incarnations_of_a_child_ever_run_at_once(autojump_clock: object) -> None:
    stubborn = Behaviour(stopping=Stopping.RESISTS, resists_for=3.0, ending=Ending.CRASHES, after=1.0)
    child = Scripted("a", stubborn)
    trigger = Scripted("b", CRASHES)
    tree = root(trigger.spec(restart=FOREVER), child.spec(restart=FOREVER), strategy=Strategy.ONE_FOR_ALL)

    async with running(tree):
        await trio.sleep(60)

    assert child.starts > 3
    assert child.most_live == 1


# ---- cancellation, stubbornness, hurry ----


async def test_a6_cancelling_the_run_stops_the_tree_in_order(autojump_clock: object) -> None:
    trace: list[str] = []
    inner = supervisor("inner", children=[Scripted(each, trace=trace).spec() for each in "bc"])

    with trio.move_on_after(1) as scope:
        await run(root(Scripted("a", trace=trace).spec(), inner, Scripted("d", trace=trace).spec()))

    assert scope.cancelled_caught
    assert trace == ["+a", "+b", "+c", "+d", "-d", "-c", "-b", "-a"]


async def test_a6_a_stop_that_was_forced_by_cancellation_has_a_deadline_as_a_whole(autojump_clock: object) -> None:
    patient = Shutdown.within(1000)
    ignoring = Behaviour(stopping=Stopping.IGNORES)
    children = [Scripted(each, ignoring).spec(shutdown=patient) for each in "abc"]

    with trio.move_on_after(1):
        await run(supervisor("root", children=children, stop_within=20))

    assert trio.current_time() == pytest.approx(21)


async def test_a9_a_child_that_ignores_the_stop_costs_its_own_time_and_no_more(autojump_clock: object) -> None:
    trace: list[str] = []
    ignoring = Scripted("b", Behaviour(stopping=Stopping.IGNORES), trace=trace)
    tree = root(
        Scripted("a", trace=trace).spec(),
        ignoring.spec(shutdown=Shutdown.within(3)),
        Scripted("c", trace=trace).spec(),
    )

    async with running(tree):
        pass

    assert trio.current_time() == pytest.approx(3)
    assert trace == ["+a", "+b", "+c", "-c", "-b", "-a"]


async def test_a9_a_child_that_resists_is_reported_and_the_others_are_stopped_in_the_meantime(
    autojump_clock: object,
) -> None:
    system, log = listening()
    trace: list[str] = []
    resisting = Scripted("b", Behaviour(stopping=Stopping.RESISTS, resists_for=60), trace=trace)
    tree = root(
        Scripted("a", trace=trace).spec(),
        resisting.spec(shutdown=Shutdown(seconds=3, abandon_after=2)),
        Scripted("c", trace=trace).spec(),
    )
    stuck_at: list[float] = []
    system.telemetry.attach(
        lambda event: stuck_at.append(trio.current_time()) if isinstance(event, TreeStuck) else None
    )

    async with running(tree, system=system):
        pass

    assert trace == ["+a", "+b", "+c", "-c", "-a", "-b"]
    assert [event.path for event in log.of(ChildUnstoppable)] == ["root/b"]
    assert log.of(TreeStuck) == [TreeStuck(paths=("root/b",))]
    assert system.unstoppable == ("root/b",)
    assert stuck_at == [pytest.approx(5)]


async def test_a9_what_is_stuck_deep_down_is_named_at_the_root(autojump_clock: object) -> None:
    system, log = listening()
    resisting = Scripted("x", Behaviour(stopping=Stopping.RESISTS, resists_for=60))
    spec = resisting.spec(shutdown=Shutdown(seconds=1, abandon_after=1))
    tree = root(supervisor("outer", children=[supervisor("inner", children=[spec])]), Scripted("y").spec())

    async with running(tree, system=system):
        pass

    assert log.of(TreeStuck) == [TreeStuck(paths=("root/outer/inner/x",))]


async def test_a9_a_child_that_cannot_be_stopped_for_a_restart_ends_its_supervisor(autojump_clock: object) -> None:
    resisting = Scripted("b", Behaviour(stopping=Stopping.RESISTS, resists_for=60))
    tree = root(
        Scripted("a", CRASHES, STAYS).spec(),
        resisting.spec(shutdown=Shutdown(seconds=1, abandon_after=1)),
        strategy=Strategy.ONE_FOR_ALL,
    )

    reason = await run(tree)

    assert isinstance(reason, Crashed)
    assert isinstance(reason.error, Unstoppable)
    assert resisting.most_live == 1


async def test_a_start_that_cannot_be_cancelled_is_reported(autojump_clock: object) -> None:
    system, log = listening()
    resisting = Scripted("a", Behaviour(opening=Opening.HANGS, stopping=Stopping.RESISTS, resists_for=60))

    await run(root(resisting.spec(start_within=1)), system=system)

    assert [event.path for event in log.of(ChildUnstoppable)] == ["root/a"]


async def test_a_second_shutdown_hurries_and_keeps_the_order(autojump_clock: object) -> None:
    trace: list[str] = []
    ignoring = Behaviour(stopping=Stopping.IGNORES)
    tree = root(
        Scripted("a", ignoring, trace=trace).spec(shutdown=Shutdown.within(100)),
        supervisor(
            "inner",
            children=[Scripted(each, ignoring, trace=trace).spec(shutdown=Shutdown.within(100)) for each in "bc"],
        ),
    )

    async with running(tree) as system:
        system.shutdown("first")
        await trio.sleep(1)
        assert trace == ["+a", "+b", "+c"]
        system.shutdown("second")

    assert trio.current_time() == pytest.approx(1)
    assert trace == ["+a", "+b", "+c", "-c", "-b", "-a"]


async def test_a_hurry_bounds_even_those_that_obey_slowly(autojump_clock: object) -> None:
    slow = Behaviour(stopping_takes=50)

    async with running(root(*(Scripted(each, slow).spec(shutdown=Shutdown.within(100)) for each in "abc"))) as system:
        system.hurry()

    assert trio.current_time() < 3


async def test_impatience_does_not_put_off_the_report_of_what_is_stuck(autojump_clock: object) -> None:
    system = System()
    stuck_at: list[float] = []
    system.telemetry.attach(
        lambda event: stuck_at.append(trio.current_time()) if isinstance(event, TreeStuck) else None
    )
    resisting = Scripted("a", Behaviour(stopping=Stopping.RESISTS, resists_for=60))
    tree = root(resisting.spec(shutdown=Shutdown(seconds=100, abandon_after=4)))

    async with running(tree, system=system):
        for _ in range(6):
            system.hurry()
            await trio.sleep(1)

    assert stuck_at == [pytest.approx(4)]


async def test_a_hurry_does_not_wait_for_a_clean_up_that_resists(autojump_clock: object) -> None:
    system, log = listening()
    reported: list[float] = []

    async def serve(service: ServiceContext) -> None:
        async def resist(_reason: object) -> None:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 60):
                await trio.sleep(math.inf)

        service.at_end(resist, within=30)
        service.started()
        await service.stopping.wait()

    system.telemetry.attach(
        lambda event: reported.append(trio.current_time()) if isinstance(event, ChildUnstoppable) else None
    )
    async with running(root(ChildSpec("s", serve, shutdown=Shutdown(seconds=5, abandon_after=1))), system=system):
        await trio.testing.wait_all_tasks_blocked()
        system.shutdown("first")
        await trio.sleep(1)
        system.shutdown("second")

    assert reported == [pytest.approx(4)]
    assert log.of(TreeStuck) == [TreeStuck(paths=("root/s",))]


async def test_a_hurry_shortens_a_stop_that_cancellation_has_forced(autojump_clock: object) -> None:
    system = System()
    slow = Behaviour(stopping_takes=50)
    tree = root(*(Scripted(each, slow).spec(shutdown=Shutdown.within(100)) for each in "ab"))

    async def hurry() -> None:
        await trio.sleep(2)
        system.hurry()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(hurry)
        with trio.move_on_after(1):
            await run(tree, system=system)

    assert trio.current_time() < 5


def test_a_system_that_does_not_run_has_no_way_back_to_its_thread() -> None:
    with pytest.raises(SupervisorBug):
        _ = System().token


async def test_a_shutdown_of_a_tree_that_is_gone_does_nothing(autojump_clock: object) -> None:
    async with running(root()) as system:
        pass

    system.shutdown("late")
    system.hurry()
    with pytest.raises(ActorNotFound):
        system.tree()


async def test_what_ends_the_program_is_not_restarted(autojump_clock: object) -> None:
    async def interrupted(service: ServiceContext) -> None:
        service.started()
        raise KeyboardInterrupt

    child = Scripted("a")
    with pytest.raises(BaseExceptionGroup) as caught:
        await run(root(child.spec(), ChildSpec("b", interrupted)))

    assert caught.value.subgroup(KeyboardInterrupt) is not None
    assert child.starts == 1
    assert child.live == 0


async def test_a_clean_up_under_way_is_not_cut_off_by_what_ends_the_program(autojump_clock: object) -> None:
    cleaned: list[float] = []

    async def interrupted(service: ServiceContext) -> None:
        service.started()
        await trio.sleep(2)
        raise KeyboardInterrupt

    async def ends_early(service: ServiceContext) -> None:
        async def cleanup(_reason: object) -> None:
            await trio.sleep(2)
            cleaned.append(trio.current_time())

        service.at_end(cleanup)
        service.started()
        await trio.sleep(1)

    with pytest.raises(BaseExceptionGroup):
        await run(root(ChildSpec("a", ends_early, restart=ONCE), ChildSpec("b", interrupted)))

    assert cleaned == [pytest.approx(3)]


async def test_an_ask_from_outside_ends_when_the_whole_tree_is_torn_down(autojump_clock: object) -> None:
    async def interrupted(service: ServiceContext) -> None:
        service.started()
        await trio.sleep(1)
        raise KeyboardInterrupt

    system = System()
    ends: list[type[Exception]] = []

    async def ask() -> None:
        await trio.sleep(0.5)
        ref = system.registry.ref("deaf")
        try:
            await ref.ask(lambda reply: reply, timeout=1000)
        except (ActorStopped, ReplyDropped) as error:
            ends.append(type(error))

    class Deaf(Notebook):
        async def handle(self, message: object, context: object) -> None:
            await trio.sleep(math.inf)

    async def tear_down() -> None:
        with pytest.raises(BaseExceptionGroup):
            await run(root(actor("deaf", Deaf), ChildSpec("b", interrupted)), system=system)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tear_down)
        # One is in the handler, one waits in the mailbox.
        nursery.start_soon(ask)
        nursery.start_soon(ask)

    assert len(ends) == 2
    assert trio.current_time() == pytest.approx(1)


# ---- services ----


async def test_a_service_can_fail_from_a_callback_and_clean_up_with_the_reason(autojump_clock: object) -> None:
    system, log = listening()
    reasons: list[object] = []

    async def serve(service: ServiceContext) -> None:
        async def cleanup(reason: object) -> None:
            await trio.sleep(1)
            reasons.append(reason)

        service.at_end(cleanup)
        service.started()
        system.timers.call_later(1, partial(service.fail, ValueError("lost the port")))
        await trio.sleep(math.inf)

    async with running(root(ChildSpec("s", serve, restart=ONCE)), system=system):
        ended = await log.wait_for(ChildEnded)

    assert isinstance(ended.reason, Crashed)
    assert str(ended.reason.error) == "lost the port"
    assert reasons == [ended.reason]
    assert trio.current_time() == pytest.approx(2)


async def test_a_service_sees_that_it_is_to_stop_even_if_it_looks_late(autojump_clock: object) -> None:
    seen: list[bool] = []

    async def serve(service: ServiceContext) -> None:
        service.started()
        service.started()
        await trio.sleep(1)
        seen.append(service.stopping.is_set())
        await service.stopping.wait()

    async with running(root(ChildSpec("s", serve))):
        pass

    assert seen == [True]


async def test_a_background_task_that_resists_is_reported_with_its_service(autojump_clock: object) -> None:
    system, log = listening()

    async def resist() -> None:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + 60):
            await trio.sleep(math.inf)

    async def serve(service: ServiceContext) -> None:
        service.spawn(resist)
        service.started()
        await service.stopping.wait()

    async with running(root(ChildSpec("s", serve)), system=system):
        await trio.testing.wait_all_tasks_blocked()

    assert [event.path for event in log.of(ChildUnstoppable)] == ["root/s"]


async def test_a_background_task_that_crashes_while_it_is_cancelled_is_told_beside_the_end(
    autojump_clock: object,
) -> None:
    system, log = listening()

    async def fail_at_the_end() -> None:
        try:
            await trio.sleep(math.inf)
        finally:
            raise ValueError("at the end")

    async def serve(service: ServiceContext) -> None:
        service.spawn(fail_at_the_end)
        service.started()
        await service.stopping.wait()

    async with running(root(ChildSpec("s", serve)), system=system):
        await trio.testing.wait_all_tasks_blocked()

    (beside,) = log.of(CleanupFailed)
    assert isinstance(beside.reason, Crashed)
    assert str(beside.reason.error) == "at the end"
    assert log.of(ChildEnded)[0].reason == Stopped("the block is over")


async def test_what_a_failing_service_spawns_is_cancelled_at_once(autojump_clock: object) -> None:
    ran: list[str] = []

    async def task() -> None:
        await trio.lowlevel.checkpoint()
        ran.append("task")

    async def serve(service: ServiceContext) -> None:
        service.started()
        service.fail(ValueError("first"))
        service.fail(ValueError("second"))
        service.spawn(task)
        await trio.sleep(math.inf)

    system, log = listening()
    async with running(root(ChildSpec("s", serve, restart=ONCE)), system=system):
        ended = await log.wait_for(ChildEnded)

    assert isinstance(ended.reason, Crashed)
    assert str(ended.reason.error) == "first"
    assert ran == []


# ---- dynamic supervisors ----


async def test_two_dynamic_supervisors_cannot_have_one_name(autojump_clock: object) -> None:
    reason = await run(root(dynamic_supervisor("a", name="same"), dynamic_supervisor("b", name="same")))

    assert isinstance(reason, Crashed)
    assert isinstance(reason.error, StartFailed)
    assert isinstance(reason.error.cause, NameTaken)


async def test_requests_to_a_tree_that_is_torn_down_are_answered(autojump_clock: object) -> None:
    async def interrupted(service: ServiceContext) -> None:
        service.started()
        await trio.sleep(1)
        raise KeyboardInterrupt

    system = System()
    ends: list[str] = []

    async def add() -> None:
        await trio.sleep(0.5)
        units = system.dynamic("units")
        await units.start_child(ChildSpec("b", interrupted))
        try:
            await units.start_child(Scripted("a", Behaviour(opening=Opening.HANGS)).spec())
        except ActorStopped:
            ends.append("told")

    async def tear_down() -> None:
        with pytest.raises(BaseExceptionGroup):
            await run(root(dynamic_supervisor("units")), system=system)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tear_down)
        nursery.start_soon(add)

    assert ends == ["told"]


async def test_a_child_added_at_run_time_is_up_when_the_call_returns(autojump_clock: object) -> None:
    async with running(root(dynamic_supervisor("units", name="agents/units"))) as system:
        units = system.dynamic("agents/units")
        await units.start_child(actor("web", Notebook, name="agents/web"))

        assert system.registry.whereis("agents/web") is not None
        assert [node.id for node in units.children()] == ["web"]

        await units.stop_child("web")
        assert system.registry.whereis("agents/web") is None
        assert units.children() == ()


async def test_requests_that_cannot_be_are_refused(autojump_clock: object) -> None:
    async with running(root(dynamic_supervisor("units", max_children=1))) as system:
        units = system.dynamic("units")
        await units.start_child(Scripted("a").spec())

        with pytest.raises(DuplicateChild):
            await units.start_child(Scripted("a").spec())
        with pytest.raises(TooManyChildren):
            await units.start_child(Scripted("b").spec())
        with pytest.raises(ChildNotFound):
            await units.stop_child("b")
        await units.stop_child("a")
        with pytest.raises(StartFailed, match="fails to start"):
            await units.start_child(Scripted("b", Behaviour(opening=Opening.FAILS)).spec())

    with pytest.raises(ActorStopped):
        await units.start_child(Scripted("c").spec())
    with pytest.raises(ActorNotFound):
        system.dynamic("units")


async def test_s12_requests_are_answered_while_restarts_keep_failing(autojump_clock: object) -> None:
    policy = RestartPolicy(backoff=Backoff(initial=0.1, jitter=0.0, max=0.1), on_give_up=OnGiveUp.RETRY)
    async with running(root(dynamic_supervisor("units"))) as system:
        units = system.dynamic("units")
        await units.start_child(Scripted("bad", CRASHES, Behaviour(opening=Opening.FAILS)).spec(restart=policy))
        await trio.sleep(5)

        with trio.fail_after(0.5):
            await units.start_child(Scripted("good").spec())
            await units.stop_child("bad")
            await units.stop_child("good")


async def test_a_removal_of_a_child_that_resists_says_so(autojump_clock: object) -> None:
    async with running(root(dynamic_supervisor("units"))) as system:
        units = system.dynamic("units")
        resisting = Scripted("a", Behaviour(stopping=Stopping.RESISTS, resists_for=30))
        await units.start_child(resisting.spec(shutdown=Shutdown(seconds=1, abandon_after=1)))

        with pytest.raises(Unstoppable, match="root/units/a"):
            await units.stop_child("a")
        assert trio.current_time() == pytest.approx(2)
        await trio.sleep(30)
        assert units.children() == ()


async def test_whoever_waits_for_a_start_is_told_when_the_supervisor_stops(autojump_clock: object) -> None:
    ends: list[str] = []

    async def add(system: System) -> None:
        try:
            await system.dynamic("units").start_child(Scripted("a", Behaviour(opening=Opening.HANGS)).spec())
        except StartFailed as error:
            ends.append(str(error))

    async with trio.open_nursery() as nursery, running(root(dynamic_supervisor("units"))) as system:
        nursery.start_soon(add, system)
        await trio.testing.wait_all_tasks_blocked()

    assert ends == ["'root/units/a' could not start: it was cancelled (it did not stop within 5 s)"]


async def test_a_dynamic_supervisor_that_escalates_is_restarted_empty(autojump_clock: object) -> None:
    strict = RestartPolicy(max_restarts=0, on_give_up=OnGiveUp.ESCALATE)
    async with running(root(dynamic_supervisor("units"))) as system:
        before = system.dynamic("units")
        await before.start_child(Scripted("good").spec())
        await before.start_child(Scripted("bad", CRASHES).spec(restart=strict))
        await trio.sleep(2)

        after = system.dynamic("units")
        assert after is not before
        assert after.children() == ()


# ---- the tree as data ----


async def test_the_tree_shows_strategies_states_restarts_and_what_is_left_of_the_intensity(
    autojump_clock: object,
) -> None:
    tree = root(
        Scripted("a", CRASHES, STAYS).spec(),
        supervisor("s", strategy=Strategy.REST_FOR_ONE, children=[Scripted("b").spec()]),
        dynamic_supervisor("d"),
        actor("book", Notebook),
    )
    async with running(tree) as system:
        await system.dynamic("d").start_child(Scripted("u").spec())
        await trio.sleep(2)
        top = system.tree()

        a, s, d, book = top.children
        assert (top.id, top.kind, top.state) == ("root", NodeKind.SUPERVISOR, ChildState.UP)
        assert (a.kind, a.state, a.restarts, a.intensity_used, a.intensity_allowed) == (
            NodeKind.SERVICE,
            ChildState.UP,
            1,
            1,
            3,
        )
        assert s.strategy is Strategy.REST_FOR_ONE
        assert [node.id for node in s.children] == ["b"]
        assert (d.kind, [node.id for node in d.children]) == (NodeKind.DYNAMIC_SUPERVISOR, ["u"])
        assert book.kind is NodeKind.ACTOR
        await trio.sleep(10)
        assert system.tree().children[0].intensity_used == 0


async def test_the_tree_can_be_read_while_it_stops(autojump_clock: object) -> None:
    async with running(root(Scripted("a", Behaviour(stopping_takes=2)).spec())) as system:
        system.shutdown("test")
        await trio.sleep(1)

        assert system.tree().state is ChildState.STOPPING
        assert system.tree().children[0].state is ChildState.STOPPING


async def test_a_defect_in_the_books_ends_only_that_supervisor(autojump_clock: object) -> None:
    system, log = listening()
    trace: list[str] = []

    async def lies(service: ServiceContext) -> None:
        service.started()
        await trio.sleep(1)
        # Says a second time that it is up, past the guard that keeps services from doing so.
        service.up = False
        service.started()
        await service.stopping.wait()

    inner = supervisor("inner", children=[Scripted("x", trace=trace).spec(), ChildSpec("liar", lies)])
    bystander = Scripted("bystander")
    async with running(root(bystander.spec(), inner), system=system):
        await trio.sleep(1.5)
        assert bystander.starts == 1
        assert trace == ["+x", "-x", "+x"]
    ended = next(event for event in log.of(ChildEnded) if event.path == "root/inner")

    assert isinstance(ended.reason, Crashed)
    assert isinstance(ended.reason.error, SupervisorBug)
    assert Cancelled("its supervisor has a defect") in [event.reason for event in log.of(ChildEnded)]
