"""What a unit needs of the outside world, whatever it is made of: the one seam between decisions and effects.

An implementation is a *driver*. The fake one (``supervisor.units.testing``) and the real ones pass the same contract
suite (``tests/supervisor/units/driver_contract.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeAlias, TypeVar

from attrs import frozen

SpecT_contra = TypeVar("SpecT_contra", contravariant=True)
SpecT_co = TypeVar("SpecT_co", covariant=True)


@frozen(kw_only=True)
class Launch(Generic[SpecT_co]):
    """One start of a unit: everything that a driver needs to carry it out."""

    unit: str
    incarnation: int
    spec: SpecT_co


@frozen(kw_only=True)
class Identity:
    """A process of this machine beyond doubt: a pid alone can be recycled, the three together cannot.

    ``start_time`` is the kernel's own figure in clock ticks since boot (field 22 of ``/proc/PID/stat``), which no wall
    clock moves; ``boot_id`` is ``/proc/sys/kernel/random/boot_id``.

    For a run of a container, ``container_id`` is set, ``start_time`` is the engine's own time of its start in ns, and
    ``boot_id`` is the id of the engine. ``pid`` is then what the engine tells, which may be a pid of another machine.
    """

    pid: int
    start_time: int
    boot_id: str
    container_id: str | None = None


@frozen(kw_only=True)
class ExitStatus:
    """How an incarnation ended. ``code`` or ``signal`` is set; with ``known=False`` neither is."""

    code: int | None = None
    signal: int | None = None
    core_dumped: bool = False
    out_of_memory: bool = False
    known: bool = True
    over_limit: str = ""
    """Where it ended for a limit of its own: a sentence that says so."""


OnExit: TypeAlias = Callable[[ExitStatus], None]
"""Called once, on the trio thread, after the main process has ended and was reaped; it must not block or raise."""


class Incarnation(Protocol):
    """A live (or just ended) incarnation. All methods are safe after its end; none raises because it has ended."""

    @property
    def identity(self) -> Identity:
        """Who it is, for the store."""

    def signal(self, number: int, *, whole_group: bool = True) -> None:
        """Send a signal to the process group, or only to the main process. Raises ``SignalFailed``."""

    async def freeze(self, *, frozen: bool) -> None:
        """Let nothing of the process tree run, or let it run on. Raises ``SignalFailed``. Repeating it is harmless."""

    async def clear(self, *, deadline: float) -> tuple[int, ...]:
        """Kill everything that is left of the incarnation's process tree and wait until it is gone.

        Covers the group, the session, and descendants that left both. ``deadline`` is on trio's clock. Returns the
        pids that are still there at the deadline, empty when nothing is left. Cancellable at any point; calling it
        again continues.
        """

    def detach(self) -> None:
        """Stop looking after it and leave it running. ``on_exit`` is not called from then on. Idempotent."""


class Driver(Protocol[SpecT_contra]):
    """Starts incarnations and finds them again."""

    async def spawn(self, launch: Launch[SpecT_contra], on_exit: OnExit) -> Incarnation:
        """Start one incarnation and return as soon as it exists.

        Raises ``SpawnFailed`` with a sentence in words (no such file, not executable, no such folder, no permission)
        when it could not be started; then nothing is left behind. If the caller is cancelled meanwhile, an incarnation
        that came to exist is left running, detached, and is found again by :meth:`adopt` or by its environment.
        """

    async def adopt(self, identity: Identity, launch: Launch[SpecT_contra], on_exit: OnExit) -> Incarnation | None:
        """Look after an incarnation that an earlier daemon or actor started; None where it is no longer there.

        Never returns a process whose start time or boot id differs. An exit that happens meanwhile is reported through
        ``on_exit``, with ``known=False`` where the kernel did not keep its status.
        """
