"""What the store is asked to keep, and what it gives back. Every write is on disk before its reply is sent."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TypeAlias

from attrs import field, frozen

from supervisor.runtime import Reply
from supervisor.store.entry import Entry, Search
from supervisor.units.driver import Identity
from supervisor.units.spec import AgentSpec
from supervisor.units.status import Counters, Desired, Kind, LastExit, State


@frozen(kw_only=True)
class LiveRecord:
    """The process that a unit last had: what the next daemon needs to find it again."""

    incarnation: int
    identity: Identity
    started_at: datetime
    was_ready: bool = False
    """Its readiness probe has passed before."""
    paused: bool = False
    """Somebody has paused it."""


@frozen(kw_only=True)
class Progress:
    """What is remembered of a unit's runs, beside its definition."""

    state: State = State.STOPPED
    """The last resting state (STOPPED, EXITED, FATAL), or RUNNING when it was on its way or up."""
    reason: str = ""
    incarnation: int = 0
    restarts: int = 0
    counters: Counters = field(factory=Counters)
    exit: LastExit | None = None
    live: LiveRecord | None = None
    stale: bool = False
    """What runs was started by an earlier definition and is to be replaced."""
    next_run_at: datetime | None = None
    """When it runs next by its schedule: once that is over, it was missed."""


@frozen(kw_only=True)
class UnitRecord:
    """A unit as the store keeps it."""

    kind: Kind
    name: str
    workspace: str | None
    labels: Mapping[str, str]
    revision: int
    created_at: datetime
    spec: AgentSpec
    desired: Desired = Desired.STOPPED
    source: str | None = None
    """Where it was declared, if it was applied with others; only an apply from there removes it by itself."""
    progress: Progress = field(factory=Progress)


@frozen(kw_only=True)
class SaveUnit:
    """Write a unit's definition, replacing an earlier one of that kind and name (progress is left alone)."""

    record: UnitRecord
    reply_to: Reply[None]


@frozen(kw_only=True)
class SaveUnits:
    """Write and delete several units' definitions together: all of them, or after an error none.

    With them go documents (kind, name, text), and documents (kind, name) that are deleted.
    """

    records: tuple[UnitRecord, ...] = ()
    forget: tuple[tuple[Kind, str], ...] = ()
    documents: tuple[tuple[str, str, str], ...] = ()
    forget_documents: tuple[tuple[str, str], ...] = ()
    reply_to: Reply[None]


@frozen(kw_only=True)
class ForgetUnit:
    """Delete a unit and all that is known of it. Deleting what is not there is done at once."""

    kind: Kind
    name: str
    reply_to: Reply[None]


@frozen(kw_only=True)
class SaveDesired:
    """Remember what somebody wants of a unit. Error: ``NotFound``."""

    kind: Kind
    name: str
    desired: Desired
    reply_to: Reply[None]


@frozen(kw_only=True)
class NoteProgress:
    """Remember how far a unit is. Sent without waiting: the process table of the kernel is the truth, this is a help.

    Notes of one unit are written in the order sent, and a note for a unit that is gone is dropped.
    """

    kind: Kind
    name: str
    progress: Progress


@frozen(kw_only=True)
class LoadUnits:
    """Answer with every unit of a kind, ordered by name, including every write accepted before this request."""

    kind: Kind
    reply_to: Reply[tuple[UnitRecord, ...]]


@frozen(kw_only=True)
class LoadUnit:
    """Answer with one unit, or None."""

    kind: Kind
    name: str
    reply_to: Reply[UnitRecord | None]


@frozen(kw_only=True)
class AppendEvents:
    """Write events behind those that are there, and forget those beyond the retention; but never the newest one.

    The newest ``keep`` stay, unless they are of before ``since``. Answers with the number of the oldest that is kept.
    Survives the death of the daemon, but is not forced to the disk.
    """

    entries: tuple[Entry, ...]
    keep: int
    since: datetime
    reply_to: Reply[int]


@frozen(kw_only=True)
class FindEvents:
    """Answer with the events that are searched for, in the order of their numbers."""

    search: Search
    reply_to: Reply[tuple[Entry, ...]]


@frozen(kw_only=True)
class GetEventBounds:
    """Answer with the numbers of the oldest and of the newest event; 1 and 0 where there is none."""

    reply_to: Reply[tuple[int, int]]


@frozen(kw_only=True)
class SaveDocument:
    """Write a small document of one of the daemon's parts, replacing an earlier one of that kind and name."""

    kind: str
    name: str
    text: str
    reply_to: Reply[None]


@frozen(kw_only=True)
class ForgetDocument:
    """Delete a document. Deleting what is not there is done at once."""

    kind: str
    name: str
    reply_to: Reply[None]


@frozen(kw_only=True)
class LoadDocuments:
    """Answer with the name and text of every document of a kind, ordered by name."""

    kind: str
    reply_to: Reply[tuple[tuple[str, str], ...]]


EventRequest: TypeAlias = AppendEvents | FindEvents | GetEventBounds
DocumentRequest: TypeAlias = SaveDocument | ForgetDocument | LoadDocuments
StoreRequest: TypeAlias = (
    SaveUnit
    | SaveUnits
    | ForgetUnit
    | SaveDesired
    | NoteProgress
    | LoadUnits
    | LoadUnit
    | EventRequest
    | DocumentRequest
)
