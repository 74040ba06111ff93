"""The sending end of an actor: what the rest of the program holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar, cast

import trio

from supervisor.runtime.errors import ActorStopped, MailboxFull
from supervisor.runtime.mailbox import Mailbox
from supervisor.runtime.reply import Pending, Reply

M = TypeVar("M")
R = TypeVar("R")


class ActorRef(Generic[M]):
    """Refers to one incarnation of an actor that takes messages of type ``M``.

    Messages of one sender are handled in the order in which they were sent, each at most once. All methods are to be
    called on the trio thread. A ref outlives its actor: from then on it raises ``ActorStopped``.
    """

    __slots__ = ("_mailbox", "name")

    def __init__(self, mailbox: Mailbox[M]) -> None:
        self._mailbox = mailbox
        self.name = mailbox.name

    def __repr__(self) -> str:
        return f"<ActorRef {self.name!r}{' stopped' if self._mailbox.refusing else ''}>"

    @property
    def stopped(self) -> bool:
        """Whether it takes no messages any more."""
        return self._mailbox.refusing

    @property
    def pending(self) -> int:
        """How many messages wait to be handled."""
        return self._mailbox.pending

    @property
    def full(self) -> bool:
        """Whether there is no room just now: a message would be refused, and an ask would wait for room."""
        return self._mailbox.full

    def tell(self, message: M) -> None:
        """Send ``message`` without waiting. Raises ``MailboxFull`` or ``ActorStopped``; then it was not sent."""
        self._mailbox.put(message)

    def offer(self, message: M) -> bool:
        """Send ``message`` where that is possible, and tell whether it was."""
        try:
            self._mailbox.put(message)
        except (MailboxFull, ActorStopped):
            return False
        return True

    async def ask(self, make: Callable[[Reply[R]], M], *, timeout: float) -> R:
        """Send the message that ``make`` builds around a reply, and wait for the answer.

        Ends exactly once: with the value, with the error that the actor answered, or by raising ``AskTimeout``,
        ``ActorStopped`` (it ended before it answered, whatever it was doing) or ``ReplyDropped`` (it let go of the
        reply). A full mailbox is waited for within the same timeout. Cancelling the wait does not undo the request.
        An actor must not ask itself: it would wait for a message that it cannot take.

        Where ``make`` is a lambda, its type comes from where the answer goes: ``text: str = await ref.ask(...)``.
        """
        deadline = trio.current_time() + timeout
        pending = Pending(self._mailbox, timeout)
        # The message alone may keep the reply alive; a local name here would hide that the actor has dropped it.
        self._mailbox.request(make(Reply(pending, deadline)), pending)
        return cast("R", await pending.wait(deadline))


def mailbox_of(ref: ActorRef[Any]) -> Mailbox[Any]:
    """Return the receiving end of ``ref``, for the runtime's own use."""
    return ref._mailbox  # noqa: SLF001 - the two ends of one thing
