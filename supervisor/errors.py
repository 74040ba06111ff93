"""Every error that a user, a client or a program can meet, and what each one means to them.

    HoodyError                     500  exit 1
    +- InvalidInput                422  exit 2   a document, parameter or name is wrong; carries every problem at once
    |  +- MalformedRequest         400           the request itself cannot be read (broken JSON, bad query value)
    +- NotFound                    404  exit 3   no unit, resource or route of that name
    +- MethodNotAllowed            405  exit 2
    +- Conflict                    409  exit 1   the request is fine, but not in the state that things are in
    |  +- AlreadyExists
    |  +- InvalidTransition
    |  +- Locked                                 another daemon owns this home
    |  +- RevisionMismatch         412
    +- NotAllowed                  403  exit 5
    |  +- Unauthorized             401
    |  +- Misdirected              421           the Host header names another server
    +- RequestTooLarge             413  exit 1
    +- HeadersTooLarge             431  exit 1
    +- UnsupportedMediaType        415  exit 2
    +- RequestTimedOut             408  exit 6   the client took too long to send its request
    +- TooManyRequests             429  exit 1
    +- Unavailable                 503  exit 1   try again: the thing asked for is busy, starting or stopping
    |  +- Overloaded                             a mailbox is full
    |  +- DaemonNotRunning              exit 4
    +- TimedOut                    504  exit 6   the work goes on, the wait for it has ended
    +- DriverError                 502  exit 1   the operating system or the container engine said no
    |  +- SpawnFailed
    |  +- SignalFailed
    +- StorageError                507  exit 1   the state on disk cannot be read or written
    +- HoodyBug                    500  exit 1   a defect of ours: please report it

``code`` is stable and is what programs compare; sentences may change. ``hint`` says what to do next and is never a
repetition of the sentence. The runtime's own errors (``supervisor.runtime.errors``) derive from the same root.
This module imports nothing but the standard library's typing, so that the command line can afford it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, NamedTuple


class Problem(NamedTuple):
    """One fault of a document: where it is (a path such as ``backoff.initial``) and what is wrong there."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class HoodyError(Exception):
    """Root of every error that is reported to somebody.

    ``str(error)`` is one sentence that says what happened; ``hint`` is one sentence that says what to do, or None.
    """

    code: ClassVar[str] = "error"
    title: ClassVar[str] = "The operation failed"
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1
    default_hint: ClassVar[str | None] = None

    def __init__(self, detail: str, *, hint: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.hint = hint if hint is not None else self.default_hint

    def __str__(self) -> str:
        return self.detail


class InvalidInput(HoodyError):
    """What was asked for is not well-formed; nothing was changed. ``problems`` holds every fault, not the first."""

    code = "invalid_input"
    title = "The input is not valid"
    http_status = 422
    exit_code = 2

    def __init__(self, detail: str, *, problems: Iterable[Problem] = (), hint: str | None = None) -> None:
        self.problems = tuple(problems)
        super().__init__(detail, hint=hint)

    @classmethod
    def of(cls, what: str, problems: Iterable[Problem], *, hint: str | None = None) -> InvalidInput:
        """Build the error for ``what`` (for example "the definition of agent 'web'") from all of its problems."""
        found = tuple(problems)
        return cls(f"{what} is not valid: " + "; ".join(map(str, found)), problems=found, hint=hint)


class MalformedRequest(InvalidInput):
    """The request cannot be understood at all: broken JSON, a query value of the wrong form, bad UTF-8."""

    code = "malformed_request"
    title = "The request cannot be read"
    http_status = 400


class NotFound(HoodyError):
    """Nothing of that name is here."""

    code = "not_found"
    title = "Not found"
    http_status = 404
    exit_code = 3


class MethodNotAllowed(HoodyError):
    """The address exists and does not take this method."""

    code = "method_not_allowed"
    title = "Method not allowed"
    http_status = 405
    exit_code = 2


class Conflict(HoodyError):
    """The request is well-formed but does not fit the present state."""

    code = "conflict"
    title = "Conflict"
    http_status = 409


class AlreadyExists(Conflict):
    """The name is taken."""

    code = "already_exists"
    title = "The name is taken"


class InvalidTransition(Conflict):
    """The unit cannot do that in the state it is in."""

    code = "invalid_transition"
    title = "Not possible in this state"


class Locked(Conflict):
    """Another daemon holds the lock of this home."""

    code = "locked"
    title = "Another daemon is running"


class RevisionMismatch(Conflict):
    """``If-Match`` names a revision that is no longer the current one."""

    code = "revision_mismatch"
    title = "The unit has changed in the meantime"
    http_status = 412


class NotAllowed(HoodyError):
    """The caller may not do this."""

    code = "not_allowed"
    title = "Not allowed"
    http_status = 403
    exit_code = 5


class Unauthorized(NotAllowed):
    """The bearer token is missing or wrong."""

    code = "unauthorized"
    title = "A valid token is needed"
    http_status = 401


class Misdirected(NotAllowed):
    """The Host header names something that this daemon is not."""

    code = "misdirected"
    title = "Wrong host"
    http_status = 421


class RequestTooLarge(HoodyError):
    """The body is over the limit."""

    code = "request_too_large"
    title = "The request body is too large"
    http_status = 413


class HeadersTooLarge(HoodyError):
    """The headers are over the limit."""

    code = "headers_too_large"
    title = "The request headers are too large"
    http_status = 431


class UnsupportedMediaType(HoodyError):
    """The body is not JSON."""

    code = "unsupported_media_type"
    title = "The body must be JSON"
    http_status = 415
    exit_code = 2


class RequestTimedOut(HoodyError):
    """The client did not finish its request in time."""

    code = "request_timed_out"
    title = "The request took too long to arrive"
    http_status = 408
    exit_code = 6


class TooManyRequests(HoodyError):
    """A limit of the daemon on requests or open streams is reached."""

    code = "too_many_requests"
    title = "Too many requests"
    http_status = 429


class Unavailable(HoodyError):
    """The daemon, or the part of it that was asked, cannot answer just now; a later try may succeed."""

    code = "unavailable"
    title = "Not available at the moment"
    http_status = 503


class Overloaded(Unavailable):
    """The receiver has more messages waiting than it takes."""

    code = "overloaded"
    title = "Too busy"
    default_hint = "try again in a moment"


class DaemonNotRunning(Unavailable):
    """No daemon answers for this home."""

    code = "daemon_not_running"
    title = "The daemon is not running"
    exit_code = 4
    default_hint = "start it with: hoody up"


class TimedOut(HoodyError):
    """The deadline of a wait has passed. What was asked for goes on."""

    code = "timed_out"
    title = "Timed out"
    http_status = 504
    exit_code = 6


class DriverError(HoodyError):
    """The operating system or an engine refused."""

    code = "driver_error"
    title = "The system refused"
    http_status = 502


class SpawnFailed(DriverError):
    """A process or container could not be started; the sentence says why in words."""

    code = "spawn_failed"
    title = "Could not start"


class SignalFailed(DriverError):
    """A signal could not be delivered."""

    code = "signal_failed"
    title = "Could not signal"


class StorageError(HoodyError):
    """The state on disk cannot be read or written; what was asked for was not done."""

    code = "storage_error"
    title = "The state cannot be stored"
    http_status = 507


class HoodyBug(HoodyError):
    """A defect in Hoody Daemon itself."""

    code = "bug"
    title = "A defect in Hoody Daemon"
    default_hint = "please report this with the last lines of: hoody daemon logs"


def error_classes() -> Iterator[type[HoodyError]]:
    """Yield every class of this tree that is loaded, root first."""
    waiting: list[type[HoodyError]] = [HoodyError]
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(found.__subclasses__())


def error_class(code: str) -> type[HoodyError]:
    """Return the class with this ``code``; the root where no class has it (a newer daemon may know more)."""
    return next((found for found in error_classes() if found.code == code), HoodyError)
