"""The shapes of the API's objects, for type checkers and readers; nothing here is needed at run time.

A newer daemon may send more than is written here. Times are RFC 3339 in UTC, durations in a status are seconds,
durations in a definition are text such as ``"500ms"`` (numbers of seconds are taken as well).
"""

from __future__ import annotations

from typing import Any, Literal, NotRequired, TypedDict

Duration = str | float
State = Literal["STOPPED", "STARTING", "RUNNING", "BACKOFF", "STOPPING", "EXITED", "FATAL", "UNKNOWN"]


class BackoffFields(TypedDict, total=False):
    """``backoff`` of a definition."""

    initial: Duration
    factor: float
    max: Duration
    jitter: float
    reset_after: Duration


class ProbeFields(TypedDict, total=False):
    """``readiness`` and ``liveness`` of a definition: exactly one of the first six, and how to look."""

    http: str | None
    tcp: str | int | None
    exec: str | list[str] | None
    log: str | None
    heartbeat: str | None
    notify: bool
    interval: Duration
    timeout: Duration
    start_period: Duration
    successes: int
    failures: int
    max_age: Duration | None
    allow_remote: bool


class LimitFields(TypedDict, total=False):
    """``limits`` of a definition."""

    runtime: Duration | None
    silence: Duration | None
    memory: str | int | None
    cpu: float | None
    processes: int | None
    open_files: int | None
    core: str | int | None
    file_size: str | int | None


class LogFields(TypedDict, total=False):
    """``logs`` of a definition."""

    max_size: str | int
    backups: int
    max_age: Duration | None
    compress: bool


class SpecFields(TypedDict, total=False):
    """What a definition may say beside its command."""

    shell: bool
    directory: str | None
    environment: dict[str, str]
    environment_files: list[str]
    ports: list[str]
    restart: Literal["always", "on-failure", "never", "permanent", "transient", "temporary"]
    success_exit_codes: list[int]
    success_signals: list[str]
    backoff: BackoffFields
    max_restarts: int
    period: Duration
    on_give_up: Literal["retry", "fail", "escalate"]
    start_seconds: Duration
    stop_signal: str
    stop_timeout: Duration
    stdin: Literal["null", "pipe"]
    user: str | int | None
    group: str | int | None
    groups: list[str | int] | None
    umask: str | None
    nice: int | None
    readiness: ProbeFields | None
    liveness: ProbeFields | None
    on_unhealthy: Literal["restart", "ignore"]
    start_timeout: Duration
    limits: LimitFields
    logs: LogFields
    depends_on: dict[str, Literal["started", "ready", "healthy", "completed"]] | list[str]
    on_dependency_restart: Literal["ignore", "restart"]
    priority: int


class Spec(SpecFields):
    """The definition of a unit as the daemon shows it."""

    command: str | list[str]


class LastExit(TypedDict):
    """How a unit last ended. One of ``code`` and ``signal`` is set, or neither where it never started."""

    reason: str
    at: str
    code: int | None
    signal: str | None
    core_dumped: bool
    detail: str
    incarnation: int


class Usage(TypedDict):
    """What a unit uses of the machine; ``cpu`` in per cent of one processor over ``window`` seconds."""

    cpu: float
    window: float
    cpu_seconds: float
    memory: int
    processes: int
    threads: int


class ProcessStats(TypedDict):
    """What one process of a unit uses."""

    pid: int
    name: str
    cpu: float
    memory: int
    threads: int


class UnitStats(Usage):
    """What a unit uses, in all and by process."""

    by_process: list[ProcessStats]


class UnitStatus(TypedDict):
    """What a unit is doing."""

    state: State
    desired: Literal["running", "stopped"]
    reason: str
    ready: bool
    health: Literal["starting", "healthy", "unhealthy", "none"]
    pid: int | None
    incarnation: int
    restarts: int
    counters: dict[str, int]
    started_at: str | None
    exit: LastExit | None
    next_retry_at: str | None
    next_run_at: str | None
    crash_loop: bool
    waiting_for: list[str]
    ports: dict[str, int]
    says: str
    paused: bool
    limits: dict[str, str]
    stats: NotRequired[Usage]


class Unit(TypedDict):
    """A unit: what was asked for, and what is."""

    kind: str
    name: str
    workspace: str | None
    labels: dict[str, str]
    revision: int
    created_at: str
    spec: Spec
    status: UnitStatus
    source: str | None


class UnitPage(TypedDict):
    """A part of a list; ``next`` is the ``after`` of the following part, or None at the end."""

    items: list[Unit]
    next: str | None


class KeyChange(TypedDict):
    """A key that differs; what is not there is None, what is in the environment is ``***``."""

    key: str
    before: Any
    after: Any


class AppliedChange(TypedDict):
    """What an apply has done to an agent or a group, or would do. ``error``: why it is not gone."""

    action: Literal["create", "replace", "delete", "unchanged"]
    kind: Literal["agent", "group"]
    name: str
    restart: bool
    keys: list[KeyChange]
    error: str | None


class ApplyAnswer(TypedDict):
    """What an apply has done; ``applied`` is false for a dry run."""

    applied: bool
    changes: list[AppliedChange]
    left: list[str]


class LogItem(TypedDict):
    """A line, or a part of a long one (``ended``, ``continues``); or a ``gap`` where ``lost`` bytes are missing."""

    unit: str
    stream: Literal["stdout", "stderr"]
    time: str
    incarnation: int | None
    text: str
    ended: bool
    continues: bool
    gap: bool
    lost: int | None


class LogPage(TypedDict):
    """Some items; ``next`` is the ``after`` of what comes behind them, also after a restart of the daemon."""

    items: list[LogItem]
    next: str


class EventGap(TypedDict):
    """Events that are not kept any more."""

    first: int
    last: int


class EventPage(TypedDict):
    """Some events, each with ``number``, ``time``, ``type``, ``kind``, ``name`` and what its type tells."""

    items: list[dict[str, Any]]
    next: int
    gap: EventGap | None


class UnitsState(TypedDict):
    """All units as they look behind event ``number``."""

    number: int
    units: list[Unit]


class UnitRun(TypedDict):
    """One incarnation of a unit."""

    incarnation: int
    pid: int | None
    started_at: str | None
    ended_at: str | None
    adopted: int
    exit: LastExit | None


class UnitStep(TypedDict):
    """One thing that happened to a unit."""

    number: int
    time: str
    type: str
    state: str | None
    cause: str | None
    reason: str


class UnitHistory(TypedDict):
    """The past of a unit, newest first."""

    runs: list[UnitRun]
    steps: list[UnitStep]


class DaemonStatus(TypedDict):
    """What the daemon says of itself."""

    version: str
    pid: int
    instance: str
    started_at: str
    url: str
    python: str
    folders: dict[str, str]


class UnitSummary(TypedDict):
    """A unit in the tree: what its program is doing."""

    kind: str
    state: State
    desired: Literal["running", "stopped"]
    ready: bool
    health: Literal["starting", "healthy", "unhealthy", "none"]
    pid: int | None
    restarts: int
    crash_loop: bool
    reason: str


class TreeNode(TypedDict):
    """A node of the supervision tree with what is below it; ``unit`` where it is the keeper of one."""

    id: str
    kind: Literal["supervisor", "dynamic_supervisor", "actor", "service", "group", "member"]
    state: str
    strategy: str | None
    incarnation: int
    restarts: int
    intensity_used: int
    intensity_allowed: int
    crash_loop: bool
    unit: UnitSummary | None
    reason: str
    children: list[TreeNode]


class GroupMember(TypedDict):
    """A member of a group: the address of a unit or of a group, and its state."""

    address: str
    state: str | None
    restarts: int


class GroupSpec(TypedDict):
    """The definition of a group."""

    members: list[str]
    strategy: Literal["one_for_one", "one_for_all", "rest_for_one"]
    max_restarts: int
    period: Duration
    on_give_up: Literal["retry", "fail", "escalate"]


class Group(TypedDict):
    """Units that are supervised together."""

    name: str
    spec: GroupSpec
    state: Literal["stopped", "starting", "up", "degraded", "failed"]
    reason: str
    restarts: int
    members: list[GroupMember]


class KindHealth(TypedDict):
    """The health of all units of one kind."""

    total: int
    by_state: dict[str, int]
    by_health: dict[str, int]
    crash_loops: int
    unhealthy: list[str]
    unhealthy_total: int


class PartHealth(TypedDict):
    """A part of the daemon that is not well, or was restarted."""

    path: str
    up: bool
    restarts: int
    detail: str


class HealthReport(TypedDict):
    """The health of everything, rolled up. ``store`` tells of the state on disk, ``logs`` of units' output."""

    status: Literal["healthy", "degraded", "unhealthy"]
    ready: bool
    kinds: dict[str, KindHealth]
    parts: list[PartHealth]
    store: dict[str, Any]
    daemon: NotRequired[dict[str, Any] | None]
    logs: NotRequired[dict[str, Any]]
    lost_log_lines: NotRequired[int]
