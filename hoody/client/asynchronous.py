"""The trio client: the same calls as the blocking one, each cancellable at any point."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from hoody.client import calls, event_calls
from hoody.client.call import Call, Conversation, Finder
from hoody.client.discover import find_daemon
from supervisor.errors import Unavailable

if TYPE_CHECKING:
    from typing import Unpack

    from hoody.client.types import (
        ApplyAnswer,
        DaemonStatus,
        HealthReport,
        LogItem,
        SpecFields,
        TreeNode,
        Unit,
        UnitHistory,
        UnitsState,
        UnitStats,
    )

R = TypeVar("R")
FOLLOW_FROM = calls.Lines(tail=0)
LAST_EVENTS = event_calls.Feed()
FOLLOW_EVENTS = event_calls.Feed(tail=0)
_BLOCK = 256 * 1024


class AsyncClient:
    """Talks to the daemon of this user from trio; see :class:`hoody.client.blocking.Client` for what each call means.

    Without state, so it needs no closing and may be used by any number of tasks. A cancelled call closes its
    connection; what it asked for may have been done.
    """

    def __init__(self, url: str | None = None, token: str | None = None, *, finder: Finder | None = None) -> None:
        self._finder = finder or find_daemon(url=url, token=token)
        self.agents = AsyncAgents(self)

    async def send(self, call: Call[R]) -> R:
        """Carry out one call and return what it is for."""
        conversation = Conversation(call, self._finder)
        with trio.move_on_after(call.timeout):
            while not conversation.finished:
                await _attempt(conversation)
        if not conversation.finished:
            conversation.timed_out()
        return conversation.result()

    async def tree(self) -> TreeNode:
        """Return the supervision tree."""
        return await self.send(calls.tree())

    async def health(self) -> HealthReport:
        """Return the health of everything, rolled up."""
        return await self.send(calls.health())

    async def status(self) -> DaemonStatus:
        """Return what the daemon says of itself: version, address, since when, where its files are."""
        return await self.send(calls.status())

    async def apply(
        self,
        document: Mapping[str, object],
        *,
        source: str = "api",
        prune: bool = False,
        dry_run: bool = False,
        timeout: float = 60,
    ) -> ApplyAnswer:
        """Make the agents what ``document`` declares (the tables of a ``hoody.toml``), or tell what that would change.

        All of it, or after an error nothing. With ``prune``, what ``source`` declared before and does not any more is
        removed. ``InvalidInput``, ``Conflict``, ``StorageError``.
        """
        return await self.send(calls.apply(document, source=source, prune=prune, dry_run=dry_run, timeout=timeout))

    async def export(
        self, *, source: str | None = None, workspace: str | None = None, reveal: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Return the definitions of the agents as a document that :meth:`apply` takes."""
        return await self.send(calls.export(source=source, workspace=workspace, reveal=reveal))

    async def events(self, feed: event_calls.Feed = LAST_EVENTS) -> list[dict[str, Any]]:
        """Return the events that ``feed`` says, oldest first."""
        return (await self.send(event_calls.event_page(feed)))["items"]

    def follow_events(self, feed: event_calls.Feed = FOLLOW_EVENTS, *, after: int | None = None) -> EventFollower:
        """Return an iterator over the events that ``feed`` says, or those behind number ``after``, and all that follow.

        It goes on over restarts of the daemon; see the blocking client.
        """
        return EventFollower(self, feed, after)

    async def state(self) -> UnitsState:
        """Return how all units look, and the number of the event behind which they do."""
        return await self.send(event_calls.state())

    async def rotate_token(self) -> str:
        """Make a new token, return it, and forget the old one. Clients that read its file go on by themselves."""
        return await self.send(calls.rotate_token())

    async def replace_program(self) -> str:
        """Have the daemon replaced by the program on disk, in place, and return that program's version.

        Returns when it has begun; a moment later the new one answers at the same address. ``Unavailable`` where it
        does not start; the old one goes on then.
        """
        return await self.send(calls.replace_program())

    async def shutdown(self, *, leave_agents: bool = False) -> None:
        """Ask the daemon to end, with its agents unless told to leave them; returns when it has begun to."""
        await self.send(calls.shutdown(leave_agents=leave_agents))


class AsyncAgents:
    """The agents of a daemon: ``client.agents``; each method as in :class:`hoody.client.blocking.Agents`."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._calls = calls.UnitCalls("agents")

    async def list(
        self,
        *,
        states: Sequence[str] = (),
        healths: Sequence[str] = (),
        labels: Sequence[str] = (),
        selector: str = "",
        workspace: str | None = None,
        stats: bool = False,
        timeout: float = 30,
    ) -> list[Unit]:
        """Return every agent, ordered by name, or those in one of these states, of one of these healths, and with all
        of these labels (``KEY=VALUE``, or ``KEY`` for any value).
        """
        found: list[Unit] = []
        after: str | None = None
        filters = calls.filters(states=states, healths=healths, labels=labels, workspace=workspace, selector=selector)
        while True:
            page = await self._client.send(self._calls.page(filters, after=after, timeout=timeout, stats=stats))
            found += page["items"]
            after = page.get("next")
            if not after:
                return found

    async def get(self, name: str, *, reveal: Sequence[str] = ()) -> Unit:
        """Return one agent; values of its environment are hidden but for the names in ``reveal``."""
        return await self._client.send(self._calls.get(name, reveal=reveal))

    async def stats(self, name: str) -> UnitStats:
        """Return what an agent uses of the machine, in all and by process, since the look before."""
        return await self._client.send(self._calls.stats(name))

    async def create(
        self,
        name: str,
        command: str | Sequence[str],
        *,
        start: bool = True,
        labels: Mapping[str, str] | None = None,
        workspace: str | None = None,
        idempotency_key: str | None = None,
        **spec: Unpack[SpecFields],
    ) -> Unit:
        """Define an agent and, unless told not to, start it; returns when the definition is on disk."""
        document = calls.definition(command, spec, name=name, labels=labels, workspace=workspace)
        return await self._client.send(self._calls.create(document, start=start, key=idempotency_key))

    async def replace(self, name: str, definition: Mapping[str, object], *, revision: int | None = None) -> Unit:
        """Give an agent a new definition; one that runs is restarted if it differs."""
        return await self._client.send(self._calls.replace(name, definition, revision=revision))

    async def patch(self, name: str, changes: Mapping[str, object], *, revision: int | None = None) -> Unit:
        """Change some keys of a definition (a JSON merge patch: None removes a key)."""
        return await self._client.send(self._calls.patch(name, changes, revision=revision))

    async def delete(self, name: str, *, force: bool = False, revision: int | None = None, timeout: float = 60) -> None:
        """Forget an agent; one that is not at rest is refused, or stopped with ``force``."""
        await self._client.send(self._calls.delete(name, force=force, revision=revision, timeout=timeout))

    async def start(self, name: str, *, wait: bool = False, timeout: float = 60) -> Unit:
        """Make an agent run; with ``wait``, return when it does."""
        return await self._client.send(self._calls.verb(name, "start", wait=wait, timeout=timeout))

    async def stop(self, name: str, *, wait: bool = False, timeout: float = 60, now: bool = False) -> Unit:
        """Make an agent stop and stay so; with ``wait``, return when nothing of it is left."""
        return await self._client.send(self._calls.verb(name, "stop", wait=wait, timeout=timeout, now=now))

    async def restart(self, name: str, *, wait: bool = False, timeout: float = 60) -> Unit:
        """Stop what runs, then start; an agent at rest is just started."""
        return await self._client.send(self._calls.verb(name, "restart", wait=wait, timeout=timeout))

    async def pause(self, name: str) -> Unit:
        """Let nothing of it run, without ending it. ``InvalidTransition`` unless it is RUNNING."""
        return await self._client.send(self._calls.pause(name, paused=True))

    async def resume(self, name: str) -> Unit:
        """Let it run on. ``InvalidTransition`` unless it is RUNNING."""
        return await self._client.send(self._calls.pause(name, paused=False))

    async def input(self, name: str, data: str | bytes, *, timeout: float = 10) -> int:
        """Write to the standard input of an agent that has ``stdin="pipe"``; return how many bytes were taken.

        ``Conflict`` where it takes no input, ``InvalidTransition`` where it does not run, ``TimedOut`` where it has
        not taken all of it in time.
        """
        text = data.encode() if isinstance(data, str) else data
        return await self._client.send(self._calls.input(name, text, timeout=timeout))

    async def signal(self, name: str, signal: str, *, group: bool = False) -> Unit:
        """Send a signal to its process, or to its whole process group."""
        return await self._client.send(self._calls.signal(name, signal, group=group))

    async def history(self, name: str, *, limit: int = 20) -> UnitHistory:
        """Return its last incarnations, each with how it ended, and what happened to it. ``NotFound``."""
        return await self._client.send(event_calls.history("agents", name, limit=limit))

    async def logs(
        self,
        name: str,
        *,
        tail: int | None = 100,
        stream: str | None = None,
        timeout: float = 60,
        sink: Callable[[bytes], object] | None = None,
    ) -> bytes:
        """Return the last ``tail`` lines of its output (None: all that is kept), or hand them to ``sink``."""
        lines = calls.Lines(tail, stream)
        return await self._client.send(self._calls.logs(name, lines, timeout=timeout, sink=sink))

    def follow(self, name: str, lines: calls.Lines = FOLLOW_FROM) -> Follower:
        """Return an iterator over ``lines`` of its output and then over each that is added, for ever.

        Nothing is lost when the daemon is started anew meanwhile: it is looked for again until it has been gone for a
        minute (``DaemonNotRunning``). Raises ``NotFound`` once there is no such agent.
        """
        return Follower(self._client, self._calls, name, lines)


class EventFollower:
    """Yields events without end. Holds nothing open between two of them, so it needs no closing."""

    def __init__(self, client: AsyncClient, feed: event_calls.Feed, after: int | None) -> None:
        self._client = client
        self._place = event_calls.EventPlace(feed, after)
        self._events: deque[dict[str, Any]] = deque()

    def __aiter__(self) -> EventFollower:
        return self

    async def __anext__(self) -> dict[str, Any]:
        while not self._events:
            try:
                page = self._place.take(await self._client.send(self._place.call()))
            except Unavailable as error:
                await trio.sleep(self._place.pause_after(error))
                continue
            if page["gap"] is not None:
                self._events.append({"type": "gap", **page["gap"]})
            self._events.extend(page["items"])
        return self._events.popleft()


class Follower:
    """Yields the items of a log without end. Holds nothing open between two items, so it needs no closing."""

    def __init__(self, client: AsyncClient, units: calls.UnitCalls, name: str, lines: calls.Lines) -> None:
        self._client = client
        self._units = units
        self._name = name
        self._place = calls.LogPlace(lines)
        self._items: deque[LogItem] = deque()

    def __aiter__(self) -> Follower:
        return self

    async def __anext__(self) -> LogItem:
        while not self._items:
            try:
                page = await self._client.send(self._place.call(self._units, self._name))
            except Unavailable as error:
                await trio.sleep(self._place.pause_after(error))
            else:
                self._items.extend(self._place.items_of(page))
        return self._items.popleft()


async def _attempt(conversation: Conversation[R]) -> None:
    """Make one connection and use it until the conversation is finished or wants another."""
    host, port, _ = conversation.endpoint
    attempt = conversation.attempt
    family = trio.socket.AF_INET6 if ":" in host else trio.socket.AF_INET
    with trio.socket.socket(family, trio.socket.SOCK_STREAM) as raw:
        try:
            await raw.connect((host, port))
        except OSError as error:
            conversation.refused(error)
            return
        stream = trio.SocketStream(raw)
        try:
            await stream.send_all(conversation.to_send)
            while not conversation.finished and conversation.attempt == attempt:
                conversation.received(await stream.receive_some(_BLOCK))
        except trio.BrokenResourceError as error:
            conversation.dropped(error.__cause__ if isinstance(error.__cause__, OSError) else error)
