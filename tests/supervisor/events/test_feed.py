"""The feed as a whole: numbers, order, the disk, slow and late readers, the end."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import trio

from supervisor.events import EventsLost, Gap, Retention, Which
from supervisor.units.status import State, UnitStatus, UnitView
from supervisor.units.testing.store import Shelf

Start = Callable[..., Any]
MakeView = Callable[..., UnitView]


def flap(feed: Any, view: MakeView, count: int, name: str = "web") -> None:
    """Let a unit be defined and change until it has made so many events."""
    for number in range(count):
        feed.roster.show(view(name, UnitStatus(says=str(number))))


def numbers(batch: Any) -> list[int]:
    return [entry.number for entry in batch.entries]


async def test_events_are_numbered_without_holes_in_the_order_in_which_they_happened(
    start_feed: Start, view: MakeView
) -> None:
    async with start_feed() as feed:
        flap(feed, view, 5)
        last = await feed.settled()

        assert numbers(await feed.log.read(0)) == [1, 2, 3, 4, 5] == list(range(1, last + 1))
        assert [entry.number for entry in feed.shelf.events] == [1, 2, 3, 4, 5]


async def test_nothing_is_read_before_it_is_on_disk(start_feed: Start, view: MakeView) -> None:
    async with start_feed() as feed:
        feed.shelf.delay = 1.0
        flap(feed, view, 1)
        await trio.sleep(0.5)
        early = await feed.log.read(0)
        await trio.sleep(1)

        assert numbers(early) == []
        assert numbers(await feed.log.read(0)) == [1]


async def test_the_next_daemon_goes_on_with_the_numbers(start_feed: Start, view: MakeView) -> None:
    shelf = Shelf()
    async with start_feed(shelf) as feed:
        flap(feed, view, 3)
    async with start_feed(shelf) as feed:
        flap(feed, view, 2)
        await feed.settled()

        assert numbers(await feed.log.read(1)) == [2, 3]
        assert numbers(await feed.log.read(3)) == [4, 5]


async def test_what_happens_at_the_very_end_is_written(start_feed: Start, view: MakeView) -> None:
    shelf = Shelf()
    async with start_feed(shelf) as feed:
        flap(feed, view, 3)

    assert len(shelf.events) == 3


@pytest.mark.parametrize("most_in_memory", [5, 5000])
async def test_every_follower_gets_every_event_in_order_however_slow_it_is(
    start_feed: Start, view: MakeView, most_in_memory: int
) -> None:
    total, got = 2_000, dict[int, list[int]]()

    async def follow(feed: Any, number: int) -> None:
        place, got[number] = 0, []
        while place < total:
            await feed.log.wait_beyond(place)
            batch = await feed.log.read(place, most=100)
            got[number] += numbers(batch)
            place = batch.place
            await trio.sleep(number * 0.05)

    async with start_feed(most_in_memory=most_in_memory) as feed, trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(follow, feed, number)
        for _ in range(total // 100):
            flap(feed, view, 100)
            await trio.sleep(0.1)

    assert all(found == list(range(1, total + 1)) for found in got.values())


async def test_memory_holds_no_more_than_it_should_whatever_happens(start_feed: Start, view: MakeView) -> None:
    async with start_feed(most_in_memory=10) as feed:
        flap(feed, view, 1_500)
        last = await feed.settled()

        assert last - feed.log._journal.first < 10 + 500


async def test_a_reader_that_comes_too_late_is_told_what_it_has_missed(start_feed: Start, view: MakeView) -> None:
    async with start_feed(retention=Retention(count=10), most_in_memory=1) as feed:
        flap(feed, view, 800)
        await feed.settled()
        batch = await feed.log.read(100)

        assert batch.gap == Gap(first=101, last=790)
        assert [*numbers(batch), *numbers(await feed.log.read(batch.place))] == list(range(791, 801))


async def test_old_events_are_forgotten_but_never_the_newest(start_feed: Start, view: MakeView) -> None:
    async with start_feed(retention=Retention(age=timedelta(hours=1))) as feed:
        flap(feed, view, 3)
        await feed.settled()
        await trio.sleep(7200)
        flap(feed, view, 1, "other")
        await feed.settled()

        assert [entry.number for entry in feed.shelf.events] == [4]


async def test_a_number_from_another_feed_is_told_as_such(start_feed: Start, view: MakeView) -> None:
    async with start_feed() as feed:
        flap(feed, view, 3)
        await feed.settled()
        batch = await feed.log.read(700)

        assert batch.gap == Gap(first=701, last=3)
        assert batch.place == 3


async def test_a_filtered_reader_moves_on_over_what_it_does_not_want(start_feed: Start, view: MakeView) -> None:
    for memory in (1, 5000):
        async with start_feed(most_in_memory=memory) as feed:
            flap(feed, view, 600, "a")
            flap(feed, view, 2, "b")
            flap(feed, view, 600, "a")
            await feed.settled()
            place, found = 0, list[int]()
            while place < 1202:
                batch = await feed.log.read(place, Which(names=("b",)), most=100)
                found += numbers(batch)
                place = batch.place

            assert found == [601, 602]
            assert numbers(await feed.log.newest(Which(types=("unit.recalled",)), most=5)) == [1, 601]


async def test_while_the_disk_is_in_trouble_events_are_handed_out_and_written_later(
    start_feed: Start, view: MakeView, caplog: pytest.LogCaptureFixture
) -> None:
    async with start_feed() as feed:
        feed.shelf.broken = "the disk is full"
        flap(feed, view, 3)
        await feed.log.wait_beyond(2)
        during = numbers(await feed.log.read(0))
        feed.shelf.broken = None
        await trio.sleep(60)

        assert during == [1, 2, 3] == [entry.number for entry in feed.shelf.events]
        assert "events cannot be written: the disk is full" in caplog.text


async def test_what_could_not_be_kept_until_the_disk_was_well_is_told_as_lost(
    start_feed: Start, view: MakeView
) -> None:
    async with start_feed(most_in_memory=10, most_unwritten=100) as feed:
        feed.shelf.broken = "the disk is full"
        flap(feed, view, 1_000)
        await trio.sleep(5)
        feed.shelf.broken = None
        await trio.sleep(60)
        kept = [entry.number for entry in feed.shelf.events]

        assert kept[-1] == 1_001
        assert kept == list(range(kept[0], 1_002))
        assert f'"type":"{EventsLost.type}"' in feed.shelf.events[-1].text


async def test_a_snapshot_is_of_the_moment_of_its_number(start_feed: Start, view: MakeView) -> None:
    async with start_feed() as feed:
        flap(feed, view, 1)
        feed.shelf.delay = 1.0
        async with trio.open_nursery() as nursery:
            found = []

            async def look() -> None:
                found.append(await feed.log.snapshot())

            nursery.start_soon(look)
            await trio.sleep(0.001)
            feed.roster.show(view("web", UnitStatus(state=State.RUNNING)))

        assert (found[0].number, found[0].units[0].status.state) == (1, State.STOPPED)


async def test_the_events_of_a_time_are_found(start_feed: Start, view: MakeView) -> None:
    async with start_feed() as feed:
        flap(feed, view, 2)
        await trio.sleep(100)
        flap(feed, view, 2, "other")
        await feed.settled()
        between = feed.shelf.events[0].time + timedelta(seconds=50)

        assert await feed.log.place_at(between) == 2
        assert await feed.log.place_at(between + timedelta(days=1)) == 4
        assert numbers(await feed.log.newest(most=10, since=between)) == [3, 4]


async def test_readers_that_are_behind_do_not_keep_the_store_from_writing(start_feed: Start, view: MakeView) -> None:
    async with start_feed(most_in_memory=1) as feed:
        flap(feed, view, 1_000)
        await feed.settled()
        feed.shelf.delay = 1.0
        async with trio.open_nursery() as nursery:
            for _ in range(20):
                nursery.start_soon(feed.log.read, 0)
            await trio.sleep(0.5)
            flap(feed, view, 1, "new")
            began = trio.current_time()
            await feed.log.wait_beyond(1_000)
            took = trio.current_time() - began

        assert took < 3
