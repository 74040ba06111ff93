"""The calls about events: the feed, the state that it adds up to, and the history of a unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from hoody.client.call import MARGIN, Call, json_request, read_json
from hoody.client.wire import BadAnswer, Response, percent
from supervisor.errors import Unavailable

if TYPE_CHECKING:
    from hoody.client.types import EventPage, UnitHistory, UnitsState

_API: Final = "/api/v1"
_DEFAULT: Final = 30.0
_STATE: Final = 60.0
_LONG_POLL: Final = 20.0
_LOOK_AGAIN: Final = 0.5
_LOOK_FOR_DAEMON: Final = 60.0


class Feed(NamedTuple):
    """Which events: the last ``tail`` of those that fit.

    ``since`` is RFC 3339, and leaves out what was before; ``types`` may name families (``unit``).
    """

    tail: int = 100
    since: str | None = None
    names: Sequence[str] = ()
    types: Sequence[str] = ()
    kinds: Sequence[str] = ()


def _object(response: Response) -> Any:  # noqa: ANN401 - the caller names the TypedDict
    document = read_json(response)
    if not isinstance(document, dict):
        raise BadAnswer("the daemon answered with something that is not a JSON object")
    return document


def event_page(feed: Feed, *, after: int | None = None, wait: float | None = None) -> Call[EventPage]:
    """Ask for the last events, or for those behind the number ``after``, waiting ``wait`` seconds for some."""
    pairs = [("name", name) for name in feed.names] + [("type", each) for each in feed.types]
    pairs += [("kind", kind) for kind in feed.kinds]
    if after is not None:
        pairs.append(("since", str(after)))
    else:
        pairs.append(("tail", str(feed.tail)))
        pairs += [("since", feed.since)] if feed.since is not None else []
    if wait is not None:
        pairs.append(("wait", f"{wait:.3f}s"))
    query = "&".join(f"{name}={percent(value)}" for name, value in pairs)
    deadline = _DEFAULT if wait is None else wait + MARGIN
    return Call(json_request("GET", f"{_API}/events?{query}"), _object, timeout=deadline, repeatable=True)


def state() -> Call[UnitsState]:
    """Ask how all units look, and behind which event."""
    return Call(json_request("GET", f"{_API}/state"), _object, timeout=_STATE, repeatable=True)


def history(kind: str, name: str, *, limit: int) -> Call[UnitHistory]:
    """Ask for the incarnations of a unit."""
    target = f"{_API}/{kind}/{percent(name)}/history?limit={limit}"
    return Call(json_request("GET", target), _object, timeout=_DEFAULT, repeatable=True)


class EventPlace:
    """Where a follower of the feed is: what it asks next, and how long it looks for a daemon that is gone. No I/O."""

    def __init__(self, feed: Feed, after: int | None = None) -> None:
        self._feed = feed
        self._after = after
        self._gone_for = 0.0

    def call(self) -> Call[EventPage]:
        """Return the next call: what is there, then a wait for more."""
        return event_page(self._feed, after=self._after, wait=None if self._after is None else _LONG_POLL)

    def take(self, page: EventPage) -> EventPage:
        """Take note of a page that came, and return it."""
        self._gone_for = 0.0
        self._after = page["next"]
        return page

    def pause_after(self, error: Unavailable) -> float:
        """Return how long to wait before the daemon is looked for again.

        Raises ``error`` after a minute of it, and at once where there was never an answer.
        """
        if self._after is None or self._gone_for >= _LOOK_FOR_DAEMON:
            raise error
        self._gone_for += _LOOK_AGAIN
        return _LOOK_AGAIN
