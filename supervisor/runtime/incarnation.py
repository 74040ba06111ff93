"""One incarnation of a child, as its supervisor uses it: run, asked to stop, judged."""

from __future__ import annotations

import math
from functools import partial

import trio

from supervisor.runtime.errors import StartFailed
from supervisor.runtime.exits import contain
from supervisor.runtime.reasons import NORMAL, Cancelled, Crashed, ExitReason, Stopped
from supervisor.runtime.service import ServiceContext
from supervisor.runtime.telemetry import CleanupFailed


class Incarnation(ServiceContext):
    """The supervisor's view of a running child."""

    __slots__ = ()

    async def run(self) -> None:
        """Live the whole life of the incarnation, clean-up included, and report its end to the host."""
        # Asked to stop before its first step: it need not begin.
        ended = NORMAL if self.stop_detail is not None else await contain(self.scope, self.spec.start, self)
        reason = self._verdict(ended)
        self._winding_up = True
        if self._at_end is not None or self._task_scopes:
            self.arm(self.cleanup + self.spec.shutdown.abandon_after, self._abandon)
        if self._at_end is not None:
            shield = trio.CancelScope(shield=True, deadline=trio.current_time() + self.cleanup)
            self._cleanup_scope = shield
            reason = self._after_cleanup(reason, await contain(shield, self._at_end, reason))
        self._main_reason = reason
        # A crash's traceback refers to this frame: without this the two would keep each other alive.
        del ended, reason
        self._cancel_tasks("it has ended")
        self._report_end()

    def start_overdue(self) -> None:
        """End a start that takes too long as a failed one."""
        self.fail(StartFailed(self.path, f"it was not up within {self.spec.start_within:g} s"))

    def stop(self, detail: str, *, at_once: bool = False) -> None:
        """Ask the incarnation to stop, and cancel it once its shutdown time has passed; ``at_once`` grants it none.

        The shutdown time is for what the incarnation is doing; its clean-up has a time of its own.

        Supervisors have no such time: what is below them bounds their stop, and a hurry reaches each of them directly.
        """
        seconds = self.spec.shutdown.seconds
        if self.stop_detail is None:
            self.stop_detail = detail
            if self._stopping is not None:
                self._stopping.set()
            if self.on_stop is not None:
                self.on_stop(detail)
        elif not at_once:
            return
        if at_once and not math.isinf(seconds):
            seconds = 0.0
        if seconds <= 0:
            self.cancel("its time to stop has passed")
        elif not self.scope.cancel_called and not self._winding_up:
            self.arm(seconds, partial(self.cancel, "its time to stop has passed"))

    def _verdict(self, ended: ExitReason) -> ExitReason:
        """Turn how the function ended into why the incarnation ended."""
        reason = ended
        if isinstance(ended, Crashed):
            reason = ended if self.up else Crashed(self._start_failed(ended.error), ended.origin)
        elif self._failure is not None:
            reason = Crashed.by(self._failure if self.up else self._start_failed(self._failure))
        elif self.stop_detail is not None:
            reason = Stopped(self.stop_detail)
            if isinstance(ended, Cancelled) and self.spec.shutdown.seconds > 0:
                reason = Cancelled(f"it did not stop within {self.spec.shutdown.seconds:g} s")
        elif isinstance(ended, Cancelled):
            reason = Cancelled(self.cancelled_by or ended.by)
        elif not self.up:
            reason = Crashed.by(StartFailed(self.path, "it ended before it was up"))
        return reason

    def _start_failed(self, error: Exception) -> StartFailed:
        # A failed start of something further down names the culprit already.
        if isinstance(error, StartFailed):
            return error
        failure = StartFailed(self.path, f"{type(error).__name__}: {error}", error)
        failure.__cause__ = error
        return failure

    def _after_cleanup(self, reason: ExitReason, cleanup: ExitReason) -> ExitReason:
        """Return the reason in the light of how the clean-up went: an earlier crash stays the reason."""
        if isinstance(cleanup, Crashed) and not isinstance(reason, Crashed):
            return cleanup
        if isinstance(cleanup, Crashed | Cancelled):
            self.system.telemetry.emit(CleanupFailed(path=self.path, reason=cleanup))
        return reason
