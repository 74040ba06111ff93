"""The table of who depends on whom, over all kinds of units, and the news that follow from it.

A table like :class:`supervisor.units.roster.Roster`: rosters tell it of every change of a unit, it tells the keepers of
those that depend on that unit, synchronously and only where something has changed for them. Nothing here polls, and a
unit without relations costs the look-up of its name.

A keeper hears three things: that everything that its unit waits for is there, that something is not, and that a
dependency whose restarts it follows has gone. What follows from them, the unit's machine decides.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Final, TypeAlias

from attrs import define, field

from supervisor.errors import InvalidInput, Problem
from supervisor.units.dependency import OnDependencyRestart, Until, address_of
from supervisor.units.events import DependenciesMet, DependenciesUnmet, DependencyLost
from supervisor.units.graph import find_cycle, longest_path
from supervisor.units.meeting import has_process, is_met, what_is_missing
from supervisor.units.names import nearest
from supervisor.units.roster import Roster
from supervisor.units.spec import UnitSpec
from supervisor.units.status import State, UnitView

News: TypeAlias = DependenciesMet | DependenciesUnmet | DependencyLost
Report: TypeAlias = Callable[[News], None]

ENDING_SPARE: Final = 2.0
"""Seconds beyond its stop timeout that a unit may take to be gone before whoever waits for that goes on without it."""


@define(eq=False)
class _Dependent:
    """A unit that depends on others."""

    address: str
    needs: dict[str, tuple[str, Until]]
    """By address: how it was said, and until when it waits."""
    follows: bool
    """Whether it is ended and started again with what it depends on."""
    report: Report | None = None
    told: News = field(factory=DependenciesMet)


class Relations:
    """Who depends on whom. To be used on the trio thread; the rosters of several kinds may share one."""

    def __init__(self) -> None:
        self._rosters: dict[str, Roster] = {}
        self._dependents: dict[str, _Dependent] = {}
        self._needed_by: dict[str, dict[str, None]] = {}
        self._living: dict[str, int] = {}
        """The incarnation that last lived of each unit that is depended on."""
        self._gates: dict[str, tuple[str, str]] = {}
        """Units that may not start: who says so, and what they wait for, in words."""
        self._leaving: dict[str, Callable[[], None]] = {}
        """Units that are about to be ended, and what to call once those that follow them are gone."""

    def attach(self, plural: str, roster: Roster) -> None:
        """Hear of every change in the roster of a kind."""
        self._rosters[plural] = roster
        roster.watch(partial(self._changed, plural))

    # ---- definitions ----

    def declare(self, address: str, spec: UnitSpec) -> None:
        """Take note of what a unit is to depend on, from now on.

        Raises ``InvalidInput`` and changes nothing where it would depend on a unit that does not exist, or on itself.
        """
        self.check({address: spec})
        self._enter(address, spec)

    def settle(self, address: str, spec: UnitSpec) -> None:
        """Take note of what a unit depends on by the definition that is in force, and was checked when it was made."""
        self._enter(address, spec)

    def declare_all(self, wanted: Mapping[str, UnitSpec], gone: Collection[str]) -> None:
        """Do the same for several units at once, which may depend on each other; ``gone`` are about to be deleted."""
        self.check(wanted, gone)
        for address, spec in wanted.items():
            self._enter(address, spec)

    def check(self, wanted: Mapping[str, UnitSpec], gone: Collection[str] = ()) -> None:
        """Raise ``InvalidInput`` unless all of these definitions can be in force together with those that are."""
        for address, spec in wanted.items():
            # What it depends on already may have been deleted since; that is no fault of another change.
            before = self._dependents[address].needs if address in self._dependents else {}
            missing = [
                Problem(f"depends_on.{said}", self._unknown(said, needed))
                for needed, (said, _) in _needs(address, spec).items()
                if needed not in wanted and needed not in before and (needed in gone or self._view(needed) is None)
            ]
            if missing:
                raise InvalidInput.of(f"the definition of {address}", missing)
        graph: dict[str, tuple[str, ...]] = {at: tuple(found.needs) for at, found in self._dependents.items()}
        graph |= {address: tuple(_needs(address, spec)) for address, spec in wanted.items()}
        cycle = find_cycle(graph)
        first = next((address for address in wanted if address in cycle), None)
        if first is not None:
            at = cycle.index(first)
            way = " -> ".join((*cycle[at:-1], *cycle[:at], first))
            raise InvalidInput.of(
                f"the definition of {first}",
                [Problem("depends_on", f"nothing in a circle could ever be started: {way}")],
            )

    def follow(self, address: str, spec: UnitSpec, report: Report) -> News:
        """Begin to tell ``report`` of changes, and return how things are."""
        found = self._enter(address, spec)
        found.report, found.told = report, self._news_for(found)
        return found.told

    def leave(self, address: str) -> None:
        """Tell the keeper of a unit nothing more; what the unit depends on stays known."""
        self._leaving.pop(address, None)
        if address in self._dependents:
            self._dependents[address].report = None

    def forget(self, address: str) -> None:
        """Forget a unit that is gone."""
        self._drop(address)
        self._leaving.pop(address, None)
        self._living.pop(address, None)

    def graph(self) -> dict[str, tuple[str, ...]]:
        """Return each unit that depends on others, by address, with those that it depends on."""
        return {address: tuple(found.needs) for address, found in self._dependents.items() if found.needs}

    # ---- gates ----

    def shut(self, address: str, gate: str, sentence: str, *, end: bool) -> None:
        """Let a unit not start until :meth:`open`, since ``gate`` says so; with ``end``, end what runs of it too."""
        self._gates[address] = (gate, sentence)
        found = self._dependents.get(address)
        if found is not None:
            self._tell(found)
            if end and found.report is not None:
                found.report(DependencyLost(sentence))

    def open(self, address: str) -> None:
        """Let a unit start."""
        if self._gates.pop(address, None) is not None and address in self._dependents:
            self._tell(self._dependents[address])

    # ---- ends by plan ----

    def leaving(self, address: str, then: Callable[[], None]) -> tuple[str, ...]:
        """Take note that a unit is about to be ended, and return the addresses of those that have to go first.

        These are told at once, and ``then`` is called when the last of them is gone. Where there is none, it is not.
        """
        view = self._view(address)
        first = self._followers_alive(address) if view is not None and has_process(view.status) else ()
        if not first:
            return ()
        self._leaving[address] = then
        for other in first:
            self._tell_lost(other, address)
        return first

    def patience(self, address: str) -> float:
        """Return how long those that have to go before a unit may take, one after the other."""
        below = set[str]()
        waiting = [address]
        while waiting:
            new = [other for other in self._needed_by.get(waiting.pop(), ()) if other not in below]
            below.update(new)
            waiting += new
        return longest_path(self.graph(), self._time_to_end, below)

    # ---- the inside ----

    def _enter(self, address: str, spec: UnitSpec) -> _Dependent:
        before = self._dependents.get(address)
        needs = _needs(address, spec)
        follows = spec.on_dependency_restart is OnDependencyRestart.RESTART
        if before is not None and (before.needs, before.follows) == (needs, follows):
            return before
        self._drop(address)
        found = self._dependents[address] = _Dependent(address, needs, follows)
        for needed in needs:
            self._needed_by.setdefault(needed, {})[address] = None
            view = self._view(needed)
            if view is not None and has_process(view.status):
                self._living.setdefault(needed, view.status.incarnation)
        if before is not None:
            found.report, found.told = before.report, before.told
            self._tell(found)
        return found

    def _drop(self, address: str) -> None:
        found = self._dependents.pop(address, None)
        for needed in found.needs if found is not None else ():
            others = self._needed_by[needed]
            del others[address]
            if not others:
                del self._needed_by[needed]
                self._living.pop(needed, None)

    def _changed(self, plural: str, name: str, view: UnitView | None) -> None:
        if not self._needed_by:
            # The rule: no unit depends on another.
            return
        address = f"{plural}/{name}"
        if address in self._dependents and not (view is not None and has_process(view.status)):
            self._gone(address)
        dependents = self._needed_by.get(address)
        if dependents is None:
            return
        lost = self._is_loss(address, view)
        for other in tuple(dependents):
            found = self._dependents[other]
            self._tell(found)
            if lost and found.follows:
                self._tell_lost(other, address)

    def _is_loss(self, address: str, view: UnitView | None) -> bool:
        """Tell whether the incarnation that lived so far is gone or going, and take note of the one that lives now."""
        # A keeper that looks for its process knows nothing yet; usually it finds it.
        if view is not None and view.status.state is State.UNKNOWN:
            return False
        alive = view.status.incarnation if view is not None and has_process(view.status) else None
        before = self._living.get(address)
        if alive is None:
            self._living.pop(address, None)
            self._leaving.pop(address, None)
        else:
            self._living[address] = alive
        return before is not None and before != alive

    def _gone(self, address: str) -> None:
        """Tell those that waited for this unit to be gone, if it was the last one."""
        for needed in self._dependents[address].needs:
            if needed in self._leaving and not self._followers_alive(needed):
                self._leaving[needed]()

    def _followers_alive(self, address: str) -> tuple[str, ...]:
        found = []
        for other in self._needed_by.get(address, ()):
            dependent, view = self._dependents[other], self._view(other)
            concerned = dependent.follows and dependent.needs[address][1] is not Until.COMPLETED
            if concerned and view is not None and view.status.started_at is not None:
                found.append(other)
        return tuple(found)

    def _tell_lost(self, other: str, address: str) -> None:
        found = self._dependents[other]
        said, until = found.needs[address]
        if found.report is None or until is Until.COMPLETED:
            return
        # First that it is missing, so that what is ended now is not started again at once.
        self._tell(found)
        found.report(DependencyLost(said))

    def _tell(self, found: _Dependent) -> None:
        news = self._news_for(found)
        if news != found.told:
            found.told = news
            if found.report is not None:
                found.report(news)

    def _news_for(self, found: _Dependent) -> DependenciesMet | DependenciesUnmet:
        names, sentences = [], []
        if found.address in self._gates:
            gate, sentence = self._gates[found.address]
            names.append(gate)
            sentences.append(sentence)
        for needed, (said, until) in found.needs.items():
            view = self._view(needed)
            if needed in self._leaving and found.follows and until is not Until.COMPLETED:
                names.append(said)
                sentences.append(f"{said} to be back")
            elif view is None or not is_met(until, view.status):
                names.append(said)
                sentences.append(what_is_missing(said, until, view))
        return DependenciesUnmet(tuple(names), "waiting for " + ", ".join(sentences)) if names else DependenciesMet()

    def _view(self, address: str) -> UnitView | None:
        plural, _, name = address.partition("/")
        roster = self._rosters.get(plural)
        return None if roster is None else roster.view(name)

    def _time_to_end(self, address: str) -> float:
        view = self._view(address)
        return ENDING_SPARE + (view.spec.stop_timeout if view is not None else 0.0)

    def _unknown(self, said: str, address: str) -> str:
        plural, _, name = address.partition("/")
        roster = self._rosters.get(plural)
        if roster is None:
            return f"there is no kind {plural!r} here"
        meant = nearest(name, roster.names())
        return f"there is no unit {said!r}" + (f"; did you mean {meant!r}?" if meant else "")


def _needs(address: str, spec: UnitSpec) -> dict[str, tuple[str, Until]]:
    plural = address.partition("/")[0]
    return {address_of(said, plural): (said, until) for said, until in spec.depends_on.items()}
