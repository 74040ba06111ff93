"""The blocking client: for scripts, for programs with threads, and for the command line itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from hoody.client import calls, event_calls
from hoody.client.call import Call, Conversation, Finder
from hoody.client.discover import find_daemon
from hoody.client.exchange import converse
from supervisor.errors import HoodyError, Unavailable

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


class Client:
    """Talks to the daemon of this user; ``finder`` or the arguments name another one.

    Cheap to make and without state: it opens one connection per call, looks up where the daemon is at each, and so
    survives a restart of the daemon and a rotation of the token. May be shared between threads. Every method raises
    ``DaemonNotRunning``, ``Unauthorized`` and ``TimedOut`` beside what it names itself.
    """

    def __init__(self, url: str | None = None, token: str | None = None, *, finder: Finder | None = None) -> None:
        self._finder = finder or find_daemon(url=url, token=token)
        self.agents = Agents(self)

    def send(self, call: Call[R]) -> R:
        """Carry out one call and return what it is for."""
        conversation = Conversation(call, self._finder)
        converse([conversation])
        return conversation.result()

    def send_all(
        self, wanted: Sequence[Call[R]], *, tick: float = 1.0, on_tick: Callable[[list[int]], object] | None = None
    ) -> list[R | HoodyError]:
        """Carry out calls at the same time; return for each its value or its ``HoodyError``, in the same order.

        ``on_tick`` is called every ``tick`` seconds with the indexes of those that are still under way.
        """
        conversations = [Conversation(call, self._finder) for call in wanted]

        def told() -> None:
            if on_tick is not None:
                on_tick([index for index, one in enumerate(conversations) if not one.finished])

        converse(conversations, tick=tick if on_tick else None, on_tick=told)
        results: list[R | HoodyError] = []
        for conversation in conversations:
            try:
                results.append(conversation.result())
            except HoodyError as error:
                results.append(error)
        return results

    def tree(self) -> TreeNode:
        """Return the supervision tree."""
        return self.send(calls.tree())

    def health(self) -> HealthReport:
        """Return the health of everything, rolled up."""
        return self.send(calls.health())

    def status(self) -> DaemonStatus:
        """Return what the daemon says of itself: version, address, since when, where its files are."""
        return self.send(calls.status())

    def apply(
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
        return self.send(calls.apply(document, source=source, prune=prune, dry_run=dry_run, timeout=timeout))

    def export(
        self, *, source: str | None = None, workspace: str | None = None, reveal: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Return the definitions of the agents as a document that :meth:`apply` takes."""
        return self.send(calls.export(source=source, workspace=workspace, reveal=reveal))

    def events(self, feed: event_calls.Feed = LAST_EVENTS) -> list[dict[str, Any]]:
        """Return the events that ``feed`` says, oldest first."""
        return self.send(event_calls.event_page(feed))["items"]

    def follow_events(
        self, feed: event_calls.Feed = FOLLOW_EVENTS, *, after: int | None = None
    ) -> Iterator[dict[str, Any]]:
        """Yield the events that ``feed`` says, or those behind number ``after``, and then each that happens, for ever.

        Nothing is lost when the daemon is started anew meanwhile: it is looked for again until it has been gone for a
        minute (``DaemonNotRunning``). Where events are not kept any more, one of type ``gap`` says which.
        """
        place = event_calls.EventPlace(feed, after)
        while True:
            try:
                page = place.take(self.send(place.call()))
            except Unavailable as error:
                time.sleep(place.pause_after(error))
                continue
            if page["gap"] is not None:
                yield {"type": "gap", **page["gap"]}
            yield from page["items"]

    def state(self) -> UnitsState:
        """Return how all units look, and the number of the event behind which they do."""
        return self.send(event_calls.state())

    def rotate_token(self) -> str:
        """Make a new token, return it, and forget the old one. Clients that read its file go on by themselves."""
        return self.send(calls.rotate_token())

    def replace_program(self) -> str:
        """Have the daemon replaced by the program on disk, in place, and return that program's version.

        Returns when it has begun; a moment later the new one answers at the same address. ``Unavailable`` where it
        does not start; the old one goes on then.
        """
        return self.send(calls.replace_program())

    def shutdown(self, *, leave_agents: bool = False) -> None:
        """Ask the daemon to end, with its agents unless told to leave them; returns when it has begun to."""
        self.send(calls.shutdown(leave_agents=leave_agents))


class Agents:
    """The agents of a daemon: ``client.agents``."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._calls = calls.UnitCalls("agents")

    def list(
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
        ``selector`` is a label selector (``tier in (a, b), !old``). With ``stats``, each is measured.
        """
        found: list[Unit] = []
        after: str | None = None
        filters = calls.filters(states=states, healths=healths, labels=labels, workspace=workspace, selector=selector)
        while True:
            page = self._client.send(self._calls.page(filters, after=after, timeout=timeout, stats=stats))
            found += page["items"]
            after = page.get("next")
            if not after:
                return found

    def get(self, name: str, *, reveal: Sequence[str] = ()) -> Unit:
        """Return one agent; values of its environment are hidden but for the names in ``reveal``. ``NotFound``."""
        return self._client.send(self._calls.get(name, reveal=reveal))

    def stats(self, name: str) -> UnitStats:
        """Return what an agent uses of the machine, in all and by process, since the look before."""
        return self._client.send(self._calls.stats(name))

    def create(
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
        """Define an agent and, unless told not to, start it. ``AlreadyExists``, ``InvalidInput``.

        Returns when the definition is on disk; ``start(name, wait=True)`` afterwards waits until it runs.
        """
        document = calls.definition(command, spec, name=name, labels=labels, workspace=workspace)
        return self._client.send(self._calls.create(document, start=start, key=idempotency_key))

    def replace(self, name: str, definition: Mapping[str, object], *, revision: int | None = None) -> Unit:
        """Give an agent a new definition; one that runs is restarted if it differs. ``RevisionMismatch``."""
        return self._client.send(self._calls.replace(name, definition, revision=revision))

    def patch(self, name: str, changes: Mapping[str, object], *, revision: int | None = None) -> Unit:
        """Change some keys of a definition (a JSON merge patch: None removes a key). ``RevisionMismatch``."""
        return self._client.send(self._calls.patch(name, changes, revision=revision))

    def delete(self, name: str, *, force: bool = False, revision: int | None = None, timeout: float = 60) -> None:
        """Forget an agent. One that is not at rest is refused (``InvalidTransition``), or stopped with ``force``."""
        self._client.send(self._calls.delete(name, force=force, revision=revision, timeout=timeout))

    def start(self, name: str, *, wait: bool = False, timeout: float = 60) -> Unit:
        """Make an agent run. With ``wait``, return when it does. ``SpawnFailed``, ``InvalidTransition``."""
        return self._client.send(self._calls.verb(name, "start", wait=wait, timeout=timeout))

    def stop(self, name: str, *, wait: bool = False, timeout: float = 60, now: bool = False) -> Unit:
        """Make an agent stop and stay so. With ``wait``, return when nothing of it is left; ``now`` kills at once."""
        return self._client.send(self._calls.verb(name, "stop", wait=wait, timeout=timeout, now=now))

    def restart(self, name: str, *, wait: bool = False, timeout: float = 60) -> Unit:
        """Stop what runs, then start; an agent at rest is just started. ``SpawnFailed``, ``InvalidTransition``."""
        return self._client.send(self._calls.verb(name, "restart", wait=wait, timeout=timeout))

    def pause(self, name: str) -> Unit:
        """Let nothing of it run, without ending it. ``InvalidTransition`` unless it is RUNNING."""
        return self._client.send(self._calls.pause(name, paused=True))

    def resume(self, name: str) -> Unit:
        """Let it run on. ``InvalidTransition`` unless it is RUNNING."""
        return self._client.send(self._calls.pause(name, paused=False))

    def input(self, name: str, data: str | bytes, *, timeout: float = 10) -> int:
        """Write to the standard input of an agent that has ``stdin="pipe"``; return how many bytes were taken.

        ``Conflict`` where it takes no input, ``InvalidTransition`` where it does not run, ``TimedOut`` where it has
        not taken all of it in time.
        """
        text = data.encode() if isinstance(data, str) else data
        return self._client.send(self._calls.input(name, text, timeout=timeout))

    def signal(self, name: str, signal: str, *, group: bool = False) -> Unit:
        """Send a signal to its process, or to its whole process group. ``InvalidTransition`` where there is none."""
        return self._client.send(self._calls.signal(name, signal, group=group))

    def history(self, name: str, *, limit: int = 20) -> UnitHistory:
        """Return its last incarnations, each with how it ended, and what happened to it. ``NotFound``."""
        return self._client.send(event_calls.history("agents", name, limit=limit))

    def logs(
        self,
        name: str,
        *,
        tail: int | None = 100,
        stream: str | None = None,
        timeout: float = 60,
        sink: Callable[[bytes], object] | None = None,
    ) -> bytes:
        """Return the last ``tail`` lines of its output (None: all that is kept), of both streams or of one.

        With ``sink``, the bytes go there as they come, and what is returned is empty.
        """
        lines = calls.Lines(tail, stream)
        return self._client.send(self._calls.logs(name, lines, timeout=timeout, sink=sink))

    def follow(self, name: str, lines: calls.Lines = FOLLOW_FROM) -> Iterator[LogItem]:
        """Yield ``lines`` of its output and then each that is added, for ever.

        Nothing is lost when the daemon is started anew meanwhile: it is looked for again until it has been gone for a
        minute (``DaemonNotRunning``). Raises ``NotFound`` once there is no such agent.
        """
        place = calls.LogPlace(lines)
        while True:
            try:
                page = self._client.send(place.call(self._calls, name))
            except Unavailable as error:
                time.sleep(place.pause_after(error))
                continue
            yield from place.items_of(page)
