"""The errors of the actor runtime, all of them part of the one tree of ``supervisor.errors``.

HoodyError
+- Overloaded
|  +- MailboxFull               503   the receiver has as many messages waiting as it takes
|  +- TooManyChildren           503   a dynamic supervisor is at its limit
+- Unavailable
|  +- ActorNotFound             503   nothing is registered under that name just now
|  +- ActorStopped              503   the receiver ended before it answered, or is stopping
|  +- StartFailed               503   a child did not come up; ``cause`` says why
+- TimedOut
|  +- AskTimeout                504   no answer within the deadline; the work may go on
+- NotFound
|  +- ChildNotFound             404   a supervisor has no child of that id
+- AlreadyExists
|  +- DuplicateChild            409   a supervisor already has a child of that id
+- HoodyBug
   +- NameTaken                 500   two actors want one registered name
   +- SpecError                 500   a tree that cannot be built as described
   +- ReplyDropped              500   the receiver threw the reply away without answering
   +- RestartsExhausted         500   a child that must not fail kept failing
   +- Unstoppable               500   a child goes on although it was cancelled
   +- SupervisorBug             500   the runtime itself is broken; seeing it means a defect in it
"""

from __future__ import annotations

from supervisor.errors import AlreadyExists, HoodyBug, NotFound, Overloaded, TimedOut, Unavailable
from supervisor.runtime.reasons import ExitReason, describe


class MailboxFull(Overloaded):
    """The actor has as many messages waiting as its mailbox takes; this one was not accepted."""

    code = "mailbox_full"

    def __init__(self, name: str, capacity: int) -> None:
        super().__init__(f"{name!r} is too busy: {capacity} messages are waiting for it")


class TooManyChildren(Overloaded):
    """The dynamic supervisor has as many children as it takes; this one was not started."""

    code = "too_many_children"

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(f"{name!r} takes at most {limit} children")


class ActorNotFound(Unavailable):
    """Nothing is registered under the name: it is not up yet, being restarted, or gone."""

    code = "actor_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} is not up at the moment")


class ActorStopped(Unavailable):
    """The actor has ended or is ending. ``exit`` says why where that is known already."""

    code = "actor_stopped"

    def __init__(self, name: str, exit_reason: ExitReason | None = None) -> None:
        self.exit = exit_reason
        what = "is stopping" if exit_reason is None else describe(exit_reason)
        super().__init__(f"{name!r} {what}")


class StartFailed(Unavailable):
    """A child did not come up. ``path`` names it from the root down; ``cause`` is its error, where it raised one."""

    code = "start_failed"
    title = "Could not start"

    def __init__(self, path: str, why: str, cause: Exception | None = None) -> None:
        self.path = path
        self.cause = cause
        super().__init__(f"{path!r} could not start: {why}")


class AskTimeout(TimedOut):
    """The actor did not answer in time. What was asked for may still happen."""

    code = "ask_timeout"

    def __init__(self, name: str, timeout: float) -> None:
        super().__init__(f"{name!r} did not answer within {timeout:g} s")


class ChildNotFound(NotFound):
    """The supervisor has no child of that id."""

    code = "child_not_found"

    def __init__(self, name: str, child: str) -> None:
        super().__init__(f"{name!r} has no child {child!r}")


class DuplicateChild(AlreadyExists):
    """The supervisor has a child of that id already; the one it has is untouched."""

    code = "duplicate_child"

    def __init__(self, name: str, child: str) -> None:
        super().__init__(f"{name!r} already has a child {child!r}")


class NameTaken(HoodyBug):
    """Another live actor is registered under the name."""

    code = "name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(f"another actor is registered as {name!r}")


class SpecError(HoodyBug):
    """The tree is described in a way that cannot be built (for example a permanent child that is significant)."""

    code = "invalid_tree"


class ReplyDropped(HoodyBug):
    """The actor let go of the reply without answering it."""

    code = "reply_dropped"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} dropped a request without answering it")


class RestartsExhausted(HoodyBug):
    """A child that its supervisor cannot do without kept failing. ``last`` is how it ended the last time."""

    code = "restarts_exhausted"

    def __init__(self, path: str, restarts: int, last: ExitReason) -> None:
        self.path = path
        self.last = last
        super().__init__(f"{path!r} kept failing ({restarts} times in a row): it {describe(last)}")


class Unstoppable(HoodyBug):
    """Children go on running although they were cancelled, because something in them shields itself."""

    code = "unstoppable"

    def __init__(self, paths: tuple[str, ...]) -> None:
        self.paths = paths
        super().__init__(f"still running after being cancelled: {', '.join(paths)}")


class SupervisorBug(HoodyBug):
    """The runtime met a state that it promises never to get into."""

    code = "supervisor_bug"
