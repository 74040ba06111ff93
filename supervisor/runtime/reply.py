"""The two ends of an ask: what the receiver answers with, and what the asker waits on.

They are two objects on purpose. The receiver's end is referred to by the message alone, so when the last reference to
it goes, nobody can answer any more, and the asker learns it at once instead of at its deadline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, cast

import outcome
import trio

from supervisor.runtime.errors import ActorStopped, AskTimeout, ReplyDropped

if TYPE_CHECKING:
    from supervisor.runtime.mailbox import Mailbox

R = TypeVar("R")


class Asker(Protocol):
    """Whoever waits for a reply."""

    @property
    def ended(self) -> bool:
        """Whether the wait is over, answered or not."""

    def resolve(self, result: outcome.Outcome[Any]) -> bool:
        """End the wait with ``result``; False where it is over already."""

    def move_to(self, mailbox: Mailbox[Any]) -> None:
        """Let ``mailbox`` answer for the request: its actor has the message now."""

    def drop(self) -> None:
        """Take note, on whatever thread, that nobody can answer any more."""


class Reply(Generic[R]):
    """The right to answer one request, once.

    It travels in the message, by convention in an attribute called ``reply_to``, may be kept and used later, and may be
    passed on to another actor inside another message. Whoever got that message last answers for it: when that actor
    ends, the asker is told. ``deadline`` is the one deadline of the whole request, on trio's clock.
    """

    __slots__ = ("_asker", "deadline")

    def __init__(self, asker: Asker, deadline: float) -> None:
        self._asker = asker
        self.deadline = deadline

    def send(self, value: R) -> bool:
        """Answer with ``value``. False, and nothing else, where nobody waits any more or it was answered before."""
        return self._asker.resolve(outcome.Value(value))

    def fail(self, error: Exception) -> bool:
        """Answer by raising ``error`` in the asker. Returns as :meth:`send` does."""
        return self._asker.resolve(outcome.Error(error))

    @property
    def answered(self) -> bool:
        """Whether answering is over: answered already, or the asker has given up."""
        return self._asker.ended

    def remaining(self) -> float:
        """Return the seconds left until the deadline, 0.0 once it has passed: the timeout of a further ask."""
        return max(0.0, self.deadline - trio.current_time())

    def passed_to(self, mailbox: Mailbox[Any]) -> None:
        """Take note that the message with this reply is now in ``mailbox``."""
        self._asker.move_to(mailbox)

    def __del__(self) -> None:
        # The constructor may have failed before it set the attribute.
        asker = getattr(self, "_asker", None)
        if asker is not None and not asker.ended:
            asker.drop()


class Pending:
    """An ask that waits. Ends exactly once, by whichever of its endings comes first.

    It is also its own entry in the heap of timers: a deadline scope per ask costs more than the message does.
    """

    __slots__ = ("_mailbox", "_parked", "_result", "_timeout", "ended")

    def __init__(self, mailbox: Mailbox[Any], timeout: float) -> None:
        self._mailbox = mailbox
        self._timeout = timeout
        self._parked: trio.lowlevel.Task | None = None
        self._result: outcome.Outcome[Any] | None = None
        self.ended = False

    async def wait(self, deadline: float) -> object:
        """Wait for the end and return or raise it. Always a checkpoint; cancelling it ends the wait, not the work."""
        if not self.ended:
            self._mailbox.own(self)
            self._mailbox.system.timers.add(deadline, self)
        if self._result is not None:
            await trio.lowlevel.checkpoint()
            return cast("object", self._result.unwrap())
        self._parked = trio.lowlevel.current_task()
        return cast("object", await trio.lowlevel.wait_task_rescheduled(self._abandon))

    def resolve(self, result: outcome.Outcome[Any]) -> bool:
        """End the wait with ``result``; False where it is over already."""
        if self.ended:
            return False
        if self._parked is not None:
            self._mailbox.system.timers.note_ended()
        self._end(result)
        return True

    def move_to(self, mailbox: Mailbox[Any]) -> None:
        """Let ``mailbox`` answer for the request from now on."""
        if self._parked is not None and not self.ended:
            self._mailbox.disown(self)
            mailbox.own(self)
        self._mailbox = mailbox

    def drop(self) -> None:
        """Fail the wait because the reply is gone. Called by the garbage collector: any thread, any moment."""
        try:
            self._mailbox.system.token.run_sync_soon(self._fail_dropped)
        except trio.RunFinishedError:
            self.ended = True

    def due(self) -> None:
        """End the wait: its deadline has passed."""
        self._end(outcome.Error(AskTimeout(self._mailbox.name, self._timeout)))

    def dropped(self) -> None:
        """End the wait: the system is gone."""
        self._end(outcome.Error(ActorStopped(self._mailbox.name)))

    def _fail_dropped(self) -> None:
        self.resolve(outcome.Error(ReplyDropped(self._mailbox.name)))

    def _end(self, result: outcome.Outcome[Any]) -> None:
        self.ended = True
        self._mailbox.disown(self)
        task, self._parked = self._parked, None
        if task is None:
            self._result = result
        else:
            trio.lowlevel.reschedule(task, result)

    def _abandon(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self.ended = True
        self._parked = None
        self._mailbox.disown(self)
        self._mailbox.system.timers.note_ended()
        return trio.lowlevel.Abort.SUCCEEDED
