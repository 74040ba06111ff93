"""Whether a group can be what its definition says, beside the groups and units that there are. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from supervisor.errors import InvalidInput, Problem
from supervisor.groups.spec import GROUPS, GroupDefinition, address_of_member
from supervisor.units.graph import find_cycle


def check_group(wanted: GroupDefinition, others: Mapping[str, GroupDefinition], exists: Callable[[str], bool]) -> None:
    """Raise ``InvalidInput`` with every fault; ``exists`` tells whether there is a unit of that address."""
    known = {name: found for name, found in others.items() if name != wanted.name}
    problems = []
    for index, member in enumerate(wanted.spec.members):
        address = address_of_member(member)
        kind, _, name = address.partition("/")
        there = name in known or name == wanted.name if kind == GROUPS else exists(address)
        owner = next((group for group, found in known.items() if address in _members(found)), None)
        what = "group" if kind == GROUPS else "unit"
        if not there:
            problems.append(Problem(f"members[{index}]", f"there is no {what} {member!r}"))
        elif owner is not None:
            problems.append(Problem(f"members[{index}]", f"{member!r} is a member of the group {owner!r} already"))
    graph = {f"{GROUPS}/{found.name}": _members(found) for found in (*known.values(), wanted)}
    cycle = find_cycle(graph)
    if cycle:
        problems.append(Problem("members", f"a group cannot contain itself: {' -> '.join(cycle)}"))
    if problems:
        raise InvalidInput.of(f"the definition of group {wanted.name!r}", problems)


def _members(definition: GroupDefinition) -> tuple[str, ...]:
    return tuple(map(address_of_member, definition.spec.members))
