"""The messages that units understand: the whole protocol between the API's routes and the tree.

Each request carries ``reply_to``. A reply is either its value or a ``HoodyError``; a request that cannot be carried out
changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from attrs import field, frozen

from supervisor.declared.groups import GroupPlan
from supervisor.declared.plan import Plan
from supervisor.errors import HoodyError
from supervisor.groups.spec import GroupDefinition
from supervisor.runtime import Reply
from supervisor.units.quantities import SignalName
from supervisor.units.spec import AgentDefinition
from supervisor.units.status import Kind, UnitView
from supervisor.units.together import Together

# ---- to the directory of a kind (registered as the plural of the kind: "agents") ----


@frozen(kw_only=True)
class CreateUnit:
    """Define a unit and, with ``start``, start it. Answers with its view once the definition is on disk.

    Errors: ``AlreadyExists``, ``InvalidInput`` where it would depend on itself or on nothing, ``StorageError``.
    """

    definition: AgentDefinition
    start: bool
    reply_to: Reply[UnitView]


@frozen(kw_only=True)
class Applied:
    """What an apply has done, or would do."""

    plan: Plan
    groups: GroupPlan = field(factory=GroupPlan)
    failures: Mapping[str, HoodyError] = field(factory=dict)
    """The units that should be gone and are not, each with the reason."""


@frozen(kw_only=True)
class ReplaceUnit:
    """Give a unit a new definition. A running unit is restarted when its ``spec`` differs, and only then.

    Answers with the new view once the definition is on disk; the restart goes on afterwards. ``expected_revision`` is
    the caller's ``If-Match``. Errors: ``NotFound``, ``RevisionMismatch``, ``InvalidInput``, ``StorageError``.
    """

    name: str
    definition: AgentDefinition
    expected_revision: int | None
    reply_to: Reply[UnitView]
    source: str | None = None
    """Where it is declared from now on; None leaves that as it is."""
    together: Together | None = None
    """Write it down with others, or not at all."""


@frozen(kw_only=True)
class ApplyUnits:
    """Make the units what they are declared to be: all of them, or after an error none.

    What is created and replaced is on disk together before anything is started anew; what ``prune`` removes (units that
    were declared from ``source`` before and are not any more) is stopped and forgotten after that. Answers once all of
    it is done. With ``dry_run`` nothing is. ``groups`` are written with them, and begin once their members are there;
    None leaves all groups alone. Errors: ``InvalidInput``, ``AlreadyExists``, ``Conflict``,
    ``StorageError``.
    """

    definitions: tuple[AgentDefinition, ...]
    groups: tuple[GroupDefinition, ...] | None = None
    source: str
    prune: bool
    dry_run: bool
    reply_to: Reply[Applied]


@frozen(kw_only=True)
class DeleteUnit:
    """Forget a unit. One that is not at rest is refused with ``InvalidTransition``, or stopped first with ``force``.

    Answers once nothing of it runs and its definition is gone from disk. Its logs stay until a unit of that name
    is defined again. Errors: ``NotFound``, ``RevisionMismatch``, ``InvalidTransition``, ``StorageError``.
    """

    name: str
    force: bool
    expected_revision: int | None
    reply_to: Reply[None]


@frozen(kw_only=True)
class GetUnit:
    """Answer with one view. Errors: ``NotFound``, naming the nearest known name in its hint."""

    name: str
    reply_to: Reply[UnitView]


@frozen(kw_only=True)
class ListUnits:
    """Answer with every view of the kind, ordered by name. Costs no message per unit."""

    reply_to: Reply[tuple[UnitView, ...]]


@frozen(kw_only=True)
class HealthCounts:
    """The health of all units of a kind, kept up to date by what the units push."""

    kind: Kind
    total: int
    by_state: Mapping[str, int]
    by_health: Mapping[str, int]
    crash_loops: int
    unhealthy: tuple[str, ...]
    """The units that should run and do not run well, at most twenty, ordered by name."""
    unhealthy_total: int


@frozen(kw_only=True)
class GetHealth:
    """Answer with the counts: the read of one value."""

    reply_to: Reply[HealthCounts]


@frozen(kw_only=True)
class StartUnit:
    """Make the unit run and remember that it should. Ends a backoff wait early and forgets a crash loop.

    Without ``wait`` the answer comes once the wish is on disk; with it, once the unit is RUNNING, or has failed to get
    there: ``SpawnFailed`` when it could not be started, ``InvalidTransition`` with the exit when it ended too early. A
    job that has come to a wanted end by then was started.
    Starting what runs already is done at once. Here and below, ``expected_revision`` is the caller's ``If-Match``.
    Errors: ``NotFound``, ``RevisionMismatch``, ``StorageError``.
    """

    name: str
    wait: bool
    reply_to: Reply[UnitView]
    expected_revision: int | None = None


@frozen(kw_only=True)
class StopUnit:
    """Make the unit stop and remember that it should stay so. ``now`` skips the stop signal and kills at once.

    With ``wait`` the answer comes once nothing of it is left. A second request with ``now`` hurries a stop under way.
    """

    name: str
    wait: bool
    now: bool
    reply_to: Reply[UnitView]
    expected_revision: int | None = None


@frozen(kw_only=True)
class RestartUnit:
    """Stop what runs, then start; a unit at rest is just started. ``wait`` as in :class:`StartUnit`."""

    name: str
    wait: bool
    reply_to: Reply[UnitView]
    expected_revision: int | None = None


@frozen(kw_only=True)
class SignalUnit:
    """Send a signal to the live incarnation. Refused with ``InvalidTransition`` where there is none.

    ``whole_group`` sends it to the process group and not to the main process alone. What the signal causes is treated
    as the program's own doing: a KILL sent this way is followed by a restart.
    """

    name: str
    signal: SignalName
    whole_group: bool
    reply_to: Reply[UnitView]
    expected_revision: int | None = None


@frozen(kw_only=True)
class PauseUnit:
    """Let nothing of the live incarnation run, without ending it. Refused with ``InvalidTransition`` unless RUNNING.

    What is paused already stays so. A stop, a restart and the end of the daemon's care for it end the pause.
    """

    name: str
    reply_to: Reply[UnitView]
    expected_revision: int | None = None


@frozen(kw_only=True)
class ResumeUnit:
    """Let what is paused run on. Refused with ``InvalidTransition`` unless RUNNING; what is not paused just runs."""

    name: str
    reply_to: Reply[UnitView]
    expected_revision: int | None = None


UnitRequest: TypeAlias = StartUnit | StopUnit | RestartUnit | SignalUnit | PauseUnit | ResumeUnit
DirectoryRequest: TypeAlias = (
    ApplyUnits | CreateUnit | ReplaceUnit | DeleteUnit | GetUnit | ListUnits | GetHealth | UnitRequest
)
