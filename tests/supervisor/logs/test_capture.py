"""What agents write gets into the files byte for byte, whatever happens around it."""

from __future__ import annotations

import os
import random
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from supervisor.logs import Entry, LogSettings, Selection, StoreSettings, StreamName, places
from supervisor.logs.sink import LONGEST_OVERRUN
from supervisor.logs.testing import LogBench, write_all

MakeBench = Callable[..., LogBench]
SMALL = LogSettings(max_size=4096, backups=3)
ENDLESS = LogSettings(max_size=4096, backups=100_000)


def numbered(first: int, past: int) -> bytes:
    return b"".join(b"line %d\n" % number for number in range(first, past))


async def texts(bench: LogBench, selection: Selection) -> list[tuple[int, bytes]]:
    async with bench.reader.open(selection) as entries:
        return [(item.incarnation, item.text) async for item in entries if isinstance(item, Entry)]


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that another thread brings about."""
    with trio.fail_after(30):
        while not holds():  # noqa: ASYNC110 - what is waited for happens outside of trio
            await trio.sleep(0.002)


async def test_both_streams_are_kept_byte_for_byte(bench: LogBench) -> None:
    data = random.Random(1).randbytes(300_000)
    await bench.write(data)
    await bench.write(b"\0\xff no newline", stream="stderr")

    assert bench.whole() == data
    assert bench.whole(stream="stderr") == b"\0\xff no newline"


async def test_nobody_else_can_read_what_is_written(bench: LogBench) -> None:
    await bench.write(b"secret\n")
    paths = [bench.logs / "web" / "stdout.log", bench.runtime / "web.stdout", *(bench.logs / "web").glob(".*.idx")]

    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (bench.runtime, bench.logs, bench.logs / "web")} == {0o700}


async def test_a_program_is_captured_through_the_descriptor_it_is_given(bench: LogBench) -> None:
    out, error = bench.start(), bench.start(stream="stderr")
    command = [sys.executable, "-c", "import sys; print('out'); print('error', file=sys.stderr)"]
    await trio.run_process(command, stdout=out, stderr=error)
    assert await bench.store.drain("web")

    assert bench.whole() == b"out\n"
    assert bench.whole(stream="stderr") == b"error\n"


async def test_what_is_written_without_a_daemon_is_read_by_the_next(
    make_bench: MakeBench, nursery: trio.Nursery
) -> None:
    first = make_bench()
    await first.serve(nursery)
    await first.write(b"before\n")
    writer = os.open(first.runtime / "web.stdout", os.O_RDWR)
    first.stop()
    await until(lambda: not first.store.health().running)
    first.close()
    os.write(writer, b"between\n")

    second = make_bench()
    await second.serve(nursery)
    await until(lambda: second.whole() == b"before\nbetween\n")
    os.write(writer, b"after\n")
    assert await second.store.drain("web")
    os.close(writer)

    assert second.whole() == b"before\nbetween\nafter\n"
    assert [item[0] for item in await texts(second, Selection(units=("web",)))] == [1, 1, 1]
    second.stop()


async def test_an_orderly_stop_leaves_nothing_in_the_fifos(make_bench: MakeBench, nursery: trio.Nursery) -> None:
    bench = make_bench()
    async with trio.open_nursery() as inner:
        await bench.serve(inner)
        write_all(bench.start(), b"last words")
        bench.stop()

    assert bench.whole() == b"last words"


async def test_what_waits_when_an_incarnation_begins_belongs_to_the_one_before(make_bench: MakeBench) -> None:
    bench = make_bench()
    bench.store._table.prepare()
    first = bench.start(incarnation=1)
    os.write(first, b"of the first\n")
    second = bench.start(incarnation=2)
    os.write(second, b"of the second\n")
    third = bench.start(incarnation=3)
    os.write(third, b"of the third\n")
    assert await bench.store.drain("web")

    assert await texts(bench, Selection(units=("web",))) == [
        (1, b"of the first"),
        (2, b"of the second"),
        (3, b"of the third"),
    ]


async def test_files_are_rotated_at_the_ends_of_lines_and_old_ones_go(bench: LogBench) -> None:
    bench.store.configure("web", SMALL)
    data = numbered(0, 5000)
    for start in range(0, len(data), 777):
        await bench.write(data[start : start + 777])
    files = bench.files()

    assert len(files) == 4
    assert data.endswith(b"".join(files))
    assert all(part.endswith(b"\n") and 4096 <= len(part) < 4096 + 20 for part in files[:-1])
    assert len(list((bench.logs / "web").glob(".stdout.*.idx"))) == 4


async def test_a_line_that_does_not_end_is_rotated_all_the_same(bench: LogBench) -> None:
    bench.store.configure("web", SMALL)
    await bench.write(b"x" * (3 * LONGEST_OVERRUN))
    files = bench.files()

    assert sum(map(len, files)) == 3 * LONGEST_OVERRUN
    assert max(map(len, files)) <= LONGEST_OVERRUN + 4096 + 65536


@pytest.mark.parametrize("compress", [False, True])
async def test_rotation_under_load_loses_nothing(bench: LogBench, compress: bool) -> None:
    settings = LogSettings(max_size=64 * 1024, backups=100_000, compress=compress)
    expected: dict[tuple[str, StreamName], bytes] = {}

    async def agent(unit: str, stream: StreamName) -> None:
        dice = random.Random(f"{unit}{stream}")
        bench.store.configure(unit, settings)
        data = numbered(0, 60_000)
        expected[unit, stream] = data
        await trio.to_thread.run_sync(chatter, bench.start(unit, stream=stream), data, dice)

    async with trio.open_nursery() as nursery:
        for unit in ("a", "b"):
            nursery.start_soon(agent, unit, "stdout")
            nursery.start_soon(agent, unit, "stderr")
    for unit, stream in expected:
        assert await bench.store.drain(unit, stream)

    assert {key: bench.whole(*key) == data for key, data in expected.items()} == dict.fromkeys(expected, True)
    assert len(bench.files("a")) > 5


def chatter(fd: int, data: bytes, dice: random.Random) -> None:
    while data:
        size = dice.choice((1, 100, 5000, 70_000))
        write_all(fd, data[:size])
        data = data[size:]


async def test_compressed_backups_are_read_like_others(bench: LogBench) -> None:
    bench.store.configure("web", LogSettings(max_size=4096, backups=3, compress=True))
    for first in range(0, 2000, 100):
        await bench.write(numbered(first, first + 100))
    folder = bench.logs / "web"
    await until(lambda: all(item.compressed for item in places.backups(folder, "stdout")))
    found = await texts(bench, Selection(units=("web",)))

    assert b"".join(text + b"\n" for _, text in found) == bench.whole()
    assert found[-1] == (1, b"line 1999")
    assert len(bench.files()) == 4


async def test_the_oldest_backups_of_any_unit_go_when_all_logs_together_are_too_much(
    make_bench: MakeBench, nursery: trio.Nursery
) -> None:
    bench = make_bench(StoreSettings(quota=1024 * 1024))
    await bench.serve(nursery)
    for unit in ("old", "new"):
        bench.store.configure(unit, LogSettings(max_size=64 * 1024, backups=1000))
        await bench.write(numbered(0, 60_000), unit)
        await until(lambda: sum(len(bench.whole(name)) for name in ("old", "new")) <= 1024 * 1024)

    assert numbered(0, 60_000).endswith(bench.whole("new"))
    assert len(bench.files("old")) < len(bench.files("new"))
    bench.stop()


async def test_a_file_that_is_deleted_is_begun_again(bench: LogBench) -> None:
    await bench.write(b"one\n")
    (bench.logs / "web" / "stdout.log").unlink()
    await bench.write(b"two\n")

    assert bench.whole() == b"two\n"


async def test_a_file_that_is_renamed_is_left_alone_and_a_new_one_begun(bench: LogBench) -> None:
    await bench.write(b"one\n")
    path = bench.logs / "web" / "stdout.log"
    path.rename(bench.logs / "web" / "taken.log")
    source = bench.store._table.sources["web", "stdout"]
    source.release()
    await bench.write(b"two\n")

    assert (bench.logs / "web" / "taken.log").read_bytes() == b"one\n"
    assert path.read_bytes() == b"two\n"


async def test_a_file_that_is_cut_off_has_no_hole(bench: LogBench) -> None:
    await bench.write(b"one\n")
    os.truncate(bench.logs / "web" / "stdout.log", 0)
    await bench.write(b"two\n")

    assert bench.whole() == b"two\n"
    assert await texts(bench, Selection(units=("web",))) == [(1, b"two")]


async def test_what_somebody_else_appends_is_not_overwritten(bench: LogBench) -> None:
    await bench.write(b"one\n")
    with (bench.logs / "web" / "stdout.log").open("ab") as file:
        file.write(b"a note\n")
    await bench.write(b"two\n")

    assert bench.whole() == b"one\na note\ntwo\n"


async def test_a_whole_folder_that_is_deleted_is_made_again(bench: LogBench) -> None:
    await bench.write(b"one\n")
    for path in (bench.logs / "web").iterdir():
        path.unlink()
    (bench.logs / "web").rmdir()
    await bench.write(b"two\n")

    assert bench.whole() == b"two\n"


async def test_few_log_files_are_open_however_many_units_write(make_bench: MakeBench, nursery: trio.Nursery) -> None:
    bench = make_bench(StoreSettings(open_files=3))
    await bench.serve(nursery)
    for number in range(30):
        write_all(bench.start(f"unit{number}"), b"hello\n")
    await until(lambda: all(bench.whole(f"unit{number}") == b"hello\n" for number in range(30)))
    await until(lambda: open_below(bench.logs) <= 2 * 3)

    for number in range(30):
        assert await bench.store.drain(f"unit{number}")
    assert open_below(bench.logs) <= 2 * 3
    bench.stop()
    await until(lambda: not bench.store.health().running)
    assert open_below(bench.logs) == 0


def open_below(folder: Path) -> int:
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            found += link.readlink().is_relative_to(folder)
        except FileNotFoundError:
            continue
    return found


async def test_nothing_wakes_up_while_nothing_is_written(bench: LogBench) -> None:
    for number in range(20):
        await bench.write(b"hello\n", f"unit{number}")
    await trio.sleep(0.05)

    before = switches_of_other_threads()
    await trio.sleep(0.25)

    assert switches_of_other_threads() - before <= 1


def switches_of_other_threads() -> int:
    total = 0
    for task in Path("/proc/self/task").iterdir():
        if int(task.name) != os.getpid():
            status = (task / "status").read_text()
            total += int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return total


async def test_a_fifo_that_was_cleaned_away_is_made_again_for_the_next_incarnation(bench: LogBench) -> None:
    await bench.write(b"one\n")
    (bench.runtime / "web.stdout").unlink()
    write_all(bench.start(incarnation=2), b"two\n")
    assert await bench.store.drain("web")

    assert bench.whole() == b"one\ntwo\n"
    assert bench.store.health().lost_fifos == 1


async def test_forgetting_a_unit_removes_its_fifos_and_keeps_its_logs(bench: LogBench) -> None:
    fd = bench.start()
    write_all(fd, b"one\n")
    await bench.store.forget("web")

    assert bench.whole() == b"one\n"
    assert list(bench.runtime.iterdir()) == []
    assert bench.store.health().streams == 0


async def test_a_new_unit_that_gets_the_descriptor_of_a_forgotten_one_is_captured(bench: LogBench) -> None:
    bench.start("old")
    fd = bench.store._table.sources["old", "stdout"].fd
    await bench.store.forget("old")
    write_all(bench.start("new"), b"hello\n")
    await until(lambda: bench.whole("new") == b"hello\n")

    assert bench.store._table.sources["new", "stdout"].fd == fd


async def test_erasing_a_unit_removes_its_logs_and_no_file_of_anybody_else(bench: LogBench) -> None:
    await bench.write(b"one\n")
    await bench.write(b"two\n", "db")
    (bench.logs / "db" / "notes.txt").write_text("mine")
    await bench.store.erase("web")
    await bench.store.erase("db")
    await bench.store.erase("never-there")

    assert [path.name for path in bench.logs.iterdir()] == ["db"]
    assert [path.name for path in (bench.logs / "db").iterdir()] == ["notes.txt"]


async def test_addresses_of_an_erased_log_are_not_those_of_the_next(bench: LogBench) -> None:
    await bench.write(b"one\n")
    before = bench.store._table.sources["web", "stdout"].sink.file.epoch
    await bench.store.erase("web")
    bench.start()
    await bench.write(b"two\n")

    assert bench.store._table.sources["web", "stdout"].sink.file.epoch != before


@pytest.mark.parametrize("name", ["", "..", "a/b", "a\0b", "x" * 65])
def test_a_name_that_leads_elsewhere_is_refused(make_bench: MakeBench, name: str) -> None:
    with pytest.raises(ValueError, match="a name is"):
        make_bench().store.open(name, "stdout", 1)


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_sixty_four_megabytes_without_a_newline_are_kept_whole(bench: LogBench) -> None:
    bench.store.configure("web", LogSettings(backups=100))
    program = "import os\nfor n in range(1024): os.write(1, bytes([97 + n % 26]) * 65536)"
    await trio.run_process([sys.executable, "-c", program], stdout=bench.start())
    assert await bench.store.drain("web")

    assert bench.whole() == b"".join(bytes([97 + n % 26]) * 65536 for n in range(1024))
    assert max(map(len, bench.files())) <= 10 * 1024 * 1024 + LONGEST_OVERRUN + 65536


PUMP = """
import pathlib, sys, trio
from supervisor.logs import LogSettings
from supervisor.logs.testing import LogBench

async def main():
    bench = LogBench(pathlib.Path(sys.argv[1]))
    bench.store.configure("web", LogSettings(max_size=65536, backups=100_000))
    async with trio.open_nursery() as nursery:
        await bench.serve(nursery)
        print("up", flush=True)

trio.run(main)
"""
WRITER = """
import os, time
for n in range(40_000):
    os.write(1, b"line %d\\n" % n)
    if n % 1000 == 0:
        time.sleep(0.05)
    if n % 8000 == 7999:
        os.read(0, 1)  # a fifth of it for each of the first kills, however slow the machine is to start a pump
"""


@pytest.mark.timeout(120)
async def test_killing_the_daemon_while_an_agent_writes_neither_loses_nor_doubles_a_byte(
    make_bench: MakeBench, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    seed = random.randrange(2**32)
    record_property("seed", seed)
    print("seed", seed)
    dice = random.Random(seed)
    bench = make_bench()
    bench.store._table.prepare()
    told, tell = os.pipe()
    agent = subprocess.Popen(  # noqa: ASYNC220 - polled
        [sys.executable, "-c", WRITER], stdin=told, stdout=bench.start()
    )
    bench.store.close()
    kills = 0
    while agent.poll() is None:
        pump = subprocess.Popen([sys.executable, "-c", PUMP, str(tmp_path)], stdout=subprocess.PIPE)  # noqa: ASYNC220
        with pump:
            assert pump.stdout is not None
            await trio.to_thread.run_sync(pump.stdout.readline)
            await trio.sleep(dice.random() * 0.1)
            pump.kill()
        kills += 1
        os.write(tell, b".")
    os.close(told)
    os.close(tell)
    last = make_bench()
    last.store._table.prepare()
    assert await last.store.drain("web")

    assert last.whole() == numbered(0, 40_000)
    assert kills > 3
    found = await texts(last, Selection(units=("web",)))
    assert b"".join(text + b"\n" for _, text in found) == numbered(0, 40_000)
