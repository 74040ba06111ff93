"""Measure the container driver against the engine itself: its own restart policy, and a bare start over its API.

Needs root, docker.io and busybox-static; an engine of its own is started for it. A restart is measured from the kill of
the container's process to the first line that the next run writes into a FIFO of this machine. Run it as
``python tests/benchmarks/bench_containers.py [--quick] [--json FILE]``.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import trio

from supervisor.containers import ContainerSpec, PullPolicy, make_host
from supervisor.containers.addresses import EngineAddress
from supervisor.containers.output import Discard
from supervisor.units.driver import ExitStatus, Launch
from tests.engine import IMAGE, Engine, missing

Figures = dict[str, float]
PROGRAM = ("sh", "-c", "echo up > /beat/fifo; exec sleep 86401")


class Beat:
    """A FIFO into which each run writes a line when it begins."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        os.mkfifo(folder / "fifo", 0o666)
        self._fd = os.open(folder / "fifo", os.O_RDWR | os.O_NONBLOCK)

    def wait(self) -> float:
        """Wait for the next line, and return when it came."""
        ready, _, _ = select.select([self._fd], [], [], 30)
        if not ready:
            raise TimeoutError("the program has not come up")
        came = time.perf_counter()
        os.read(self._fd, 4096)
        return came

    def close(self) -> None:
        os.close(self._fd)


class Context:
    """What the service needs of the tree."""

    def __init__(self) -> None:
        self.stopping = trio.Event()

    def started(self) -> None:
        """Nobody waits for it."""


def pid_of(engine: Engine, name: str) -> int:
    while True:
        pid = engine.json("GET", f"/containers/{name}/json")["State"]["Pid"]  # type: ignore[index]
        if pid:
            return int(pid)
        time.sleep(0.005)


def make(engine: Engine, beat: Beat, name: str, policy: str) -> None:
    engine.json(
        "POST",
        f"/containers/create?name={name}",
        {
            "Image": IMAGE,
            "Cmd": list(PROGRAM),
            "HostConfig": {
                "NetworkMode": "none",
                "Init": True,
                "Binds": [f"{beat.folder}:/beat"],
                "RestartPolicy": {"Name": policy},
            },
        },
    )
    engine.call("POST", f"/containers/{name}/start")
    beat.wait()


def by_the_engine(engine: Engine, beat: Beat, rounds: int) -> tuple[list[float], list[float]]:
    """Return the first and the second restart of each container by the engine's own policy."""
    first, second = [], []
    for number in range(rounds):
        name = f"policy{number}"
        make(engine, beat, name, "always")
        for times in (first, second):
            pid, before = pid_of(engine, name), time.perf_counter()
            os.kill(pid, signal.SIGKILL)
            times.append(beat.wait() - before)
        engine.call("DELETE", f"/containers/{name}?force=1")
    return first, second


def by_a_bare_start(engine: Engine, beat: Beat, rounds: int) -> list[float]:
    """Return the least that anybody could take: wait for the end over the API, and start it again."""
    make(engine, beat, "bare", "no")
    found = []
    for _ in range(rounds):
        pid, before = pid_of(engine, "bare"), time.perf_counter()
        os.kill(pid, signal.SIGKILL)
        engine.call("POST", "/containers/bare/wait")
        engine.call("POST", "/containers/bare/start")
        found.append(beat.wait() - before)
    engine.call("DELETE", "/containers/bare?force=1")
    return found


async def with_host(engine: Engine, folder: Path, work: Callable[[Any], Awaitable[Any]]) -> Any:
    host = make_host(
        instance="bench",
        keeper=Discard(),
        bookmarks=folder / "bookmarks",
        home=folder,
        find=lambda: EngineAddress(url=engine.address, source="the benchmark"),
    )
    async with trio.open_nursery() as nursery:
        nursery.start_soon(host.watch.serve, Context())
        result = await work(host)
        nursery.cancel_scope.cancel()
    host.close()
    return result


async def by_us(engine: Engine, beat: Beat, rounds: int, folder: Path) -> list[float]:
    """Return how long it takes with the driver: the end arrives as an event, and the same container is started."""
    spec = ContainerSpec(
        image=IMAGE,
        command=PROGRAM,
        network="none",
        pull_policy=PullPolicy.NEVER,
        volumes=(f"{beat.folder}:/beat",),
    )

    async def measure(host: Any) -> list[float]:
        ended = trio.Event()

        def on_exit(_status: ExitStatus) -> None:
            ended.set()

        run = await host.driver.spawn(Launch(unit="ours", incarnation=1, spec=spec), on_exit)
        beat.wait()
        await trio.sleep(0.5)
        found = []
        for number in range(rounds):
            ended, before = trio.Event(), time.perf_counter()
            os.kill(run.identity.pid, signal.SIGKILL)
            await ended.wait()
            run = await host.driver.spawn(Launch(unit="ours", incarnation=number + 2, spec=spec), on_exit)
            found.append(await trio.to_thread.run_sync(beat.wait) - before)
        await host.driver.forget("ours")
        return found

    found: list[float] = await with_host(engine, folder, measure)
    return found


async def idle_and_list(engine: Engine, count: int, seconds: float, folder: Path) -> Figures:
    """Return what ``count`` idle containers cost, and how long it takes to list them."""
    spec = ContainerSpec(image=IMAGE, command=("sleep", "86401"), network="none", init=False)

    async def measure(host: Any) -> Figures:
        async def start(number: int) -> None:
            await host.driver.spawn(Launch(unit=f"idle{number}", incarnation=1, spec=spec), lambda _status: None)

        before = time.perf_counter()
        async with trio.open_nursery() as nursery:
            for number in range(count):
                nursery.start_soon(start, number)
        started = time.perf_counter() - before
        await trio.sleep(2)
        listings = []
        for _ in range(5):
            before = time.perf_counter()
            listed = await host.engine.call(lambda client: client.list(labels=("dev.hoody.instance=bench",)))
            listings.append(time.perf_counter() - before)
        busy = time.process_time()
        await trio.sleep(seconds)
        return {
            "containers": len(listed),
            "start_seconds": started,
            "list_ms": statistics.median(listings) * 1000,
            "idle_cpu_percent": (time.process_time() - busy) / seconds * 100,
        }

    figures: Figures = await with_host(engine, folder, measure)
    return figures


def measure(*, quick: bool) -> dict[str, Any]:
    rounds, count, seconds = (5, 10, 5.0) if quick else (20, 100, 60.0)
    engine = Engine()
    with tempfile.TemporaryDirectory(prefix="hdb-") as name:
        folder = Path(name)
        (folder / "beat").mkdir()
        beat = Beat(folder / "beat")
        try:
            engine.start()
            engine.import_image()
            bare = by_a_bare_start(engine, beat, rounds)
            ours = trio.run(by_us, engine, beat, rounds, folder)
            first, second = by_the_engine(engine, beat, max(3, rounds // 3))
            idle = trio.run(idle_and_list, engine, count, seconds, folder)
        finally:
            beat.close()
            engine.close()
    median = statistics.median
    return {
        "restart_ms": {
            "bare_start": median(bare) * 1000,
            "ours": median(ours) * 1000,
            "engine_first": median(first) * 1000,
            "engine_second": median(second) * 1000,
        },
        "ratio_to_bare_start": median(ours) / median(bare),
        "ratio_to_engine_first": median(ours) / median(first),
        "ratio_to_engine_second": median(ours) / median(second),
        "idle": idle,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    arguments = parser.parse_args()
    lacking = missing()
    if lacking is not None:
        sys.exit(f"cannot measure containers: {lacking}")
    figures = measure(quick=arguments.quick)
    print(json.dumps(figures, indent=2))
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
