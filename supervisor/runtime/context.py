"""What an actor may do beside computing: timers, monitors, background tasks, messages to itself."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, TypeVarTuple

from supervisor.runtime.mailbox import Control, Mailbox
from supervisor.runtime.monitors import Down, MonitorId, unwatch, watch
from supervisor.runtime.ref import ActorRef
from supervisor.runtime.service import ServiceContext
from supervisor.runtime.timers import Timer

if TYPE_CHECKING:
    from supervisor.runtime.system import System

M = TypeVar("M")
Ts = TypeVarTuple("Ts")


class StopNow(Control):
    """The supervisor asks the actor to stop."""

    __slots__ = ()


class TimerFired(Control, Generic[M]):
    """A timer of the actor has fired; void if the timer was cancelled or replaced meanwhile."""

    __slots__ = ("key", "message", "timer")

    def __init__(self, key: Hashable, timer: Timer, message: M) -> None:
        self.key = key
        self.timer = timer
        self.message = message


class Context(Generic[M]):
    """What one incarnation of an actor may do beside computing. To be used on the trio thread, from anywhere in it."""

    __slots__ = ("_mailbox", "_monitors", "_service", "_timers", "leaving", "name", "ref", "system")

    def __init__(self, service: ServiceContext, mailbox: Mailbox[M]) -> None:
        self._service = service
        self._mailbox = mailbox
        self._timers: dict[Hashable, Timer] | None = None
        self._monitors: dict[MonitorId, None] | None = None
        self.system: System = service.system
        self.ref: ActorRef[M] = ActorRef(mailbox)
        self.name = mailbox.name
        self.leaving = False

    @property
    def stopping(self) -> bool:
        """Whether the actor is ending: it was asked to, or has decided so itself."""
        return self.leaving or self._service.stop_detail is not None

    def post(self, message: M) -> None:
        """Send ``message`` to myself through the system lane, which is never full. For synchronous callbacks."""
        self._mailbox.post(message)

    def stop(self) -> None:
        """End normally after the present handler. Messages that wait become dead letters."""
        self.leaving = True
        self._mailbox.control(StopNow())

    def stash(self, message: M) -> None:
        """Put the message at hand aside until :meth:`unstash`.

        It still counts against the mailbox's capacity: raises ``MailboxFull`` where newer messages have filled it.
        """
        self._mailbox.stash(message)

    def unstash(self) -> None:
        """Handle every message that was put aside, in the order of putting, before those that wait."""
        self._mailbox.unstash()

    def start_timer(self, key: Hashable, delay: float, message: M) -> None:
        """Deliver ``message`` in ``delay`` seconds, replacing the timer of this key."""
        self.cancel_timer(key)
        if self._timers is None:
            self._timers = {}
        timers = self.system.timers
        self._timers[key] = timers.call_later(delay, partial(self._timer_due, key, message))

    def cancel_timer(self, key: Hashable) -> None:
        """Cancel the timer of this key: nothing of it is delivered from now on, even if it has fired already."""
        if self._timers is not None:
            timer = self._timers.pop(key, None)
            if timer is not None:
                timer.cancel()

    def spawn(self, task: Callable[[*Ts], Awaitable[None]], *args: *Ts) -> None:
        """Run a background task of this incarnation: cancelled with it, and its crash is the actor's crash."""
        self._service.spawn(task, *args)

    def monitor(self, ref: ActorRef[Any]) -> MonitorId:
        """Get exactly one ``Down`` when ``ref`` ends, at once if it has ended."""
        monitor = watch(ref, self._mailbox)
        if self._monitors is None:
            self._monitors = {}
        self._monitors[monitor] = None
        return monitor

    def demonitor(self, monitor: MonitorId) -> None:
        """End a monitor: no ``Down`` of it is delivered from now on. Safe at any time."""
        if self._monitors is not None:
            self._monitors.pop(monitor, None)
        unwatch(monitor)

    def timer_is_due(self, fired: TimerFired[M]) -> bool:
        """Take a fired timer out of the books; False where it was cancelled or replaced after it had fired."""
        if self._timers is None or self._timers.get(fired.key) is not fired.timer:
            return False
        del self._timers[fired.key]
        return True

    def monitor_is_due(self, down: Down) -> bool:
        """Take a monitor out of the books; False where it was ended after its notice had been sent."""
        if down.monitor.ended:
            return False
        self.demonitor(down.monitor)
        return True

    def release(self) -> None:
        """Give up every timer and monitor, at the end."""
        for timer in (self._timers or {}).values():
            timer.cancel()
        for monitor in self._monitors or ():
            unwatch(monitor)
        self._timers = self._monitors = None

    def _timer_due(self, key: Hashable, message: M) -> None:
        if self._timers is not None and key in self._timers:
            self._mailbox.control(TimerFired(key, self._timers[key], message))
