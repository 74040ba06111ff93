"""What waits for one incarnation of an actor: two lanes, the user's bounded, the system's first.

Everything here is synchronous but the wait for the next message, and all of it runs on the trio thread. The lanes are
made when they are needed and dropped when the actor waits: a thousand idle actors have none.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, Generic, TypeVar

import outcome
import trio

from supervisor.runtime.errors import ActorStopped, MailboxFull
from supervisor.runtime.reasons import ExitReason
from supervisor.runtime.reply import Pending, Reply

if TYPE_CHECKING:
    from supervisor.runtime.monitors import MonitorId
    from supervisor.runtime.system import System


class Control:
    """A message of the runtime to an actor's shell, never seen by the actor."""

    __slots__ = ()


EMPTY: Final = Control()
"""What an empty mailbox yields."""

M = TypeVar("M")


class Mailbox(Generic[M]):
    """The receiving end of an ``ActorRef``.

    At every moment ``accepted == handled + dead + pending``: a message that was taken in is handled, or counted as a
    dead letter, or still here.
    """

    __slots__ = (
        "_asks",
        "_receiver",
        "_stashed",
        "_urgent",
        "_user",
        "_waiting",
        "accepted",
        "capacity",
        "dead",
        "exit",
        "handled",
        "name",
        "refusing",
        "system",
        "watchers",
    )  # fmt: skip

    def __init__(self, name: str, capacity: int, system: System) -> None:
        self.name = name
        self.capacity = capacity
        self.system = system
        self.accepted = 0
        self.handled = 0
        self.dead = 0
        self.refusing = False
        self.exit: ExitReason | None = None
        self.watchers: dict[MonitorId, None] | None = None
        self._urgent: deque[M | Control] | None = None
        self._user: deque[M] | None = None
        self._stashed: deque[M] | None = None
        self._waiting: deque[tuple[M, Pending]] | None = None
        self._asks: set[Pending] | None = None
        self._receiver: trio.lowlevel.Task | None = None

    # ---- senders ----

    @property
    def pending(self) -> int:
        """How many accepted messages wait to be handled (controls of the runtime are not messages)."""
        return self.accepted - self.handled - self.dead

    @property
    def full(self) -> bool:
        """Whether there is no room in the user's lane. What is stashed takes up room too."""
        held = 0 if self._user is None else len(self._user)
        if self._stashed is not None:
            held += len(self._stashed)
        return held >= self.capacity

    def put(self, message: M) -> None:
        """Accept ``message``. Raises ``ActorStopped`` or ``MailboxFull``, and then nothing has changed."""
        if self.refusing:
            raise ActorStopped(self.name, self.exit)
        if self.full:
            raise MailboxFull(self.name, self.capacity)
        self._accept(message)
        reply = getattr(message, "reply_to", None)
        if isinstance(reply, Reply):
            reply.passed_to(self)

    def request(self, message: M, pending: Pending) -> None:
        """Accept the message of an ask, now or as soon as there is room. Raises ``ActorStopped``."""
        if self.refusing:
            raise ActorStopped(self.name, self.exit)
        if not self.full:
            self._accept(message)
        elif self._waiting is None:
            self._waiting = deque([(message, pending)])
        else:
            self._waiting.append((message, pending))

    def post(self, message: M) -> None:
        """Put ``message`` into the system lane, which is never full. After the end it becomes a dead letter."""
        self.accepted += 1
        if self.exit is not None:
            self._bury(message)
            return
        self._push_urgent(message)

    def control(self, item: Control) -> None:
        """Put an item of the runtime into the system lane; after the end it is dropped without a trace."""
        if self.exit is None:
            self._push_urgent(item)

    def own(self, pending: Pending) -> None:
        """Answer for ``pending`` when the actor ends."""
        if self._asks is None:
            self._asks = {pending}
        else:
            self._asks.add(pending)

    def disown(self, pending: Pending) -> None:
        """Answer for ``pending`` no longer."""
        if self._asks is not None:
            self._asks.discard(pending)

    # ---- the receiver ----

    def pop(self) -> M | Control:
        """Take the next item, system lane first, or ``EMPTY``."""
        if self._urgent:
            return self._urgent.popleft()
        if self._user:
            message = self._user.popleft()
            if self._waiting is not None:
                self._admit(self._user)
            return message
        return EMPTY

    async def wait(self) -> None:
        """Wait until there may be something to take. Cancellable; loses nothing."""
        self._urgent = self._user = None
        if not self._asks:
            self._asks = None
        self._receiver = trio.lowlevel.current_task()
        await trio.lowlevel.wait_task_rescheduled(self._abort)

    def stash(self, message: M) -> None:
        """Put a message that was taken aside. Raises ``MailboxFull``."""
        if self.full:
            raise MailboxFull(self.name, self.capacity)
        if self._stashed is None:
            self._stashed = deque()
        self._stashed.append(message)
        self.handled -= 1

    def unstash(self) -> None:
        """Put what was put aside back in front of what waits."""
        stashed, self._stashed = self._stashed, None
        if stashed is not None:
            stashed.extend(self._user or ())
            self._user = stashed

    def refuse(self) -> None:
        """Accept no further messages from senders; what is here stays."""
        self.refusing = True

    def close(self, reason: ExitReason) -> None:
        """End for good: what waits becomes dead letters, and every ask that waits for this actor fails."""
        self.refusing = True
        self.exit = reason
        for lane in (self._urgent, self._stashed, self._user):
            for item in lane or ():
                if not isinstance(item, Control):
                    self._bury(item)
        self._urgent = self._stashed = self._user = self._waiting = None
        asks, self._asks = self._asks, None
        for pending in asks or ():
            pending.resolve(outcome.Error(ActorStopped(self.name, reason)))

    def _accept(self, message: M) -> None:
        if self._user is None:
            self._user = deque()
        self._user.append(message)
        self.accepted += 1
        self._wake()

    def _push_urgent(self, item: M | Control) -> None:
        if self._urgent is None:
            self._urgent = deque()
        self._urgent.append(item)
        self._wake()

    def _admit(self, lane: deque[M]) -> None:
        waiting = self._waiting
        while waiting and not self.full:
            message, pending = waiting.popleft()
            # An asker that gave up while it waited for room never got in, so its message never existed.
            if not pending.ended:
                lane.append(message)
                self.accepted += 1
        if not waiting:
            self._waiting = None

    def _bury(self, message: object) -> None:
        self.dead += 1
        self.system.dead_letters.add(self.name, message)

    def _wake(self) -> None:
        task = self._receiver
        if task is not None:
            self._receiver = None
            trio.lowlevel.reschedule(task)

    def _abort(self, _raise_cancel: object) -> trio.lowlevel.Abort:
        self._receiver = None
        return trio.lowlevel.Abort.SUCCEEDED
