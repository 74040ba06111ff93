"""Learn of another actor's end: exactly one ``Down`` per monitor, at once where it has ended already."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from supervisor.runtime.mailbox import Control, Mailbox
from supervisor.runtime.reasons import ExitReason
from supervisor.runtime.ref import ActorRef, mailbox_of


class MonitorId:
    """One monitor: who watches whom. Opaque; equal only to itself."""

    __slots__ = ("ended", "ref", "watcher")

    def __init__(self, ref: ActorRef[Any], watcher: Mailbox[Any]) -> None:
        self.ref = ref
        self.watcher = watcher
        self.ended = False

    def __repr__(self) -> str:
        return f"<monitor of {self.ref.name!r} by {self.watcher.name!r}>"


@frozen
class Down:
    """The monitored incarnation has ended. Its name is free again and its asks have failed already."""

    monitor: MonitorId
    ref: ActorRef[Any]
    reason: ExitReason


class DownNotice(Control):
    """A ``Down`` on its way through a mailbox; dropped there if the monitor is ended meanwhile."""

    __slots__ = ("down",)

    def __init__(self, down: Down) -> None:
        self.down = down


def watch(ref: ActorRef[Any], watcher: Mailbox[Any]) -> MonitorId:
    """Start a monitor."""
    monitor = MonitorId(ref, watcher)
    target = mailbox_of(ref)
    if target.exit is not None:
        watcher.control(DownNotice(Down(monitor, ref, target.exit)))
    elif target.watchers is None:
        target.watchers = {monitor: None}
    else:
        target.watchers[monitor] = None
    return monitor


def unwatch(monitor: MonitorId) -> None:
    """End a monitor: no ``Down`` of it is delivered from now on, not even one that is waiting."""
    monitor.ended = True
    watchers = mailbox_of(monitor.ref).watchers
    if watchers is not None:
        watchers.pop(monitor, None)


def tell_watchers(target: Mailbox[Any], reason: ExitReason) -> None:
    """Send every watcher of ``target`` its one ``Down``."""
    watchers, target.watchers = target.watchers, None
    for monitor in watchers or ():
        monitor.watcher.control(DownNotice(Down(monitor, monitor.ref, reason)))
