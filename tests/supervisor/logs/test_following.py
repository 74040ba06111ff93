"""Followers get everything that comes, in order, and survive rotations and restarts of the daemon."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import trio
import trio.testing

from supervisor.errors import InvalidInput
from supervisor.logs import Entry, Gap, LogSettings, LogStream, Selection, parse_cursor
from supervisor.logs.testing import LogBench, write_all

WEB = Selection(units=("web",))


async def take(entries: LogStream, count: int) -> list[Entry | Gap]:
    found: list[Entry | Gap] = []
    with trio.fail_after(30):
        while len(found) < count:
            found.extend(await entries.batch())
    return found


def lines(found: list[Entry | Gap]) -> list[bytes]:
    return [item.text for item in found if isinstance(item, Entry)]


async def test_a_follower_gets_the_end_of_what_is_there_and_then_what_comes(bench: LogBench) -> None:
    await bench.write(b"one\ntwo\nthree\n")
    async with bench.reader.open(Selection(units=("web",), tail=2), follow=True) as entries:
        assert lines(await take(entries, 2)) == [b"two", b"three"]

        await bench.write(b"four\n")
        assert lines(await take(entries, 1)) == [b"four"]

        await bench.write(b"five\n", stream="stderr")
        assert lines(await take(entries, 1)) == [b"five"]


async def test_a_follower_may_come_before_the_unit(bench: LogBench, nursery: trio.Nursery) -> None:
    async with bench.reader.open(Selection(units=("web", "db"), tail=10), follow=True) as entries:
        nursery.start_soon(bench.write, b"hello\n", "db")

        found = await take(entries, 1)

        assert [(item.unit, item.text) for item in found if isinstance(item, Entry)] == [("db", b"hello")]


async def test_a_line_is_not_given_out_in_pieces_when_its_rest_follows_soon(bench: LogBench) -> None:
    await bench.write(b"ready\n")
    async with bench.reader.open(WEB, follow=True) as entries:
        await take(entries, 1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(bench.write, b"a line ")
            await trio.sleep(0.05)
            nursery.start_soon(bench.write, b"in two\n")

            assert lines(await take(entries, 1)) == [b"a line in two"]


async def test_a_prompt_without_a_newline_is_given_out_after_a_moment(bench: LogBench) -> None:
    await bench.write(b"ready\n")
    async with bench.reader.open(WEB, follow=True) as entries:
        await take(entries, 1)
        await bench.write(b"continue? ")
        (prompt,) = await take(entries, 1)
        await bench.write(b"yes\nthen\n")
        rest = await take(entries, 2)

    assert isinstance(prompt, Entry)
    assert (prompt.text, prompt.ended, prompt.continues) == (b"continue? ", False, False)
    assert [(item.text, item.ended, item.continues) for item in rest if isinstance(item, Entry)] == [
        (b"yes", True, True),
        (b"then", True, False),
    ]


async def test_what_was_given_out_of_an_unfinished_line_is_not_given_out_again(bench: LogBench) -> None:
    await bench.write(b"ready\n")
    async with bench.reader.open(WEB, follow=True) as entries:
        await take(entries, 1)
        found = []
        for part in (b"loading", b".", b"..", b" done\n"):
            await bench.write(part)
            found += lines(await take(entries, 1))

    assert found == [b"loading", b".", b"..", b" done"]


async def test_a_file_that_is_cut_off_while_it_is_followed_is_followed_on(bench: LogBench) -> None:
    await bench.write(b"a long first line\n")
    async with bench.reader.open(WEB, follow=True) as entries:
        await take(entries, 1)
        os.truncate(bench.logs / "web" / "stdout.log", 0)
        await bench.write(b"two\n")

        assert lines(await take(entries, 1)) == [b"two"]


async def test_a_follower_is_woken_by_a_drain_as_by_the_pump(
    make_bench: Callable[..., LogBench], nursery: trio.Nursery
) -> None:
    bench = make_bench()
    bench.store._table.prepare()
    await bench.write(b"one\n")
    async with bench.reader.open(WEB, follow=True) as entries:
        await take(entries, 1)

        async def later() -> None:
            await trio.testing.wait_all_tasks_blocked(0.05)
            await bench.write(b"two\n")

        nursery.start_soon(later)
        assert lines(await take(entries, 1)) == [b"two"]


async def test_nobody_is_woken_for_a_stream_that_nobody_has_written_to_yet(
    make_bench: Callable[..., LogBench], nursery: trio.Nursery
) -> None:
    first = make_bench()
    await first.serve(nursery)
    await first.write(b"one\n")
    async with first.reader.open(WEB) as entries:
        await entries.batch()
        place = parse_cursor(entries.cursor)
    writer = os.open(first.runtime / "web.stdout", os.O_RDWR)
    first.stop()
    first.close()
    second = make_bench()
    await second.serve(nursery)

    with trio.move_on_after(0.05) as waited:
        await second.store.wait_growth(place)
    os.write(writer, b"two\n")
    with trio.fail_after(30):
        await second.store.wait_growth(place)
    os.close(writer)
    second.stop()

    assert waited.cancelled_caught


async def test_a_follower_sees_every_line_of_a_busy_agent_over_many_rotations(bench: LogBench) -> None:
    bench.store.configure("web", LogSettings(max_size=65536, backups=10_000))
    program = "import os\nfor n in range(20_000): os.write(1, b'line %d\\n' % n)"
    async with bench.reader.open(WEB, follow=True) as entries:
        agent = subprocess.Popen([sys.executable, "-c", program], stdout=bench.start())  # noqa: ASYNC220
        found = await take(entries, 20_000)
        await trio.to_thread.run_sync(agent.wait)

    assert lines(found) == [b"line %d" % number for number in range(20_000)]
    assert len(bench.files()) > 2


async def test_text_is_found_in_what_comes(bench: LogBench) -> None:
    await bench.write(b"an error\nall is well\n")
    async with bench.reader.open(Selection(units=("web",), grep="error"), follow=True) as entries:
        await bench.write(b"fine\nanother er")
        await bench.write(b"ror\nfine\n")

        assert lines(await take(entries, 2)) == [b"an error", b"another error"]


async def test_a_slow_follower_is_told_that_it_lost_its_place(bench: LogBench) -> None:
    bench.store.configure("web", LogSettings(max_size=4096, backups=1))
    await bench.write(b"first\n")
    async with bench.reader.open(WEB, follow=True) as entries:
        await take(entries, 1)
        data = b"".join(b"%0100d\n" % number for number in range(1000))
        for start in range(0, len(data), 4040):
            await bench.write(data[start : start + 4040])
        found = await take(entries, 10)

    gap, *rest = found
    assert isinstance(gap, Gap)
    assert gap.lost is not None
    assert gap.lost + sum(len(text) + 1 for text in lines(rest)) == len(data)
    assert rest[-1].position == gap.position.__class__(gap.position.epoch, len(b"first\n") + len(data))


async def test_a_cursor_goes_on_in_the_next_daemon_without_a_line_lost_or_doubled(
    make_bench: Callable[..., LogBench],
) -> None:
    first = make_bench()
    async with trio.open_nursery() as nursery:
        await first.serve(nursery)
        first.store.configure("web", LogSettings(max_size=4096, backups=100))
        await first.write(b"".join(b"%0100d\n" % number for number in range(100)))
        async with first.reader.open(WEB, follow=True) as entries:
            before = await take(entries, 100)
            cursor = entries.cursor
        first.stop()
    first.close()

    second = make_bench()
    async with trio.open_nursery() as nursery:
        await second.serve(nursery)
        second.store.configure("web", LogSettings(max_size=4096, backups=100))
        await second.write(b"".join(b"%0100d\n" % number for number in range(100, 200)))
        async with second.reader.open(Selection(units=("web",), after=parse_cursor(cursor)), follow=True) as entries:
            after = await take(entries, 100)
        second.stop()

    assert [int(text) for text in lines(before + after)] == list(range(200))


async def test_an_erased_log_is_followed_into_its_next_life(bench: LogBench) -> None:
    await bench.write(b"old and long\n")
    async with bench.reader.open(WEB, follow=True) as entries:
        await take(entries, 1)
        await bench.store.erase("web")
        bench.start()
        await bench.write(b"new\n")
        found = await take(entries, 2)

    assert isinstance(found[0], Gap)
    assert found[0].lost is None
    assert lines(found) == [b"new"]


async def test_a_follower_that_goes_away_leaves_nothing_behind(bench: LogBench) -> None:
    with trio.move_on_after(0.05):
        async with bench.reader.open(WEB, follow=True) as entries:
            await entries.batch()

    assert bench.store._growth._events == {}


async def test_a_hundred_followers_all_get_everything(bench: LogBench) -> None:
    complete = 0

    async def follow() -> None:
        nonlocal complete
        async with bench.reader.open(WEB, follow=True) as entries:
            assert lines(await take(entries, 50)) == [b"%d" % number for number in range(50)]
        complete += 1

    async with trio.open_nursery() as nursery:
        for _ in range(100):
            nursery.start_soon(follow)
        for number in range(50):
            await bench.write(b"%d\n" % number)

    assert complete == 100


async def test_iterating_gives_the_entries_one_by_one(bench: LogBench) -> None:
    await bench.write(b"one\ntwo\n")
    async with bench.reader.open(WEB) as entries:
        found = [item async for item in entries]

    assert lines(found) == [b"one", b"two"]
    assert isinstance(found[0], Entry)
    assert abs((found[0].time - datetime.now(UTC)).total_seconds()) < 60


@pytest.mark.parametrize(
    ("selection", "follow"),
    [
        (Selection(units=("web",), tail=-1), False),
        (Selection(units=("web",), previous=True), True),
        (Selection(units=("web",), until=datetime(2030, 1, 1, tzinfo=UTC)), True),
    ],
)
def test_a_selection_that_makes_no_sense_is_refused(
    make_bench: Callable[..., LogBench], selection: Selection, follow: bool
) -> None:
    with pytest.raises(InvalidInput):
        make_bench().reader.open(selection, follow=follow)


async def test_waiting_for_growth_ends_at_once_where_there_is_more_already(bench: LogBench) -> None:
    await bench.write(b"one\n")
    async with bench.reader.open(WEB) as entries:
        await entries.batch()
        place = parse_cursor(entries.cursor)
    write_all(bench.start(), b"two\n")
    assert await bench.store.drain("web")

    with trio.fail_after(30):
        await bench.store.wait_growth(place)
