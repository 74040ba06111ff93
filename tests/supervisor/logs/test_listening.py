"""Listening to a unit: how long it has been silent, and lines of a kind."""

from __future__ import annotations

import math
from functools import partial

import pytest
import trio

from supervisor.logs.listening import Listener
from supervisor.logs.testing import LogBench


@pytest.fixture
def listener(bench: LogBench) -> Listener:
    return Listener(bench.store)


async def test_silence_counts_from_the_last_byte_of_either_stream(bench: LogBench, listener: Listener) -> None:
    bench.start()
    bench.start(stream="stderr")
    assert listener.quiet_for("web") == math.inf

    await bench.write(b"hello\n")
    await trio.sleep(0.05)
    after_stdout = listener.quiet_for("web")
    await bench.write(b".", stream="stderr")

    assert 0.04 < after_stdout < 2
    assert listener.quiet_for("web") < after_stdout
    assert listener.quiet_for("unknown") == math.inf


async def test_silence_is_not_told_while_nothing_can_be_taken_in(bench: LogBench, listener: Listener) -> None:
    bench.start()
    bench.stop()
    with trio.fail_after(30):
        while bench.store.health().running:  # noqa: ASYNC110 - a thread ends
            await trio.sleep(0.002)

    assert listener.quiet_for("web") == 0.0


async def test_each_line_of_the_incarnation_that_fits_is_found(
    bench: LogBench, listener: Listener, nursery: trio.Nursery
) -> None:
    bench.start(incarnation=1)
    await bench.write(b"ready in the life before\n")
    bench.start(incarnation=2)
    await bench.write(b"starting\nready once\n")
    found: list[int] = []
    nursery.start_soon(listener.watch_lines, "web", 2, lambda line: b"ready" in line, lambda: found.append(1))

    await until(found, 1)
    await bench.write(b"ready twice\nnot yet\nready three times\n")
    await until(found, 3)
    await trio.sleep(0.05)

    assert len(found) == 3
    nursery.cancel_scope.cancel()


async def test_what_was_written_before_is_passed_over_where_only_new_lines_count(
    bench: LogBench, listener: Listener, nursery: trio.Nursery
) -> None:
    bench.start()
    await bench.write(b"alive\n" * 100)
    found: list[int] = []
    watch = partial(listener.watch_lines, only_new=True)
    nursery.start_soon(watch, "web", 1, lambda line: b"alive" in line, lambda: found.append(1))
    with trio.fail_after(30):
        while not bench.store._growth._events:  # noqa: ASYNC110 - until it has read everything, and waits for more
            await trio.sleep(0.002)
    before = len(found)
    await bench.write(b"alive\n")
    await until(found, 1)

    assert before == 0
    assert len(found) == 1
    nursery.cancel_scope.cancel()


async def until(found: list[int], count: int) -> None:
    with trio.fail_after(30):
        while len(found) < count:  # noqa: ASYNC110 - a thread of the log store makes it true
            await trio.sleep(0.002)
