"""A definition that is being put together from somebody else's file. Pure.

An importer says what it has found in the words of our keys. A key that there is not, a value that is not valid and
whatever has no counterpart end up in the list of what could not be carried over; nothing is dropped in silence.
"""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping
from typing import Any, Final, Union, get_args, get_origin

import attrs
from attrs import define, field, frozen

from supervisor.convert import definition_from_document
from supervisor.errors import InvalidInput, Problem
from supervisor.units.names import LONGEST_NAME
from supervisor.units.spec import AgentSpec

_ODD: Final = re.compile(r"[^A-Za-z0-9._-]+")
_FIRST: Final = ("command", "shell", "directory", "user", "environment", "environment_files", "labels", "restart")
"""The order in which people read a definition; whatever else there is follows."""
_SHELL: Final = re.compile(r"[$|&;<>()`*?~\[\]{}\n#]|^\s*[A-Za-z_]\w*=")
"""What means something to a shell and nothing to us."""


@frozen
class Unmapped:
    """Something that could not be carried over: whose it is (None: of the whole file), what, and why."""

    agent: str | None
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.agent}: {self.what}: {self.why}" if self.agent else f"{self.what}: {self.why}"


@frozen(kw_only=True)
class Imported:
    """What a file says in our words."""

    agents: Mapping[str, Mapping[str, Any]]
    """Definitions by name, as ``hoody.toml`` has them."""
    unmapped: tuple[Unmapped, ...]


@define
class Draft:
    """One definition, not finished yet."""

    name: str
    keys: dict[str, Any] = field(factory=dict)
    unmapped: list[Unmapped] = field(factory=list)
    _origins: dict[str, str] = field(factory=dict)

    def put(self, path: str, value: object, origin: str) -> None:
        """Set the key at ``path`` (``limits.memory``), which ``origin`` stands for in the file."""
        if not is_key(path):
            self.cannot(origin, f"there is no key {path!r} for it")
            return
        self._origins[path] = origin
        table, _, key = path.rpartition(".")
        into = self.keys.setdefault(table, {}) if table else self.keys
        into[key] = value

    def run(self, command: str, origin: str, *, through_shell: bool | None = None) -> None:
        """Set the command; by a shell where that is said, or (None) where the words mean something to a shell."""
        through = bool(_SHELL.search(command)) if through_shell is None else through_shell
        self.put("command", command, origin)
        if through:
            self.keys["shell"] = True

    def variable(self, name: str, value: str) -> None:
        """Set a variable of the environment."""
        self.keys.setdefault("environment", {})[name] = value

    def label(self, name: str, value: str) -> None:
        """Set a label."""
        self.keys.setdefault("labels", {})[name] = value

    def cannot(self, what: str, why: str) -> None:
        """Note something that has no counterpart."""
        self.unmapped.append(Unmapped(self.name, what, why))

    def finish(self) -> Mapping[str, Any] | None:
        """Return the definition with what is not valid left out and noted; None where nothing can run by it."""
        while True:
            try:
                definition_from_document(self.keys, self.name)
            except InvalidInput as error:
                if not self._leave_out(error):
                    return None
            else:
                first: dict[str, Any] = {key: self.keys[key] for key in _FIRST if key in self.keys}
                return {**first, **self.keys}

    def _leave_out(self, error: InvalidInput) -> bool:
        """Leave out what is at fault. Returns False where that is what everything else is for."""
        for path, message in error.problems:
            table, _, inner = path.partition(".")
            key = re.split(r"[\[]", table)[0]
            if key in {"command", "name", "shell", ""} or key not in self.keys:
                self.cannot(self._origins.get("command", path), f"not imported: {Problem(path, message)}")
                return False
            step = re.split(r"[.\[]", inner)[0]
            within = self.keys[key]
            place = f"{key}.{step}" if step else key
            self.cannot(self._origins.get(place) or self._origins.get(key) or place, message)
            if isinstance(within, dict) and step in within and len(within) > 1:
                del within[step]
            else:
                del self.keys[key]
        return True


def is_key(path: str) -> bool:
    """Tell whether there is such a key in the definition of an agent."""
    cls: Any = None
    for step in path.split("."):
        fields = _fields(cls)
        if step not in fields:
            return False
        cls = fields[step]
    return True


def _fields(cls: Any) -> dict[str, Any]:  # noqa: ANN401 - a type, which has no better type
    if cls is None:
        own = {"workspace": str, "labels": Mapping}
        return {**own, **_fields(AgentSpec)}
    members = get_args(cls) if get_origin(cls) in {Union, types.UnionType} else (cls,)
    found: dict[str, Any] = {}
    for member in members:
        if isinstance(member, type) and attrs.has(member):
            found.update({each.name: each.type for each in attrs.fields(attrs.resolve_types(member))})
    return found


def imported(drafts: Iterator[Draft] | list[Draft], rest: list[Unmapped]) -> Imported:
    """Finish all drafts."""
    agents: dict[str, Mapping[str, Any]] = {}
    unmapped: list[Unmapped] = []
    for draft in drafts:
        draft.name = free_name(draft, agents)
        finished = draft.finish()
        if finished is not None:
            agents[draft.name] = finished
        unmapped += draft.unmapped
    return Imported(agents=agents, unmapped=(*unmapped, *rest))


def free_name(draft: Draft, taken: Mapping[str, object]) -> str:
    """Return the name of a draft in the letters that a name may have, one that nobody has yet."""
    plain = _ODD.sub("-", draft.name).strip("-._")[:LONGEST_NAME] or "agent"
    folded = {name.casefold() for name in taken}
    found, number = plain, 1
    while found.casefold() in folded:
        number += 1
        found = f"{plain[: LONGEST_NAME - 4]}-{number}"
    if found != draft.name:
        draft.unmapped.append(Unmapped(found, f"name {draft.name!r}", "is not possible or taken"))
    return found
