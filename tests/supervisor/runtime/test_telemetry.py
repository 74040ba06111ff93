"""Observers see everything and harm nothing."""

from __future__ import annotations

import trio

from supervisor.runtime import ChildStarted, Event, HandlerDetached, System, Telemetry, actor
from supervisor.runtime.testing import EventLog, running
from tests.supervisor.runtime.parts import Notebook, root

EVENT = ChildStarted(path="x", incarnation=1)


def broken(event: Event) -> None:
    raise ValueError("observer")


async def test_a10_a_handler_that_raises_is_detached_and_affects_nobody(autojump_clock: object) -> None:
    system, log = System(), EventLog()
    calls: list[Event] = []

    def broken_and_counting(event: Event) -> None:
        calls.append(event)
        raise ValueError("observer")

    system.telemetry.attach(broken_and_counting)
    system.telemetry.attach(log)

    async with running(root(actor("a", Notebook), actor("b", Notebook)), system=system):
        pass

    assert len(calls) == 1
    assert log.lives() == ["+root/a", "+root/b", "+root", "-root/b", "-root/a", "-root"]
    (detached,) = log.of(HandlerDetached)
    assert str(detached.error) == "observer"
    assert "broken_and_counting" in detached.handler


def test_a10_even_if_every_handler_raises_the_sender_goes_on() -> None:
    telemetry = Telemetry()
    for _ in range(3):
        telemetry.attach(broken)

    telemetry.emit(EVENT)
    telemetry.emit(EVENT)


def test_handlers_hear_in_the_order_in_which_they_were_attached_until_detached() -> None:
    telemetry = Telemetry()
    heard: list[str] = []

    def first(event: Event) -> None:
        heard.append("first")

    def second(event: Event) -> None:
        heard.append("second")

    telemetry.attach(first)
    telemetry.attach(second)
    telemetry.emit(EVENT)
    telemetry.detach(first)
    telemetry.detach(first)
    telemetry.emit(EVENT)

    assert heard == ["first", "second", "second"]


async def test_an_event_log_can_be_waited_on(autojump_clock: object) -> None:
    system, log = System(), EventLog()
    system.telemetry.attach(log)

    async with trio.open_nursery() as nursery:

        async def later() -> None:
            await trio.sleep(1)
            system.telemetry.emit(EVENT)

        nursery.start_soon(later)

        assert await log.wait_for(ChildStarted, within=5) == EVENT
