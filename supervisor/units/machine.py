"""The machine of a unit: what follows from what, as one table. Pure.

The rules of this module, after h11's ``_state.py``:

1. Everything that decides when a unit changes is in ``TABLE``. Each row is a trigger (the class of an event, or the
   timer that fired), and names each phase exactly once: handled there, ignored there, or rejected there.
2. An event that is rejected raises and changes nothing. A *command* that does not fit is refused with
   ``InvalidTransition``, which is told to whoever sent it; a *fact* that cannot be is a defect of ours (``HoodyBug``).
3. An event about an incarnation other than the present one, and a timer that is not armed, change nothing.
4. The table knows no clock, no process and no store: time and dice are handed in, and effects are handed out.

``docs/unit-machine.md`` is generated from the table by ``supervisor.units.diagram``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from attrs import frozen

from supervisor.errors import HoodyBug, InvalidTransition
from supervisor.units import commands as c
from supervisor.units import events as e
from supervisor.units import facts as f
from supervisor.units import runs as r
from supervisor.units.condition import AT_REST, Condition, Phase
from supervisor.units.draft import Draft, Setting
from supervisor.units.effects import Effect
from supervisor.units.events import Event, Timer

Trigger: TypeAlias = type[Event] | Timer
Handler: TypeAlias = Callable[[Draft, Any], None]

STOPPED, EXITED, FATAL = Phase.STOPPED, Phase.EXITED, Phase.FATAL
ADOPTING, WAITING, SPAWNING, SETTLING = Phase.ADOPTING, Phase.WAITING, Phase.SPAWNING, Phase.SETTLING
RUNNING, BACKOFF = Phase.RUNNING, Phase.BACKOFF
ABORTING, ENDING, CLEARING = Phase.ABORTING, Phase.ENDING, Phase.CLEARING


@frozen
class Handled:
    """The event is handled by ``handler``; the machine is then in one of ``to``, or where it was."""

    handler: Handler
    to: frozenset[Phase]


@frozen
class Ignored:
    """The event changes nothing; ``why`` says why that is right."""

    why: str


@frozen
class Rejected:
    """The event raises."""

    why: str


Rule: TypeAlias = Handled | Ignored | Rejected
Row: TypeAlias = Mapping[Phase, Rule]


@frozen
class Step:
    """What follows from an event."""

    condition: Condition
    effects: tuple[Effect, ...] = ()


def step(condition: Condition, event: Event, setting: Setting) -> Step:
    """Return the condition and the effects that follow from an event.

    Raises ``InvalidTransition`` for a command that does not fit and ``HoodyBug`` for a fact that cannot be; then
    nothing has changed.
    """
    if _is_late(condition, event):
        return Step(condition)
    rule = TABLE[trigger_of(event)][condition.phase]
    match rule:
        case Handled(handler=handler):
            draft = Draft(condition, setting)
            if isinstance(event, e.TimerFired):
                draft.disarm(event.timer)
            handler(draft, event)
            return Step(draft.now, draft.outcome())
        case Ignored():
            return Step(condition)
        case Rejected(why=why):
            if isinstance(event, e.SignalAsked | e.PauseAsked | e.ResumeAsked):
                raise InvalidTransition(f"{why}: the unit is {condition.state}")
            raise HoodyBug(f"{event!r} cannot be in phase {condition.phase.value}: {why}")


def trigger_of(event: Event) -> Trigger:
    """Return the row of the table that an event belongs to."""
    return event.timer if isinstance(event, e.TimerFired) else type(event)


def _is_late(condition: Condition, event: Event) -> bool:
    if isinstance(event, e.TimerFired):
        return not any(alarm.timer is event.timer and alarm.token == event.token for alarm in condition.alarms)
    if isinstance(event, e.Cleared):
        return event.incarnation not in condition.clearing
    number = getattr(event, "incarnation", condition.incarnation)
    return bool(number != condition.incarnation)


def _row(*clauses: tuple[frozenset[Phase], Rule], otherwise: Rule | None = None) -> Row:
    row: dict[Phase, Rule] = {}
    for phases, rule in clauses:
        for phase in phases:
            if phase in row:
                raise ValueError(f"{phase} is named twice")
            row[phase] = rule
    for phase in Phase:
        if phase not in row:
            if otherwise is None:
                raise ValueError(f"{phase} is not named")
            row[phase] = otherwise
    return row


def _in(*phases: Phase) -> frozenset[Phase]:
    return frozenset(phases)


def _do(handler: Handler, *to: Phase) -> Handled:
    return Handled(handler, frozenset(to))


_STARTS = (WAITING, SPAWNING)
_ONCE_CLEAR = (*_STARTS, BACKOFF, *AT_REST)
_NO_PROCESS = Rejected("there is no process")
_ONCE = Rejected("it was reported already")

TABLE: Final[Mapping[Trigger, Row]] = {
    # ---- commands ----
    e.Recalled: _row(
        (_in(STOPPED), _do(c.recall, ADOPTING, *_STARTS)),
        (_in(EXITED, FATAL), _do(r.recall_ended)),
        otherwise=Rejected("the unit is looked after already"),
    ),
    e.StartAsked: _row(
        (_in(*AT_REST, BACKOFF), _do(c.start, *_STARTS, STOPPED)),
        (_in(WAITING, SPAWNING, SETTLING, RUNNING), _do(c.go_on)),
        (_in(ADOPTING), _do(c.keep_after_all)),
        (_in(ABORTING, ENDING, CLEARING), _do(c.start_again)),
    ),
    e.StopAsked: _row(
        (AT_REST, _do(c.stop_resting, STOPPED)),
        (_in(WAITING, BACKOFF), _do(c.stop_before_start, STOPPED, CLEARING)),
        (_in(ADOPTING, ABORTING), _do(c.stop_when_known)),
        (_in(SPAWNING), _do(c.stop_spawning, ABORTING)),
        (_in(SETTLING, RUNNING), _do(c.stop_running, ENDING, CLEARING)),
        (_in(ENDING), _do(c.stop_ending, CLEARING)),
        (_in(CLEARING), _do(c.stop_clearing)),
    ),
    e.RestartAsked: _row(
        (_in(*AT_REST, BACKOFF), _do(c.run_now, *_STARTS)),
        (_in(WAITING, SPAWNING), _do(c.restart_spawning)),
        (_in(SETTLING, RUNNING), _do(c.restart_running, ENDING, CLEARING)),
        (_in(ADOPTING), _do(c.restart_when_known)),
        (_in(ABORTING, ENDING, CLEARING), _do(c.start_after)),
    ),
    e.SignalAsked: _row(
        (_in(SETTLING, RUNNING, ENDING), _do(c.signal)),
        otherwise=Rejected("there is no process to signal"),
    ),
    e.PauseAsked: _row((_in(RUNNING), _do(c.pause)), otherwise=Rejected("only what is RUNNING can be paused")),
    e.ResumeAsked: _row((_in(RUNNING), _do(c.resume)), otherwise=Rejected("only what is RUNNING can be resumed")),
    e.DefinitionChanged: _row(
        (_in(SETTLING, RUNNING), _do(c.redefine_running, ENDING, CLEARING)),
        (_in(SPAWNING), _do(c.redefine_spawning, ABORTING)),
        (_in(ADOPTING), _do(c.redefine_adopting)),
        (_in(BACKOFF, FATAL), _do(c.redefine_failed, *_STARTS, STOPPED)),
        (_in(STOPPED, EXITED), _do(r.redefine_resting, *_STARTS)),
        (_in(CLEARING, ENDING), _do(c.redefine_ending)),
        otherwise=Ignored("the next start is by the new definition anyway"),
    ),
    # ---- facts ----
    e.Adopted: _row((_in(ADOPTING), _do(f.adopted, SETTLING, RUNNING, ENDING, CLEARING)), otherwise=_ONCE),
    e.AdoptionFailed: _row((_in(ADOPTING), _do(f.adoption_failed, *_STARTS, BACKOFF, *AT_REST)), otherwise=_ONCE),
    e.Spawned: _row(
        (_in(SPAWNING), _do(f.spawned, SETTLING, RUNNING)),
        (_in(ABORTING), _do(f.spawned_to_end, ENDING, CLEARING)),
        otherwise=_ONCE,
    ),
    e.SpawnFailed: _row(
        (_in(SPAWNING), _do(f.spawn_failed, WAITING, BACKOFF, EXITED, FATAL, CLEARING)),
        (_in(ABORTING), _do(f.spawn_failed_anyway, *_STARTS, STOPPED, CLEARING)),
        otherwise=_ONCE,
    ),
    e.MainExited: _row(
        (_in(SETTLING, RUNNING), _do(f.main_exited, *_STARTS, BACKOFF, CLEARING)),
        (_in(ENDING), _do(f.exited_as_asked, CLEARING)),
        (_in(CLEARING), _do(f.exited_when_killed, *_ONCE_CLEAR)),
        otherwise=_NO_PROCESS,
    ),
    e.Cleared: _row(
        (_in(CLEARING), _do(f.cleared, *_ONCE_CLEAR)),
        (AT_REST, Rejected("everything was cleared before it came to rest")),
        otherwise=_do(f.swept),
    ),
    e.SignalRefused: _row(
        (_in(ENDING), _do(f.signal_refused, CLEARING)),
        otherwise=Ignored("it has ended meanwhile, or is killed already"),
    ),
    e.FreezeRefused: _row(
        (_in(RUNNING), _do(f.freeze_refused)),
        otherwise=Ignored("it is being ended, or has ended"),
    ),
    # ---- reports ----
    e.ReadyChanged: _row(
        (_in(SETTLING), _do(f.ready_early, RUNNING)),
        (_in(RUNNING), _do(f.ready_changed)),
        otherwise=Ignored("only what is up can be ready"),
    ),
    e.HealthChanged: _row(
        (_in(SETTLING, RUNNING), _do(f.health_changed)),
        otherwise=Ignored("only what is up can be healthy"),
    ),
    e.StartExtended: _row(
        (_in(SETTLING), _do(f.start_extended)),
        otherwise=Ignored("it is up already, or is not to come up"),
    ),
    e.Spoke: _row(
        (_in(SETTLING, RUNNING), _do(f.spoke)),
        otherwise=Ignored("only what runs has something to say"),
    ),
    e.Condemned: _row(
        (_in(SETTLING, RUNNING), _do(f.condemned, ENDING)),
        otherwise=Ignored("it is being ended already, or has ended"),
    ),
    e.DependenciesMet: _row(
        (_in(WAITING), _do(f.start_unblocked, SPAWNING)),
        (_in(BACKOFF), _do(f.retry_unblocked, SPAWNING)),
        otherwise=_do(f.unblocked),
    ),
    e.DependencyLost: _row(
        (_in(SETTLING, RUNNING), _do(f.lose_dependency, ENDING, CLEARING)),
        (_in(SPAWNING), _do(f.lose_dependency_early, ABORTING)),
        otherwise=Ignored("nothing of it runs that is to run on"),
    ),
    e.EndDelayed: _row(
        (_in(SETTLING, RUNNING), _do(f.tell_delay)),
        otherwise=Ignored("it is being ended already, or has ended"),
    ),
    e.DependenciesUnmet: _row((_in(WAITING), _do(f.still_blocked)), otherwise=_do(f.blocked)),
    # ---- timers ----
    Timer.SPAWN: _row(
        (_in(SPAWNING, ADOPTING, ABORTING), _do(f.spawn_is_slow)),
        otherwise=Rejected("nothing is being started"),
    ),
    Timer.START: _row(
        (_in(SETTLING), _do(f.stayed_up, RUNNING, ENDING)), otherwise=Rejected("nothing has just started")
    ),
    Timer.STOP: _row((_in(ENDING), _do(f.stop_time_over, CLEARING)), otherwise=Rejected("nothing was asked to end")),
    Timer.RETRY: _row((_in(BACKOFF), _do(f.try_again, *_STARTS)), otherwise=Rejected("no try was due")),
    Timer.RUN: _row(
        (AT_REST, _do(r.look_at_the_clock, *_STARTS)),
        (_in(SETTLING, RUNNING), _do(r.look_at_the_clock, ENDING, CLEARING)),
        otherwise=_do(r.look_at_the_clock),
    ),
    Timer.STEADY: _row((_in(RUNNING), _do(f.steady)), otherwise=Rejected("it is not up")),
    Timer.CLEAR: _row((AT_REST, Rejected("nothing is left")), otherwise=_do(f.sweep_again)),
}
"""What each trigger does in each phase."""
