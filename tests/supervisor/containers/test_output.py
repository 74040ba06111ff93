"""What containers write is kept: both streams apart, every byte, once, in order, over every break."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import trio

from supervisor.containers.frames import Demultiplexer
from supervisor.logs import LogStore
from supervisor.units.driver import Identity
from tests.engine import Engine as RealEngine
from tests.supervisor.containers.world import Context, Daemon, Ends, Files, launch, shell

BLOCKS_OF_THE_DOOMED = 300
GO_ON = signal.SIGUSR1
BLOCKS = "i=0; while [ $i -lt {blocks} ]; do seq $((i*100+1)) $((i*100+100)); i=$((i+1)); sleep 0.01; done"


def numbered(blocks: int) -> str:
    """A program that writes that many blocks of a hundred numbered lines, and takes its time."""
    return BLOCKS.format(blocks=blocks)


def waiting_in_the_middle(blocks: int) -> str:
    """The same, but after half of the blocks it waits to be told to go on, however slow those are who read it."""
    return (
        "trap 'go=1' USR1; "
        + BLOCKS.format(blocks=blocks // 2)
        + '; while [ -z "$go" ]; do sleep 0.05; done; '
        + BLOCKS.format(blocks=blocks).removeprefix("i=0; ")
    )


def expected(blocks: int) -> bytes:
    return b"".join(b"%d\n" % number for number in range(1, blocks * 100 + 1))


async def until(daemon: Daemon, size: int, unit: str = "web") -> None:
    """Wait until so many bytes of standard output are kept."""
    with trio.fail_after(30):
        while True:
            if len(daemon.files.read(unit)) >= size:
                return
            await trio.sleep(0.02)


async def run_through(daemon: Daemon, script: str, incarnation: int = 1) -> None:
    ends = Ends()
    run = await daemon.driver.spawn(launch(shell(script), incarnation=incarnation), ends)
    await ends.count(1, within=40)
    with trio.fail_after(40):
        await run.output.done.wait()


async def test_both_streams_are_kept_apart_and_byte_for_byte(daemon: Daemon) -> None:
    await run_through(daemon, r"printf 'a\377\000\376b\n'; echo problem >&2; printf 'no end'")

    assert daemon.files.read("web", "stdout") == b"a\xff\x00\xfeb\nno end"
    assert daemon.files.read("web", "stderr") == b"problem\n"


async def test_a_line_longer_than_the_engine_s_own_pieces_stays_one_line(daemon: Daemon) -> None:
    await run_through(daemon, "head -c 100000 /dev/zero | tr '\\0' x; echo; echo end")

    assert daemon.files.read("web") == b"x" * 100_000 + b"\nend\n"


async def test_a_flood_is_kept_whole(daemon: Daemon) -> None:
    await run_through(daemon, "seq 1 30000")

    assert daemon.files.read("web") == expected(300)


async def test_a_container_that_is_used_again_does_not_repeat_its_earlier_output(daemon: Daemon) -> None:
    for number in range(1, 4):
        await run_through(daemon, "echo hello from $HOODY_UNIT", number)

    assert daemon.files.read("web") == b"hello from web\n" * 3


async def test_an_engine_that_is_killed_and_comes_back_doubles_nothing_and_loses_nothing_that_it_has(
    daemon: Daemon,
) -> None:
    ends = Ends()
    run = await daemon.driver.spawn(launch(shell(numbered(100))), ends)
    await until(daemon, 3000)

    daemon.real.kill()
    await trio.sleep(0.3)
    daemon.real.start()
    await ends.count(1, within=40)
    with trio.fail_after(40):
        await run.output.done.wait()

    status, engines = daemon.real.call("GET", f"/containers/{run.id}/logs?stdout=1")
    assert status == 200
    assert daemon.files.read("web") == b"".join(body for _, body in Demultiplexer().feed(engines))


async def test_a_daemon_that_is_killed_in_mid_stream_loses_and_doubles_nothing(
    docker_engine: RealEngine, folder: Path
) -> None:
    identity = await trio.to_thread.run_sync(be_killed, docker_engine, folder, "new")
    for _ in range(2):
        await trio.to_thread.run_sync(be_killed, docker_engine, folder, *attrs.astuple(identity))
    async with Daemon(docker_engine, folder).running() as daemon:
        ends = Ends()
        run = await daemon.driver.adopt(identity, launch(shell(waiting_in_the_middle(BLOCKS_OF_THE_DOOMED))), ends)
        assert run is not None
        before = len(daemon.files.read("web"))
        run.signal(GO_ON, whole_group=False)
        await ends.count(1, within=40)
        with trio.fail_after(40):
            await run.output.done.wait()

        assert 0 < before < len(expected(BLOCKS_OF_THE_DOOMED))
        assert daemon.files.read("web") == expected(BLOCKS_OF_THE_DOOMED)


DOOMED = """
import sys, trio
from pathlib import Path
from typing import Any
from supervisor.logs import LogStore
from supervisor.units.driver import Identity
from tests.engine import Engine
from tests.supervisor.containers.world import Context, Daemon, Ends, Files, launch, shell

async def main(root, folder, script, *known):
    async with Daemon(Engine(root=Path(root)), Path(folder)).running() as daemon:
        of = launch(shell(script))
        if known == ("new",):
            run = await daemon.driver.spawn(of, Ends())
        else:
            pid, start_time, boot_id, container_id = known
            identity = Identity(pid=int(pid), start_time=int(start_time), boot_id=boot_id, container_id=container_id)
            run = await daemon.driver.adopt(identity, of, Ends())
        print(run.identity.pid, run.identity.start_time, run.identity.boot_id, run.id, flush=True)
        await trio.sleep(60)

trio.run(main, *sys.argv[1:])
"""


def be_killed(real: RealEngine, folder: Path, *known: object) -> Identity:
    """Be a daemon for a moment, in a process of its own, which is then killed."""
    arguments = [
        sys.executable,
        "-c",
        DOOMED,
        str(real.root),
        str(folder),
        waiting_in_the_middle(BLOCKS_OF_THE_DOOMED),
        *map(str, known),
    ]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid, start_time, engine, container = process.stdout.readline().split()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.2)
        process.send_signal(signal.SIGKILL)
    return Identity(pid=int(pid), start_time=int(start_time), boot_id=engine, container_id=container)


async def test_the_log_store_keeps_it_with_incarnations_and_over_its_own_restart(
    docker_engine: RealEngine, folder: Path
) -> None:
    """The real log store in the place of plain files: two daemons, one after the other."""
    for number in (1, 2):
        store = LogStore(folder / "logs", folder / "fifos")
        daemon = Daemon(docker_engine, folder)
        daemon.driver.readers.keeper = store
        async with trio.open_nursery() as nursery:
            nursery.start_soon(store.serve, Context())
            async with daemon.running():
                ends = Ends()
                run = await daemon.driver.spawn(launch(shell("echo out; echo err >&2"), incarnation=number), ends)
                await ends.count(1)
                with trio.fail_after(30):
                    await run.output.done.wait()
            assert store.incarnation("web") == number
            assert await store.drain("web")
            nursery.cancel_scope.cancel()
        store.close()

    kept = {path.name: path.read_bytes() for path in (folder / "logs" / "web").glob("*.log")}
    assert kept == {"stdout.log": b"out\n" * 2, "stderr.log": b"err\n" * 2}


async def test_output_that_cannot_be_kept_for_a_while_is_kept_later(daemon: Daemon, monkeypatch: Any) -> None:
    """A full disk, for the daemon's own files: nothing is lost, and nothing else notices."""
    monkeypatch.setattr("supervisor.containers.output._LONGEST_RETRY", 0.05)
    opened = daemon.files.open
    failures = [OSError(28, "No space left on device")] * 3

    def full(unit: str, stream: str, incarnation: int) -> int:
        if failures:
            raise failures.pop()
        return opened(unit, stream, incarnation)

    monkeypatch.setattr(Files, "open", lambda _self, *arguments: full(*arguments))
    await run_through(daemon, "echo hello")

    assert failures == []
    assert daemon.files.read("web") == b"hello\n"
