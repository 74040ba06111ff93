"""The brain of a static supervisor against rules checked by hand, over any sequence of events."""

from __future__ import annotations

from copy import deepcopy

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from supervisor.runtime.brain import Ended, Started
from supervisor.runtime.policy import AutoShutdown, Backoff, OnGiveUp, RestartPolicy, RestartType, Strategy
from supervisor.runtime.reasons import NORMAL, Cancelled
from supervisor.runtime.spec import ChildSpec
from tests.supervisor.runtime.brain_world import World, crashed, never_run

POLICIES = st.builds(
    RestartPolicy,
    restart=st.sampled_from(RestartType),
    backoff=st.sampled_from(
        [Backoff(initial=0.0, max=0.0, jitter=0.0, reset_after=5.0), Backoff(initial=1.0, jitter=0.0, reset_after=10.0)]
    ),
    max_restarts=st.sampled_from([0, 1, 3, 10]),
    period=st.sampled_from([0.0, 5.0, 60.0]),
    on_give_up=st.sampled_from(OnGiveUp),
)


@st.composite
def children(draw: st.DrawFn, auto_shutdown: AutoShutdown) -> tuple[ChildSpec, ...]:
    policies = draw(st.lists(POLICIES, min_size=draw(st.sampled_from([0, 2, 3])), max_size=4))
    return tuple(
        ChildSpec(
            f"c{index}",
            never_run,
            restart=policy,
            significant=auto_shutdown is not AutoShutdown.NEVER
            and policy.restart is not RestartType.PERMANENT
            and draw(st.booleans()),
        )
        for index, policy in enumerate(policies)
    )


class SupervisorMachine(RuleBasedStateMachine):
    """Whatever happens in whatever order, every effect is one that the rules allow (see ``World``)."""

    world: World

    @initialize(data=st.data(), strategy=st.sampled_from(Strategy), auto_shutdown=st.sampled_from(AutoShutdown))
    def set_up(self, data: st.DataObject, strategy: Strategy, auto_shutdown: AutoShutdown) -> None:
        self.world = World(strategy, data.draw(children(auto_shutdown)), auto_shutdown)
        self.world.begin()

    def pick(self, data: st.DataObject, among: set[str]) -> str:
        return data.draw(st.sampled_from(sorted(among)))

    @precondition(lambda self: self.world.starting)
    @rule(data=st.data())
    def a_child_comes_up(self, data: st.DataObject) -> None:
        self.world.comes_up(self.pick(data, self.world.starting))

    @precondition(lambda self: self.world.live)
    @rule(data=st.data(), reason=st.sampled_from([NORMAL, Cancelled("somebody"), None]))
    def a_child_ends(self, data: st.DataObject, reason: Cancelled | None) -> None:
        self.world.ends_with(self.pick(data, self.world.live), reason if reason is not None else crashed())

    @rule()
    def everything_settles(self) -> None:
        self.world.settle()

    @precondition(lambda self: self.world.up)
    @rule(data=st.data())
    def a_child_that_is_up_crashes(self, data: st.DataObject) -> None:
        self.world.ends_with(self.pick(data, set(self.world.up)), crashed())

    @precondition(lambda self: self.world.delays)
    @rule(data=st.data())
    def a_delay_passes(self, data: st.DataObject) -> None:
        self.world.delay_passes(self.pick(data, set(self.world.delays)))

    @precondition(lambda self: self.world.stopping and self.world.finish is None)
    @rule(data=st.data())
    def a_stopping_child_gets_stuck(self, data: st.DataObject) -> None:
        free = {child for child in self.world.stopping if not self.world.core.books.children[child].stuck}
        if free and data.draw(st.integers(0, 9)) == 9:
            self.world.gets_stuck(self.pick(data, free))

    @rule(seconds=st.sampled_from([0.0, 0.5, 4.0, 20.0, 100.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds

    @rule(dice=st.integers(0, 30))
    def somebody_asks_for_a_stop(self, dice: int) -> None:
        if dice == 30:
            self.world.stop()

    @precondition(lambda self: self.world.past)
    @rule(data=st.data())
    def s8_an_event_of_an_old_incarnation_changes_nothing(self, data: st.DataObject) -> None:
        child, incarnation = data.draw(st.sampled_from(self.world.past))
        if self.world.incarnation[child] == incarnation and child not in self.world.forgotten:
            return  # that was its last incarnation so far, and reporting its end twice is not old but wrong
        books = deepcopy(self.world.core.books)

        for event in (Started(child, incarnation), Ended(child, incarnation, crashed())):
            assert self.world.feed(event) == ()

        for known, before in books.children.items():
            after = self.world.core.books.children[known]
            assert (before.state, before.incarnation) == (after.state, after.incarnation)

    @invariant()
    def when_nothing_is_under_way_everything_is_where_it_belongs(self) -> None:
        world = self.world
        if world.ending or world.starting or world.stopping or world.delays:
            return
        assert set(world.up) | world.at_rest | world.forgotten == set(world.order)
        assert not world.doomed
        assert world.all_up

    def teardown(self) -> None:
        """S9: a stop reaches the end in no more steps than there are live children."""
        if not hasattr(self, "world"):
            return
        live = len(self.world.live)

        assert self.world.drain() <= live
        assert self.world.finish is not None


TestSupervisorMachine = SupervisorMachine.TestCase
TestSupervisorMachine.settings = settings(stateful_step_count=50)
