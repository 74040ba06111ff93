"""Every call of the API, each as one function that returns a :class:`Call`; what both clients are made of."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hoody.client.call import MARGIN, Call, json_request, read_json
from hoody.client.wire import BadAnswer, Request, Response, percent
from supervisor.errors import Unavailable

if TYPE_CHECKING:
    from hoody.client.types import (
        ApplyAnswer,
        DaemonStatus,
        Group,
        HealthReport,
        LogItem,
        LogPage,
        TreeNode,
        Unit,
        UnitPage,
        UnitStats,
    )

Filters = Mapping[str, Sequence[str]]
"""Which units of a list: the values of ``state``, ``health``, ``label``, ``selector`` and ``workspace``."""


class Lines(NamedTuple):
    """Which lines of a log: the last ``tail`` (None: all), and of those only what the rest says.

    ``since`` and ``until`` are RFC 3339; ``grep`` is plain text; ``previous`` means the incarnation before this one.
    """

    tail: int | None = 100
    stream: str | None = None
    since: str | None = None
    until: str | None = None
    grep: str | None = None
    previous: bool = False


_API: Final = "/api/v1"
_DEFAULT: Final = 30.0
_LONG_POLL: Final = 20.0
_LOOK_AGAIN: Final = 0.5
_LOOK_FOR_DAEMON: Final = 60.0


def _object(response: Response) -> Any:  # noqa: ANN401 - the caller names the TypedDict
    document = read_json(response)
    if not isinstance(document, dict):
        raise BadAnswer("the daemon answered with something that is not a JSON object")
    return document


def _nothing(_response: Response) -> None:
    return None


def _query(**values: str | float | bool | None) -> str:
    """Write the query of a URL, leaving out what is None."""
    words = {True: "true", False: "false"}
    given = [
        (name, words[value] if isinstance(value, bool) else str(value))
        for name, value in values.items()
        if value is not None
    ]
    return _pairs(given)


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    return "?" + "&".join(f"{percent(name)}={percent(value)}" for name, value in pairs) if pairs else ""


def _path(kind: str, name: str, verb: str = "") -> str:
    return f"{_API}/{kind}/{percent(name)}" + (f"/{verb}" if verb else "")


class UnitCalls:
    """The calls of one kind of unit: ``kind`` is the plural in the address, for example ``agents``."""

    __slots__ = ("kind",)

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def page(self, filters: Filters, *, after: str | None, timeout: float, stats: bool = False) -> Call[UnitPage]:
        """Ask for a part of the list, from behind the name ``after``; with ``stats``, measured."""
        pairs = [(key, value) for key, values in filters.items() for value in values]
        if stats:
            pairs.append(("include", "stats"))
        if after is not None:
            pairs.append(("after", after))
        request = json_request("GET", f"{_API}/{self.kind}{_pairs(pairs)}")
        return Call(request, _page, timeout=timeout, repeatable=True)

    def get(self, name: str, *, reveal: Sequence[str] = ()) -> Call[Unit]:
        """Ask for one unit, with the environment values named in ``reveal``."""
        request = json_request("GET", _path(self.kind, name) + _pairs([("reveal", key) for key in reveal]))
        return Call(request, _object, timeout=_DEFAULT, repeatable=True)

    def stats(self, name: str) -> Call[UnitStats]:
        """Ask what a unit uses of the machine."""
        return Call(json_request("GET", _path(self.kind, name, "stats")), _object, timeout=_DEFAULT, repeatable=True)

    def create(self, definition: Mapping[str, object], *, start: bool, key: str | None) -> Call[Unit]:
        """Define a unit. ``key`` makes the call repeatable: the daemon answers a repetition with the first answer."""
        headers = {"Idempotency-Key": key or os.urandom(16).hex()}
        request = json_request("POST", f"{_API}/{self.kind}" + _query(start=start), definition, headers=headers)
        return Call(request, _object, timeout=_DEFAULT, repeatable=True)

    def replace(self, name: str, definition: Mapping[str, object], *, revision: int | None) -> Call[Unit]:
        """Write a whole definition, if the unit is still at ``revision``."""
        request = json_request("PUT", _path(self.kind, name), definition, headers=_if_match(revision))
        return Call(request, _object, timeout=_DEFAULT, repeatable=revision is None)

    def patch(self, name: str, changes: Mapping[str, object], *, revision: int | None) -> Call[Unit]:
        """Change some keys of a definition, if the unit is still at ``revision``."""
        request = json_request(
            "PATCH",
            _path(self.kind, name),
            changes,
            headers=_if_match(revision),
            content_type="application/merge-patch+json",
        )
        return Call(request, _object, timeout=_DEFAULT, repeatable=revision is None)

    def delete(self, name: str, *, force: bool, revision: int | None, timeout: float) -> Call[None]:
        """Forget a unit."""
        # Not repeatable: a second delete would answer "not found", which is not what happened.
        request = json_request(
            "DELETE",
            _path(self.kind, name) + _query(force=force or None, timeout=f"{timeout:.3f}s"),
            headers=_if_match(revision),
        )
        return Call(request, _nothing, timeout=timeout + MARGIN)

    def verb(self, name: str, verb: str, *, wait: bool, timeout: float, now: bool = False) -> Call[Unit]:
        """Start, stop or restart. Starting what runs and stopping what is stopped is done already: repeatable."""
        target = _path(self.kind, name, verb) + _query(
            wait=wait, timeout=f"{timeout:.3f}s" if wait else None, now=now or None
        )
        deadline = timeout + MARGIN if wait else _DEFAULT
        return Call(json_request("POST", target), _object, timeout=deadline, repeatable=verb != "restart")

    def pause(self, name: str, *, paused: bool) -> Call[Unit]:
        """Pause or resume. What is so already stays so: repeatable."""
        target = _path(self.kind, name, "pause" if paused else "resume")
        return Call(json_request("POST", target), _object, timeout=_DEFAULT, repeatable=True)

    def input(self, name: str, data: bytes, *, timeout: float) -> Call[int]:
        """Give input; returns how many bytes were taken."""
        from base64 import b64encode

        target = _path(self.kind, name, "input") + _query(timeout=f"{timeout:.3f}s")
        document = {"base64": b64encode(data).decode()}
        return Call(
            json_request("POST", target, document), lambda got: int(_object(got)["bytes"]), timeout=timeout + MARGIN
        )

    def signal(self, name: str, signal: str, *, group: bool) -> Call[Unit]:
        """Send a signal, to the process or its group."""
        document = {"signal": signal, "group": group}
        return Call(json_request("POST", _path(self.kind, name, "signal"), document), _object, timeout=_DEFAULT)

    def logs(self, name: str, lines: Lines, *, timeout: float, sink: Callable[[bytes], object] | None) -> Call[bytes]:
        """Ask for lines of the output as plain text."""
        request = Request("GET", _path(self.kind, name, "logs") + _lines(lines), (("Accept", "text/plain"),))
        return Call(request, _body, timeout=timeout, repeatable=sink is None, sink=sink)

    def log_page(
        self, name: str, lines: Lines, *, after: str | None = None, wait: float | None = None
    ) -> Call[LogPage]:
        """Ask for lines of the output as items, from behind ``after``; with ``wait``, for so many seconds for some."""
        target = _path(self.kind, name, "logs") + _lines(lines, after=after, wait=wait)
        deadline = _DEFAULT if wait is None else wait + MARGIN
        return Call(json_request("GET", target), _object, timeout=deadline, repeatable=True)


class MergedLogs:
    """The logs of several agents, merged by time, as one source of pages."""

    __slots__ = ("names",)

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def log_page(
        self, _name: str, lines: Lines, *, after: str | None = None, wait: float | None = None
    ) -> Call[LogPage]:
        """Ask for lines of all of them, from behind ``after``; with ``wait``, for so many seconds for some."""
        which = "".join(f"&name={percent(name)}" for name in self.names)
        query = _lines(lines, after=after, wait=wait) + which
        target = f"{_API}/logs?{query[1:]}"
        deadline = _DEFAULT if wait is None else wait + MARGIN
        return Call(json_request("GET", target), _object, timeout=deadline, repeatable=True)


class LogPlace:
    """Where a follower of a log is: what it asks next, and how long it looks for a daemon that is gone. No I/O."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._after: str | None = None
        self._at_end = False
        self._gone_for = 0.0

    def call(self, units: UnitCalls | MergedLogs, name: str) -> Call[LogPage]:
        """Return the next call: what is there already as long as there is some, then a wait for more."""
        return units.log_page(name, self._lines, after=self._after, wait=_LONG_POLL if self._at_end else None)

    def items_of(self, page: LogPage) -> Sequence[LogItem]:
        """Take a page that came, and return its items."""
        self._gone_for = 0.0
        self._at_end = self._at_end or not page["items"]
        self._after = page["next"]
        return page["items"]

    def pause_after(self, error: Unavailable) -> float:
        """Return how long to wait before the daemon is looked for again.

        Raises ``error`` after a minute of it, and at once where there was never an answer.
        """
        if self._after is None or self._gone_for >= _LOOK_FOR_DAEMON:
            raise error
        self._gone_for += _LOOK_AGAIN
        return _LOOK_AGAIN


def _lines(lines: Lines, *, after: str | None = None, wait: float | None = None) -> str:
    tail = None if after is not None else "all" if lines.tail is None else lines.tail
    return _query(
        tail=tail,
        stream=lines.stream,
        since=lines.since,
        until=lines.until,
        grep=lines.grep,
        previous=lines.previous or None,
        after=after,
        wait=True if wait is not None else None,
        timeout=None if wait is None else f"{wait:.3f}s",
    )


def _body(response: Response) -> bytes:
    return response.body


def _page(response: Response) -> Any:  # noqa: ANN401 - a UnitPage, checked as far as it is walked
    page = _object(response)
    if not isinstance(page.get("items"), list):
        raise BadAnswer("the daemon answered a list without items")
    return page


def _if_match(revision: int | None) -> dict[str, str]:
    return {} if revision is None else {"If-Match": f'"{revision}"'}


def filters(
    *, states: Sequence[str], healths: Sequence[str], labels: Sequence[str], workspace: str | None, selector: str
) -> Filters:
    """Build the filters of a list."""
    return {
        "state": states,
        "health": healths,
        "label": labels,
        "workspace": () if workspace is None else (workspace,),
        "selector": (selector,) if selector else (),
    }


def tree() -> Call[TreeNode]:
    """The supervision tree."""
    return Call(json_request("GET", f"{_API}/tree"), _object, timeout=_DEFAULT, repeatable=True)


def groups() -> Call[list[Group]]:
    """Every group."""
    return Call(
        json_request("GET", f"{_API}/groups"), lambda got: list(_page(got)["items"]), timeout=_DEFAULT, repeatable=True
    )


def group(name: str) -> Call[Group]:
    """One group."""
    return Call(json_request("GET", _path("groups", name)), _object, timeout=_DEFAULT, repeatable=True)


def define_group(name: str, spec: Mapping[str, object], *, replace: bool) -> Call[Group]:
    """Define a group, or give it a new definition."""
    if replace:
        request = json_request("PUT", _path("groups", name), dict(spec))
    else:
        request = json_request("POST", f"{_API}/groups", {"name": name, **spec})
    return Call(request, _object, timeout=_DEFAULT, repeatable=replace)


def forget_group(name: str) -> Call[None]:
    """Forget a group; its members go on."""
    return Call(json_request("DELETE", _path("groups", name)), _nothing, timeout=_DEFAULT)


def group_verb(name: str, verb: str, *, wait: bool | None, timeout: float) -> Call[Group]:
    """Start, stop or restart a group."""
    target = _path("groups", name, verb) + _query(wait=wait, timeout=f"{timeout:.3f}s")
    return Call(json_request("POST", target), _object, timeout=timeout + MARGIN, repeatable=verb != "restart")


def health() -> Call[HealthReport]:
    """The health of everything, rolled up."""
    return Call(json_request("GET", f"{_API}/health"), _object, timeout=_DEFAULT, repeatable=True)


def status() -> Call[DaemonStatus]:
    """The daemon itself."""
    return Call(json_request("GET", f"{_API}/status"), _object, timeout=_DEFAULT, repeatable=True)


def apply(
    document: Mapping[str, object], *, source: str, prune: bool, dry_run: bool, timeout: float, key: str | None = None
) -> Call[ApplyAnswer]:
    """Make the agents what ``document`` declares. ``key`` makes a repetition get the first answer."""
    body = {"document": document, "source": source, "prune": prune, "dry_run": dry_run}
    headers = {"Idempotency-Key": key or os.urandom(16).hex()}
    request = json_request("POST", f"{_API}/apply" + _query(timeout=f"{timeout:.3f}s"), body, headers=headers)
    return Call(request, _object, timeout=timeout + MARGIN, repeatable=True)


def export(*, source: str | None, workspace: str | None, reveal: Sequence[str]) -> Call[dict[str, Any]]:
    """The definitions of the agents as a document."""
    given = (("source", source), ("workspace", workspace))
    pairs = [(name, value) for name, value in given if value is not None] + [("reveal", key) for key in reveal]
    return Call(json_request("GET", f"{_API}/export{_pairs(pairs)}"), _object, timeout=_DEFAULT, repeatable=True)


def rotate_token() -> Call[str]:
    """Make a new token and answer with it."""
    return Call(
        json_request("POST", f"{_API}/token/rotate"), lambda got: str(_object(got).get("token", "")), timeout=_DEFAULT
    )


def replace_program() -> Call[str]:
    """Have the daemon replaced by the program on disk; answers with its version when that has begun."""
    return Call(json_request("POST", f"{_API}/reload"), lambda got: str(_object(got).get("version", "")), timeout=60.0)


def shutdown(*, leave_agents: bool) -> Call[None]:
    """Ask the daemon to end; answers when it has begun to."""
    return Call(json_request("POST", f"{_API}/shutdown", {"leave_agents": leave_agents}), _nothing, timeout=_DEFAULT)


def definition(
    command: str | Sequence[str],
    spec: Mapping[str, object],
    *,
    name: str,
    labels: Mapping[str, str] | None,
    workspace: str | None,
) -> dict[str, object]:
    """Build the flat document that defines a unit, without the keys that say nothing."""
    document: dict[str, object] = {"name": name, "command": command if isinstance(command, str) else list(command)}
    if labels:
        document["labels"] = dict(labels)
    if workspace is not None:
        document["workspace"] = workspace
    return {**document, **spec}
