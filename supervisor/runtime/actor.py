"""Actors: a mailbox, one handler at a time, and nothing shared.

The actor is written by subclassing ``Actor``; everything around it (mailbox, timers, monitors, clean-up, the order of
things at the end) is the shell in this module, one task per actor.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

import trio

from supervisor.runtime.context import Context, StopNow, TimerFired
from supervisor.runtime.mailbox import EMPTY, Control, Mailbox
from supervisor.runtime.monitors import Down, DownNotice, tell_watchers
from supervisor.runtime.reasons import ExitReason
from supervisor.runtime.service import ServiceContext

M = TypeVar("M")

BATCH: Final = 32
"""After this many messages in a row an actor lets others run."""


class Actor(Generic[M]):
    """Subclass this. Every incarnation is a fresh instance, so a restart begins with fresh state.

    Nothing of it runs concurrently with anything else of it, except the tasks that it spawns.
    """

    async def pre_start(self, context: Context[M], /) -> None:
        """Get ready. The actor is registered already; messages wait. Failing here is a failed start."""

    async def handle(self, message: M, context: Context[M], /) -> None:
        """Handle one message. An exception is a crash: the message is dropped and its asker told, never retried."""
        raise NotImplementedError

    async def on_down(self, down: Down, context: Context[M], /) -> None:
        """A monitored actor has ended."""

    async def post_stop(self, context: Context[M], reason: ExitReason, /) -> None:
        """Clean up after a start that succeeded, however the actor ended.

        Runs shielded from cancellation, but not for longer than the actor's ``cleanup`` time. The name is free and no
        message is accepted any more; replies that were kept can still be sent.
        """


class ActorShell(Generic[M]):
    """One incarnation of an actor, from its registration to its last farewell."""

    __slots__ = ("_actor", "_context", "_drain", "_mailbox", "_ready", "_service")

    def __init__(self, actor: Actor[M], service: ServiceContext, mailbox: Mailbox[M], *, drain: bool) -> None:
        self._actor = actor
        self._service = service
        self._mailbox = mailbox
        self._context: Context[M] = Context(service, mailbox)
        self._drain = drain
        self._ready = False

    async def run(self) -> None:
        """Serve the mailbox until told to stop."""
        service, context = self._service, self._context
        service.system.registry.register(self._mailbox.name, context.ref)
        service.on_stop = self._asked_to_stop
        await self._actor.pre_start(context)
        self._ready = True
        service.started()
        await self._serve()

    async def end(self, reason: ExitReason) -> None:
        """Say farewell in the order that others may rely on.

        Name free; no more messages; tasks gone; ``post_stop``; waiting asks failed; ``Down`` to the watchers. The
        supervisor is told after this.
        """
        self._leave_the_registry()
        try:
            with trio.move_on_after(self._service.cleanup / 2):
                await self._service.tasks_ended()
            if self._ready:
                await self._actor.post_stop(self._context, reason)
        finally:
            self._context.release()
            self._mailbox.close(reason)
            tell_watchers(self._mailbox, reason)

    def _leave_the_registry(self) -> None:
        self._service.system.registry.unregister(self._mailbox.name, self._context.ref)
        self._mailbox.refuse()

    def _asked_to_stop(self, _detail: str) -> None:
        self._mailbox.control(StopNow())

    async def _serve(self) -> None:
        mailbox, actor, context = self._mailbox, self._actor, self._context
        left = BATCH
        while True:
            # Taking the next item, or EMPTY, lets go of the one before: the end of a reply that nobody has kept is how
            # its asker learns that it will not be answered.
            item = mailbox.pop()
            if isinstance(item, Control):
                if item is EMPTY:
                    if context.stopping:
                        return
                    await mailbox.wait()
                    left = BATCH
                    continue
                if await self._control(item):
                    return
            else:
                mailbox.handled += 1
                await actor.handle(item, context)
            left -= 1
            if not left:
                await trio.lowlevel.checkpoint()
                left = BATCH

    async def _control(self, item: Control) -> bool:
        """Carry out an item of the runtime; True ends the actor."""
        match item:
            case TimerFired():
                if self._context.timer_is_due(item):
                    await self._actor.handle(item.message, self._context)
            case DownNotice():
                if self._context.monitor_is_due(item.down):
                    await self._actor.on_down(item.down, self._context)
            case StopNow():
                if self._context.leaving or not self._drain:
                    return True
                self._leave_the_registry()
        return False


def actor_start(
    factory: Callable[[], Actor[M]], *, name: str, capacity: int, cleanup: float, drain: bool
) -> Callable[[ServiceContext], Awaitable[None]]:
    """Return the start function of an actor's child spec."""

    # Not async itself: its frame would stay for as long as the actor lives.
    def start(service: ServiceContext) -> Awaitable[None]:
        mailbox: Mailbox[M] = Mailbox(name, capacity, service.system)
        shell = ActorShell(factory(), service, mailbox, drain=drain)
        service.at_end(shell.end, within=cleanup)
        return shell.run()

    return start
