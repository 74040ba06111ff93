"""What Quart-Trio's cancellation would cut off is finished: the end of an answer, and the start of a change."""

from __future__ import annotations

import math
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from api.finishing import ACCEPTED, Finishing
from api.guard import Message, Receive, Scope, Send

WHOLE: list[Message] = [
    {"type": "http.request", "body": b"x", "more_body": True},
    {"type": "http.request", "body": b""},
]
HALF: list[Message] = WHOLE[:1]
GONE: Message = {"type": "http.disconnect"}


class Receiver:
    """An application that takes every message and keeps when it came."""

    def __init__(self, *, accepts_after: float = math.inf) -> None:
        self.accepts_after = accepts_after
        self.gone_at = math.inf

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._accept, scope[ACCEPTED])
            while (await receive())["type"] != "http.disconnect":
                pass
            self.gone_at = trio.current_time()
            nursery.cancel_scope.cancel()

    async def _accept(self, accepted: trio.Event) -> None:
        await trio.sleep(self.accepts_after)
        accepted.set()


async def feed(application: Receiver, method: str, messages: list[Message]) -> float:
    waiting = [*messages, GONE]

    async def receive() -> Message:
        await trio.lowlevel.checkpoint()
        return waiting.pop(0)

    async def send(_message: Message) -> None:
        raise AssertionError("nothing is sent here")

    began = trio.current_time()
    await Finishing(application)({"type": "http", "method": method}, receive, send)
    return application.gone_at - began


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_a_change_learns_that_its_client_has_gone_only_after_it_is_accepted(
    autojump_clock: MockClock, method: str
) -> None:
    assert await feed(Receiver(accepts_after=2.0), method, WHOLE) == pytest.approx(2.0)


async def test_a_change_that_is_never_accepted_is_not_waited_for_for_ever(autojump_clock: MockClock) -> None:
    assert await feed(Receiver(), "POST", WHOLE) == pytest.approx(5.0)


@pytest.mark.parametrize(("method", "messages"), [("GET", WHOLE), ("HEAD", WHOLE), ("POST", HALF), ("POST", [])])
async def test_a_read_and_a_change_that_never_came_whole_end_at_once(
    autojump_clock: MockClock, method: str, messages: list[Message]
) -> None:
    assert await feed(Receiver(accepts_after=2.0), method, messages) == 0.0


async def test_the_last_event_of_an_answer_is_sent_to_its_end_though_the_application_is_cancelled() -> None:
    may_end, sent = trio.Event(), []

    async def application(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.body", "body": b"x", "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def send(message: Message) -> None:
        if not message.get("more_body", False):
            await may_end.wait()
        sent.append(message["body"])

    async def receive() -> Message:
        return GONE

    async with trio.open_nursery() as nursery:
        nursery.start_soon(Finishing(application), {"type": "http", "method": "GET"}, receive, send)
        await wait_all_tasks_blocked()
        nursery.cancel_scope.cancel()
        may_end.set()

    assert sent == [b"x", b""]


async def test_what_is_not_http_passes_through_untouched() -> None:
    seen: list[Any] = []

    async def application(*given: Any) -> None:
        seen.extend(given)

    given: Any = ({"type": "websocket"}, object(), object())
    await Finishing(application)(*given)

    assert tuple(seen) == given
