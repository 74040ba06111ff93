"""A naive world around a supervisor's brain: it obeys every effect and checks each one against the rules by hand."""

from __future__ import annotations

from attrs import define, field

from supervisor.runtime.brain import (
    AllUp,
    Begin,
    CancelDelay,
    CoreEvent,
    Delay,
    DelayOver,
    Effect,
    Ended,
    Finish,
    GivenUp,
    Restarting,
    StartChild,
    Started,
    StopAsked,
    StopChild,
    Stuck,
)
from supervisor.runtime.children import LIVE
from supervisor.runtime.core import SupervisorCore
from supervisor.runtime.policy import AutoShutdown, OnGiveUp, RestartType, Strategy
from supervisor.runtime.reasons import NORMAL, Crashed, ExitReason, Stopped, failed
from supervisor.runtime.restart import wants_restart
from supervisor.runtime.service import ServiceContext
from supervisor.runtime.spec import ChildSpec


async def never_run(service: ServiceContext) -> None:
    """The start function of children that exist on paper only."""
    raise NotImplementedError


def crashed(text: str = "boom") -> Crashed:
    return Crashed.by(RuntimeError(text))


@define
class Ends:
    """The ends of one child, counted by hand."""

    restarts: list[float] = field(factory=list)
    in_a_row: int = 0

    def exceeds(self, spec: ChildSpec, *, healthy_for: float, now: float) -> bool:
        """Note an end that wants a restart; tell whether it is one too many."""
        policy = spec.restart
        if healthy_for >= policy.backoff.reset_after:
            self.restarts, self.in_a_row = [], 0
        self.restarts.append(now)
        self.in_a_row += 1
        in_window = [at for at in self.restarts if now - at <= policy.period]
        return len(in_window) > policy.max_restarts or self.in_a_row > policy.max_restarts


class World:
    """Children on paper. Every effect is carried out at once; what a child does is up to the caller."""

    def __init__(
        self, strategy: Strategy, specs: tuple[ChildSpec, ...], auto_shutdown: AutoShutdown = AutoShutdown.NEVER
    ) -> None:
        self.strategy = strategy
        self.specs = {spec.id: spec for spec in specs}
        self.order = [spec.id for spec in specs]
        self.auto_shutdown = auto_shutdown
        self.core = SupervisorCore("sup", strategy, specs, dice=lambda: 0.5, auto_shutdown=auto_shutdown)
        self.now = 0.0
        self.incarnation: dict[str, int] = {}
        self.starting: set[str] = set()
        self.up: dict[str, float] = {}
        self.stopping: set[str] = set()
        self.delays: dict[str, int] = {}
        self.at_rest: set[str] = set()
        self.forgotten: set[str] = set()
        self.doomed: set[str] = set()
        self.ends = {spec.id: Ends() for spec in specs}
        self.past: list[tuple[str, int]] = []
        self.all_up = False
        self.ending = False
        self.finish: Finish | None = None
        self.stops: list[str] = []
        self.starts: list[str] = []

    @property
    def live(self) -> set[str]:
        return self.starting | set(self.up) | self.stopping

    def feed(self, event: CoreEvent) -> tuple[Effect, ...]:
        effects = self.core.handle(event, self.now)
        for effect in effects:
            self._obey(effect)
        books = {child.spec.id for child in self.core.books.children.values() if child.state in LIVE}
        assert books == self.live
        assert self.forgotten.isdisjoint(self.core.books.children)
        return effects

    # ---- what children do ----

    def begin(self) -> None:
        self.feed(Begin())

    def comes_up(self, child: str) -> None:
        if child in self.starting:
            self.starting.discard(child)
            self.up[child] = self.now
        self.feed(Started(child, self.incarnation[child]))

    def ends_with(self, child: str, reason: ExitReason) -> tuple[Effect, ...]:
        """Let a live child end, check what follows against the rules, and return it."""
        was_starting = child in self.starting
        up_since = self.up.get(child)
        planned = self.ending or child in self.doomed or child in self.stopping
        self.starting.discard(child)
        self.up.pop(child, None)
        self.stopping.discard(child)
        self.doomed.discard(child)
        self.past.append((child, self.incarnation[child]))
        spec = self.specs[child]
        temporary = spec.restart.restart is RestartType.TEMPORARY
        wanted = wants_restart(spec.restart.restart, failed=failed(reason))
        rolls_back = not planned and was_starting and not self.all_up
        too_many = False
        if not planned and not rolls_back and wanted:
            healthy_for = 0.0 if up_since is None else self.now - up_since
            too_many = self.ends[child].exceeds(spec, healthy_for=healthy_for, now=self.now)
        retries = spec.restart.on_give_up is OnGiveUp.RETRY
        restarts = not planned and not rolls_back and wanted and (not too_many or retries)
        stays_down = not planned and not rolls_back and not restarts
        if (planned or stays_down) and temporary:
            self.forgotten.add(child)
        elif stays_down:
            self.at_rest.add(child)
        if restarts:
            self._doom_siblings(child)
        escalates = stays_down and wanted and spec.restart.on_give_up is OnGiveUp.ESCALATE
        if rolls_back or escalates or (stays_down and self._shuts_down_for(child)):
            self.ending = True

        effects = self.feed(Ended(child, self.incarnation[child], reason))

        assert restarts == any(isinstance(effect, Restarting) for effect in effects)
        given_up = [effect for effect in effects if isinstance(effect, GivenUp)]
        assert (stays_down and wanted) == bool(given_up)
        return effects

    def settle(self) -> None:
        """Let every child do what it is about to do: come up, or end where it was asked to."""
        while True:
            obeying = sorted(child for child in self.stopping if not self._is_stuck(child))
            if obeying:
                self.ends_with(obeying[0], NORMAL)
            elif self.starting:
                self.comes_up(min(self.starting))
            else:
                return

    def delay_passes(self, child: str) -> None:
        self.feed(DelayOver(child, self.delays.pop(child)))

    def gets_stuck(self, child: str) -> None:
        self.ending = True
        self.feed(Stuck(child, self.incarnation[child], (f"sup/{child}",)))

    def stop(self) -> None:
        self.ending = True
        self.feed(StopAsked(Stopped("the test")))

    def drain(self) -> int:
        """Stop, and let every child end once when it is asked to. Returns how many ends that took."""
        self.stop()
        ends = 0
        while self.stopping - {child for child in self.stopping if self._is_stuck(child)}:
            child = next(child for child in self.stopping if not self._is_stuck(child))
            self.ends_with(child, NORMAL)
            ends += 1
        return ends

    def _is_stuck(self, child: str) -> bool:
        return bool(self.core.books.children[child].stuck)

    # ---- the rules, by hand ----

    def _doom_siblings(self, child: str) -> None:
        """S2: which siblings go down with a child that is restarted."""
        match self.strategy:
            case Strategy.ONE_FOR_ONE:
                concerned = set()
            case Strategy.REST_FOR_ONE:
                concerned = set(self.order[self.order.index(child) + 1 :])
            case Strategy.ONE_FOR_ALL:
                concerned = set(self.order)
        self.doomed |= concerned & self.live
        given_up = {each for each in self.at_rest if self.core.books.children[each].state.value == "failed"}
        self.at_rest -= concerned - given_up

    def _shuts_down_for(self, child: str) -> bool:
        """S10: whether the end of this child is the end of its supervisor."""
        if not self.specs[child].significant or self.auto_shutdown is AutoShutdown.NEVER:
            return False
        if self.auto_shutdown is AutoShutdown.ANY_SIGNIFICANT:
            return True
        over = self.at_rest | self.forgotten | {child}
        return all(each in over for each, spec in self.specs.items() if spec.significant)

    # ---- obeying ----

    def _obey(self, effect: Effect) -> None:
        assert self.finish is None, "nothing may follow the end"
        match effect:
            case StartChild(spec, incarnation):
                self._start(spec.id, incarnation)
            case StopChild(child, incarnation, _):
                self._stop(child, incarnation)
            case Delay(child, incarnation, seconds):
                assert seconds > 0
                assert incarnation == self.incarnation[child]
                assert child not in self.delays
                self.delays[child] = incarnation
            case CancelDelay(child):
                del self.delays[child]
            case AllUp():
                assert not self.all_up
                assert not self.starting
                self.all_up = True
            case Finish(_, stuck):
                assert self.ending
                assert not self.delays
                assert self.live == {path.removeprefix("sup/") for path in stuck}
                self.finish = effect
            case Restarting() | GivenUp():
                pass
            case _:
                raise AssertionError(effect)

    def _start(self, child: str, incarnation: int) -> None:
        assert not self.ending, "S6"
        assert child not in self.live, "S1"
        assert child not in self.forgotten, "S7"
        assert child not in self.delays
        assert not self.doomed & self.live, "starts only after the stops"
        if self.specs[child].restart.restart is RestartType.TEMPORARY:
            assert child not in self.incarnation, "S7"
        if not self.all_up or self.strategy is not Strategy.ONE_FOR_ONE:
            earlier = set(self.order[: self.order.index(child)])
            settled = set(self.up) | self.at_rest | self.forgotten
            if self.strategy is Strategy.ONE_FOR_ONE:
                settled |= set(self.delays)
            assert earlier <= settled, "S3"
            if self.strategy is Strategy.ONE_FOR_ALL:
                assert not self.delays, "S2: nobody comes up before all can"
            assert not self.starting
        self.incarnation[child] = incarnation
        self.starting.add(child)
        self.at_rest.discard(child)
        self.starts.append(child)

    def _stop(self, child: str, incarnation: int) -> None:
        assert incarnation == self.incarnation[child]
        assert child in self.starting or child in self.up
        assert self.ending or child in self.doomed, "S2: only those that depend on it"
        assert all(self._is_stuck(each) for each in self.stopping), "one at a time"
        candidates = (set(self.up) | self.starting) if self.ending else self.doomed & self.live
        newest = max(candidates & (set(self.up) | self.starting), key=lambda each: self.incarnation[each])
        assert child == newest, "S3"
        self.starting.discard(child)
        self.up.pop(child, None)
        self.stopping.add(child)
        self.stops.append(child)
