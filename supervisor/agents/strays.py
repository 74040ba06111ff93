"""Find what an earlier daemon has left running, so that nothing is started twice."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import frozen

from supervisor.agents.identity import identity_of
from supervisor.agents.marks import Mark
from supervisor.agents.tree import Picture
from supervisor.units.driver import Identity


@frozen(kw_only=True)
class Stray:
    """A living process of a unit."""

    unit: str
    incarnation: int
    identity: Identity
    main: bool
    """It is the oldest leader of a session among those of its incarnation, so it is the main process, if that lives."""


def strays(picture: Picture, instance: str, known: Iterable[Mark] = ()) -> tuple[Stray, ...]:
    """Return the living processes of this daemon's units, in the order of unit, incarnation and age.

    The environment of a process names its unit. Programs that have overwritten theirs carry only the seal, which can be
    compared but not read: they are found if their mark is among ``known``.
    """
    by_seal = {mark.seal: mark for mark in known}
    found: dict[Mark, list[Identity]] = {}
    leaders: dict[Mark, Identity] = {}
    for process in sorted(picture, key=lambda process: (process.stat.start_time, process.pid)):
        mark = process.mark or by_seal.get(process.seal or 0)
        if mark is None or mark.instance != instance or process.stat.dead:
            continue
        identity = identity_of(process.stat)
        found.setdefault(mark, []).append(identity)
        if process.stat.session == process.pid:
            leaders.setdefault(mark, identity)
    return tuple(
        Stray(unit=mark.unit, incarnation=mark.incarnation, identity=identity, main=leaders.get(mark) == identity)
        for mark in sorted(found, key=lambda mark: (mark.unit, mark.incarnation))
        for identity in found[mark]
    )
