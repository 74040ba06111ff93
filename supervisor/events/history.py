"""From the events of a unit to its incarnations: when each began, when it ended, and how. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from attrs import define, field, frozen

from supervisor.store.entry import Entry


@frozen(kw_only=True)
class Step:
    """One thing that happened to a unit: what, when, and what made it so."""

    number: int
    time: str
    type: str
    state: str | None
    cause: str | None
    """What made it so, in one word."""
    reason: str
    """The same in words for people."""


@frozen(kw_only=True)
class Run:
    """One incarnation. What is not known, because it is beyond what is kept, is null."""

    incarnation: int
    pid: int | None
    started_at: str | None
    ended_at: str | None
    adopted: int
    """How often a later daemon, or keeper, has taken it over."""
    exit: dict[str, Any] | None
    """How it ended, as in the status of a unit."""


@frozen(kw_only=True)
class UnitHistory:
    """What is known of the past of a unit, newest first."""

    runs: tuple[Run, ...]
    steps: tuple[Step, ...]


@define
class _Draft:
    incarnation: int
    pid: int | None = None
    started_at: str | None = None
    adopted: int = 0
    exit: dict[str, Any] | None = field(default=None)

    def run(self) -> Run:
        return Run(
            incarnation=self.incarnation,
            pid=self.pid,
            started_at=self.started_at,
            ended_at=self.exit.get("at") if self.exit is not None else None,
            adopted=self.adopted,
            exit=self.exit,
        )


def history_of(entries: Sequence[Entry], *, limit: int) -> UnitHistory:
    """Fold the events of one unit, oldest first, into its newest ``limit`` incarnations and what happened."""
    runs: dict[int, _Draft] = {}
    steps: list[Step] = []
    for entry in entries:
        document = json.loads(entry.text)
        if entry.type in {"unit.defined", "unit.forgotten"}:
            # A unit of that name that was forgotten is another one, and its incarnations are counted from the start.
            runs.clear()
            steps.clear()
        steps.append(_step(entry, document))
        _note(runs, document)
    newest = sorted(runs.values(), key=lambda run: run.incarnation, reverse=True)
    return UnitHistory(runs=tuple(run.run() for run in newest[:limit]), steps=tuple(reversed(steps)))


def _status(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document.get("status") or (document.get("unit") or {}).get("status") or {}
    return found


def _step(entry: Entry, document: dict[str, Any]) -> Step:
    status = _status(document)
    return Step(
        number=entry.number,
        time=document["time"],
        type=entry.type,
        state=status.get("state"),
        cause=document.get("cause"),
        reason=document.get("detail") or status.get("reason") or "",
    )


def _note(runs: dict[int, _Draft], document: dict[str, Any]) -> None:
    status, ended = _status(document), document.get("exit")
    if ended is not None and ended.get("incarnation"):
        runs.setdefault(ended["incarnation"], _Draft(ended["incarnation"])).exit = ended
    if status.get("pid"):
        run = runs.setdefault(status["incarnation"], _Draft(status["incarnation"]))
        run.pid, run.started_at = status["pid"], status["started_at"] or run.started_at
        run.adopted += document["type"] == "unit.adopted"
