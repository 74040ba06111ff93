"""Measure the process driver against the least that any supervisor written in Python could do.

The floor is one thread with an epoll set of pidfds and ``subprocess.Popen``. Floor and driver run as processes of their
own, with the same program to supervise; a restart is measured from outside, from the kill to the first line that the
next incarnation writes. Run it as ``python tests/benchmarks/bench_process.py [--quick] [--realtime]
[--json FILE]``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import select
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

PROGRAM = ("/bin/sh", "-c", "echo $$; exec sleep 86401")


# ---- the floor ----


class Floor:
    """Popen and an epoll set of pidfds, nothing else."""

    def __init__(self, output: int) -> None:
        self.output = output
        self.epoll = select.epoll()
        self.children: dict[int, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        process = subprocess.Popen(PROGRAM, stdin=subprocess.DEVNULL, stdout=self.output, start_new_session=True)
        pidfd = os.pidfd_open(process.pid)
        self.children[pidfd] = process
        self.epoll.register(pidfd, select.EPOLLIN)

    def ends(self) -> int:
        """Wait for ends and reap them."""
        ready = self.epoll.poll()
        for pidfd, _ in ready:
            self.children.pop(pidfd).wait()
            self.epoll.unregister(pidfd)
            os.close(pidfd)
        return len(ready)


def floor_start(count: int, output: int) -> dict[str, float]:
    floor = Floor(output)
    before, begun = resident(), time.perf_counter()
    for _ in range(count):
        floor.start()
    took = time.perf_counter() - begun
    memory = (resident() - before) / count
    sys.stdin.readline()
    begun = time.perf_counter()
    for process in floor.children.values():
        os.killpg(process.pid, signal.SIGTERM)
    while floor.children:
        floor.ends()
    return {"start": took, "memory": memory, "stop": time.perf_counter() - begun}


def floor_restart(count: int, output: int) -> None:
    floor = Floor(output)
    for _ in range(count):
        floor.start()
    while True:
        for _ in range(floor.ends()):
            floor.start()


# ---- the driver ----


async def driver_start(count: int, output: int) -> dict[str, float]:
    import trio

    async with running_driver(output) as (driver, launch):
        incarnations: list[Any] = []
        ended = 0
        all_ended = trio.Event()

        def on_exit(_: object) -> None:
            nonlocal ended
            ended += 1
            if ended == count:
                all_ended.set()

        async def start(number: int) -> None:
            incarnations.append(await driver.spawn(launch(number, 1), on_exit))

        before, begun = resident(), time.perf_counter()
        async with trio.open_nursery() as nursery:
            for number in range(count):
                nursery.start_soon(start, number)
        took = time.perf_counter() - begun
        memory = (resident() - before) / count

        await trio.to_thread.run_sync(sys.stdin.readline)
        begun = time.perf_counter()
        for incarnation in incarnations:
            incarnation.signal(signal.SIGTERM)
        await all_ended.wait()
        left: list[int] = []

        async def clear(incarnation: Any) -> None:
            left.extend(await incarnation.clear(deadline=trio.current_time() + 10))

        async with trio.open_nursery() as nursery:
            for incarnation in incarnations:
                nursery.start_soon(clear, incarnation)
        assert not left
        return {"start": took, "memory": memory, "stop": time.perf_counter() - begun}


async def driver_restart(count: int, output: int) -> None:
    import trio

    async with running_driver(output) as (driver, launch), trio.open_nursery() as nursery:

        async def start(number: int, incarnation: int) -> None:
            await driver.spawn(
                launch(number, incarnation), lambda _: nursery.start_soon(start, number, incarnation + 1)
            )

        for number in range(count):
            nursery.start_soon(start, number, 1)
        await trio.sleep_forever()


@contextlib.asynccontextmanager
async def running_driver(output: int) -> Any:
    import trio

    from supervisor.agents.host import prepare_host
    from supervisor.agents.process import ProcessDriver
    from supervisor.units.driver import Launch
    from supervisor.units.spec import AgentSpec

    class Pipe:
        def open(self, _unit: str, _stream: str, _incarnation: int) -> int:
            return os.dup(output)

    driver = ProcessDriver(instance="benchmark", output=Pipe(), host=prepare_host())
    spec = AgentSpec(command=PROGRAM)

    def launch(number: int, incarnation: int) -> Launch[AgentSpec]:
        return Launch(unit=f"agent-{number}", incarnation=incarnation, spec=spec)

    async with trio.open_nursery() as nursery:
        await nursery.start(driver.run)
        yield driver, launch
        nursery.cancel_scope.cancel()


# ---- measuring from outside ----


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def play(role: str, count: int, output: int) -> None:
    """Be the supervisor of one measurement, in a process of its own."""
    import trio

    match role:
        case "floor-start":
            print(json.dumps(floor_start(count, output)))
        case "driver-start":
            print(json.dumps(trio.run(driver_start, count, output)))
        case "floor-restart":
            floor_restart(count, output)
        case "driver-restart":
            trio.run(driver_restart, count, output)


@contextlib.contextmanager
def supervised(role: str, count: int) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a supervisor; yields it and the pipe that its agents write their pids to. Leaves nothing behind."""
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [sys.executable, __file__, "--role", role, "--count", str(count), "--output", str(writing)],
        pass_fds=[writing],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    os.close(writing)
    try:
        yield process, reading
    finally:
        process.kill()
        process.communicate()
        os.close(reading)


class Victims:
    """The agents of one supervisor, to be killed one after the other."""

    def __init__(self, reading: int, count: int) -> None:
        self.pids = lines(reading)
        self.alive = [next(self.pids) for _ in range(count)]

    def restart(self) -> float:
        """Kill an agent; return the seconds until its successor has written its first line."""
        victim = random.randrange(len(self.alive))
        begun = time.perf_counter()
        os.kill(self.alive[victim], signal.SIGKILL)
        self.alive[victim] = next(self.pids)
        return time.perf_counter() - begun

    def end(self) -> None:
        for pid in self.alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def measure_restarts(count: int, rounds: int) -> dict[str, list[float]]:
    """Measure floor and driver by turns, so that a change in the machine's mood meets both."""
    times: dict[str, list[float]] = {"floor": [], "driver": []}
    with contextlib.ExitStack() as running:
        victims = {}
        for who in times:
            _, reading = running.enter_context(supervised(f"{who}-restart", count))
            victims[who] = Victims(reading, count)
        time.sleep(0.5)
        for _ in range(rounds):
            for who, values in times.items():
                values.append(victims[who].restart())
                time.sleep(0.005)
    for found in victims.values():
        found.end()
    return times


def lines(reading: int) -> Iterator[int]:
    rest = b""
    while part := os.read(reading, 65536):
        *whole, rest = (rest + part).split(b"\n")
        yield from map(int, whole)


def measure_start(role: str, count: int) -> dict[str, float]:
    with supervised(role, count) as (process, reading):
        pids = lines(reading)
        for _ in range(count):
            next(pids)
        time.sleep(0.5)  # all agents are up and idle before they are told to stop
        answer, _ = process.communicate("stop\n")
        found: dict[str, float] = json.loads(answer)
    return found


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def best(measure: Callable[[], dict[str, float]], times: int) -> dict[str, float]:
    runs = [measure() for _ in range(times)]
    return {name: statistics.median(run[name] for run in runs) for name in runs[0]}


def compare(rounds: int, many: int, stopped: int, repeats: int) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for count in (1, many):
        found = measure_restarts(count, rounds * repeats)
        for share in (0.5, 0.99):
            pair = {who: percentile(values, share) for who, values in found.items()}
            table[f"restart p{share * 100:.0f}, {count} processes (ms)"] = row(pair, 1000)
    runs = {who: best(lambda who=who: measure_start(f"{who}-start", many), repeats) for who in ("floor", "driver")}
    table[f"start {many} (s)"] = row({who: run["start"] for who, run in runs.items()})
    table[f"memory per process, {many} (KiB)"] = row({who: run["memory"] for who, run in runs.items()}, 1 / 1024)
    runs = {who: best(lambda who=who: measure_start(f"{who}-start", stopped), repeats) for who in ("floor", "driver")}
    table[f"stop {stopped} (s)"] = row({who: run["stop"] for who, run in runs.items()})
    return table


def row(pair: dict[str, float], scale: float = 1.0) -> dict[str, float]:
    return {
        "floor": round(pair["floor"] * scale, 3),
        "driver": round(pair["driver"] * scale, 3),
        "ratio": round(pair["driver"] / pair["floor"], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer processes and rounds")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--role", help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=int, default=1, help=argparse.SUPPRESS)
    parser.add_argument("--realtime", action="store_true", help="go before all other work of a busy machine (as root)")
    options = parser.parse_args()
    if options.realtime:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))  # everything that is started from here inherits it
    if options.role:
        play(options.role, options.count, options.output)
        return
    table = compare(30, 100, 50, 1) if options.quick else compare(100, 1000, 500, 3)
    for name, figures in table.items():
        print(f"{name:42} floor {figures['floor']:9.3f}   driver {figures['driver']:9.3f}   x {figures['ratio']:.2f}")
    if options.json:
        options.json.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
