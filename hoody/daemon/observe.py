"""Turn what the runtime tells about itself into lines of the log."""

from __future__ import annotations

import logging
from typing import assert_never

from supervisor.runtime.reasons import Crashed, describe
from supervisor.runtime.telemetry import (
    ChildEnded,
    ChildGaveUp,
    ChildStarted,
    ChildUnstoppable,
    CleanupFailed,
    DeadLetter,
    Event,
    HandlerDetached,
    RestartScheduled,
    TreeStuck,
)

_log = logging.getLogger("hoody.tree")


def log_event(event: Event) -> None:
    """Write ``event`` to the log: crashes with their traceback, the ordinary life of children at debug level."""
    match event:
        case ChildStarted(path=path, incarnation=incarnation):
            _log.debug("%s is up", path, extra={"incarnation": incarnation})
        case ChildEnded(path=path, incarnation=incarnation, reason=Crashed(origin=error)):
            _log.error("%s crashed", path, exc_info=error, extra={"incarnation": incarnation})
        case ChildEnded(path=path, incarnation=incarnation, reason=reason):
            _log.debug("%s %s", path, describe(reason), extra={"incarnation": incarnation})
        case RestartScheduled(path=path, delay=delay, crash_loop=crash_loop):
            _log.info("%s starts again in %g s", path, delay, extra={"crash_loop": crash_loop})
        case ChildGaveUp(path=path, restarts=restarts, escalated=escalated):
            _log.error("%s has used up its %d restarts", path, restarts, extra={"escalated": escalated})
        case ChildUnstoppable(path=path, incarnation=incarnation):
            _log.error("%s goes on although it was cancelled", path, extra={"incarnation": incarnation})
        case CleanupFailed(path=path, reason=Crashed(origin=error)):
            _log.error("the clean-up of %s failed", path, exc_info=error)
        case CleanupFailed(path=path, reason=reason):
            _log.error("the clean-up of %s %s", path, describe(reason))
        case TreeStuck(paths=paths):
            _log.critical("the tree has stopped except for: %s", ", ".join(paths))
        case DeadLetter(actor=actor, message=message, suppressed=suppressed):
            _log.debug("nobody handled %s for %s", message, actor, extra={"suppressed": suppressed})
        case HandlerDetached(handler=handler, error=error):
            _log.error("the telemetry handler %s failed and is detached", handler, exc_info=error)
        case _:
            assert_never(event)
