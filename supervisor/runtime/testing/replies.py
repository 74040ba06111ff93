"""A reply without an actor behind it, to test what answers it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

import outcome

from supervisor.runtime.reply import Reply

if TYPE_CHECKING:
    from supervisor.runtime.mailbox import Mailbox

R = TypeVar("R")


class ReplyBox(Generic[R]):
    """Makes one reply and keeps the answer. ``reply`` may be taken once: the box must not keep it alive."""

    def __init__(self, deadline: float = math.inf) -> None:
        self.ended = False
        self.dropped = False
        self.moved_to: Mailbox[Any] | None = None
        self._result: outcome.Outcome[Any] | None = None
        self._deadline = deadline

    def reply(self) -> Reply[R]:
        """Make the reply to be answered."""
        return Reply(self, self._deadline)

    @property
    def value(self) -> R:
        """The answer; raises the error that was answered. Raises ``LookupError`` where there is none yet."""
        if self._result is None:
            raise LookupError("nobody has answered")
        return cast("R", self._result.unwrap())

    def give_up(self) -> None:
        """Be an asker that waits no longer."""
        self.ended = True

    def resolve(self, result: outcome.Outcome[Any]) -> bool:
        """Keep the first answer."""
        if self.ended:
            return False
        self.ended = True
        self._result = result
        return True

    def move_to(self, mailbox: Mailbox[Any]) -> None:
        """Take note that the message was passed on."""
        self.moved_to = mailbox

    def drop(self) -> None:
        """Take note that the reply was thrown away."""
        self.dropped = True
