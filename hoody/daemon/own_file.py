"""Applies the daemon's own ``hoody.toml`` when it is told to: what SIGHUP does beside reopening the log."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import trio

from hoody.daemon.config import read_trusted
from hoody.declaration import Declared, parse_declared
from supervisor.declared import Action, Declaration, read_declaration
from supervisor.errors import HoodyError
from supervisor.groups.spec import GROUPS
from supervisor.runtime import ActorRef, System
from supervisor.units.messages import Applied, ApplyUnits, DirectoryRequest

APPLY_WITHIN: Final = 300.0
_CHANGING: Final = (Action.CREATE, Action.REPLACE)

_log = logging.getLogger("hoody.daemon")


class OwnFile:
    """The file at ``path``. Nothing that is wrong with it ends anything: it is told in the log."""

    def __init__(self, path: str, system: System) -> None:
        self._path = path
        self._system = system
        self._one_at_a_time = trio.Lock()

    async def apply(self) -> None:
        """Make the agents and groups what the file declares, removing none. Does nothing where there is no file."""
        async with self._one_at_a_time:
            try:
                declared = await trio.to_thread.run_sync(self._read)
                if declared is None:
                    return
                wanted = read_declaration(declared.document, what=self._path)
                applied = await self._ask(wanted, declared.source)
            except HoodyError as error:
                _log.error("%s was not applied: %s", self._path, error, extra={"hint": error.hint})
            else:
                _tell(applied, declared.source, self._path)

    def _read(self) -> Declared | None:
        try:
            content = read_trusted(Path(self._path))
        except FileNotFoundError:
            return None
        return parse_declared(self._path, content)

    async def _ask(self, wanted: Declaration, source: str) -> Applied:
        directory: ActorRef[DirectoryRequest] = self._system.registry.ref("agents")
        return await directory.ask(
            lambda reply: ApplyUnits(
                definitions=wanted.agents,
                groups=wanted.groups,
                source=source,
                prune=False,
                dry_run=False,
                reply_to=reply,
            ),
            timeout=APPLY_WITHIN,
        )


def _tell(applied: Applied, source: str, path: str) -> None:
    done = {action.value: [change.name for change in applied.plan.named(action)] for action in Action}
    groups = {
        action.value: [each.name for each in applied.groups.changes if each.action is action] for action in Action
    }
    changed = [name for found in (done, groups) for action in _CHANGING for name in found[action]]
    _log.info(
        "%s was applied: %s",
        path,
        f"{len(changed)} changed" if changed else "nothing differs",
        extra={
            "units_created": done[Action.CREATE],
            "units_replaced": done[Action.REPLACE],
            "groups_created": groups[Action.CREATE],
            "groups_replaced": groups[Action.REPLACE],
            "source": source,
            "left_alone": [*applied.plan.left, *(f"{GROUPS}/{name}" for name in applied.groups.left)],
        },
    )
