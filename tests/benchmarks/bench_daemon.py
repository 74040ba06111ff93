"""Measure the whole daemon against the least that any supervisor written in Python could do.

The floor is the one of ``bench_process``: a thread with an epoll set of pidfds, and ``subprocess.Popen``. The daemon is
a real one: HTTP, store on disk, logs, a keeper per agent. Both run as processes of their own, at the same time and with
the same program to supervise, which writes its pid into a FIFO as its first act; what is measured is measured from
outside, and in turns, so that a machine that is busy with other things is as busy for the one as for the other. Run it
as ``python tests/benchmarks/bench_daemon.py [--quick] [--json FILE]``.
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
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import bench_process
from bench_process import lines, percentile

from hoody.client import Client

AT_ONCE = 8
SETTLE = 1.5
ROW = "{name:44} floor {floor:9.3f}   daemon {daemon:9.3f}   x {ratio:.2f}"
LIBRARIES = "import attrs, cattrs, hypercorn.trio, quart_trio, sqlite3, trio"
"""What the daemon is made of beside its own code."""


def program(fifo: Path) -> list[str]:
    """Return the program that is supervised."""
    return ["/bin/sh", "-c", f"echo $$ > {fifo}; exec sleep 86402"]


# ---- the two supervisors ----


@contextlib.contextmanager
def floor(count: int, fifo: Path) -> Iterator[int]:
    """Run the floor with so many agents; yields its pid."""
    command = [sys.executable, __file__, "--floor", str(count), "--fifo", str(fifo)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        yield process.pid
    finally:
        process.terminate()
        process.wait(60)


def play_floor(count: int, fifo: Path) -> None:
    """Be the floor, until SIGTERM ends it and everything that it runs."""
    bench_process.PROGRAM = tuple(program(fifo))
    floor = bench_process.Floor(os.open(os.devnull, os.O_WRONLY))

    def end(*_: object) -> None:
        for process in floor.children.values():
            os.killpg(process.pid, signal.SIGTERM)
        while floor.children:
            floor.ends()
        sys.exit()

    signal.signal(signal.SIGTERM, end)
    for _ in range(count):
        floor.start()
    while True:
        for _ in range(floor.ends()):
            floor.start()


def hoody(*words: str) -> None:
    """Run a command of the daemon."""
    subprocess.run([sys.executable, "-m", "hoody", *words], check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def daemon() -> Iterator[Client]:
    """Run a daemon; yields its client."""
    with tempfile.TemporaryDirectory(prefix="hoody-bench-") as home:
        os.environ["HOODY_HOME"] = home
        hoody("up")
        try:
            yield Client()
        finally:
            hoody("down")


def create(client: Client, count: int, fifo: Path) -> None:
    """Give the daemon so many agents."""

    def one(number: int) -> None:
        client.agents.create(f"agent-{number}", program(fifo))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, range(count)))


# ---- what is measured ----


class Watched:
    """The FIFO that the agents write to, seen from outside."""

    def __init__(self, fifo: Path) -> None:
        # For reading and writing: the FIFO then has a reader whatever the agents do, and never an end.
        self._reading = os.open(fifo, os.O_RDWR)
        self._pids = lines(self._reading)

    def next(self) -> int:
        """Wait for the next pid."""
        return next(self._pids)

    def take(self, count: int) -> list[int]:
        """Wait for so many."""
        return [next(self._pids) for _ in range(count)]

    def close(self) -> None:
        """Let go of it."""
        os.close(self._reading)


@contextlib.contextmanager
def watching() -> Iterator[tuple[Path, Watched]]:
    """Make a FIFO."""
    with tempfile.TemporaryDirectory(prefix="hoody-bench-") as folder:
        fifo = Path(folder) / "pids"
        os.mkfifo(fifo)
        watched = Watched(fifo)
        try:
            yield fifo, watched
        finally:
            watched.close()


def restarts(alive: Sequence[list[int]], watched: Sequence[Watched], rounds: int) -> list[list[float]]:
    """Kill agents one after the other, in turns; return the seconds until the successor's first act, for each side."""
    times: list[list[float]] = [[] for _ in alive]
    # A first crash each: the second one in a row is answered by a backoff, which is a wait by design.
    for victim in random.sample(range(len(alive[0])), min(rounds, len(alive[0]))):
        for side, pids in enumerate(alive):
            begun = time.perf_counter()
            os.kill(pids[victim], signal.SIGKILL)
            pids[victim] = watched[side].next()
            times[side].append(time.perf_counter() - begun)
            time.sleep(0.012)
    return times


def stop(supervisor: int, agents: Sequence[int]) -> tuple[float, float]:
    """Ask a supervisor to end; return the seconds until no agent is left, and until it has ended itself."""
    with select.epoll() as ends:
        watching = [os.pidfd_open(pid) for pid in (supervisor, *agents)]
        for pidfd in watching:
            ends.register(pidfd, select.EPOLLIN | select.EPOLLONESHOT)
        begun = time.perf_counter()
        os.kill(supervisor, signal.SIGTERM)
        left, gone = set(watching), 0.0
        while left:
            left -= {pidfd for pidfd, _ in ends.poll()}
            if not gone and left <= {watching[0]}:
                gone = time.perf_counter() - begun
        ended = time.perf_counter() - begun
        for pidfd in watching:
            os.close(pidfd)
    return gone, ended


def resident(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def cpu(pid: int) -> float:
    """Return the processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def libraries() -> float:
    """Return the resident memory (MB) of an interpreter that has imported the daemon's libraries and does nothing."""
    code = f"{LIBRARIES}; print(open('/proc/self/statm').read().split()[1])"
    pages = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return int(pages) * resource.getpagesize() / 1e6


def measure_start(count: int, empty: float, watched: Watched, fifo: Path) -> tuple[float, float]:
    """Start the same agents by the floor, and by the daemon of the present home; return the seconds of both."""
    begun = time.perf_counter()
    with floor(count, fifo):
        watched.take(count)
        least = time.perf_counter() - begun
    begun = time.perf_counter()
    hoody("up")
    watched.take(count)
    return least, time.perf_counter() - begun - empty


def measure(count: int, rounds: int, idle: float, empty: float) -> dict[str, Any]:
    """Measure the floor and the daemon with so many agents each; pairs are (floor, daemon)."""
    with watching() as (fifo_f, watched_f), watching() as (fifo_d, watched_d), daemon() as client:
        found: dict[str, Any] = {"empty": resident(pid := client.status()["pid"])}
        create(client, count, fifo_d)
        alive_d = watched_d.take(count)
        with floor(count, fifo_f) as pid_f:
            alive_f = watched_f.take(count)
            time.sleep(SETTLE)
            found["memory"], used, begun = resident(pid), cpu(pid), time.perf_counter()
            time.sleep(idle)
            found["idle"] = (cpu(pid) - used) / (time.perf_counter() - begun) * 100
            times = restarts((alive_f, alive_d), (watched_f, watched_d), rounds)
            for share in (0.1, 0.5, 0.9):
                found[f"p{share * 100:.0f}"] = tuple(percentile(side, share) for side in times)
            time.sleep(SETTLE)
            (gone_f, ended_f), (gone_d, ended_d) = stop(pid_f, alive_f), stop(pid, alive_d)
            found["gone"], found["ended"] = (gone_f, gone_d), (ended_f, ended_d)
        turns = [measure_start(count, empty, watched_d, fifo_d)]
        hoody("down")
        turns.append(measure_start(count, empty, watched_d, fifo_d))
        found["start"] = tuple(min(side) for side in zip(*turns, strict=True))
    return found


def measure_up(times: int = 3) -> float:
    """Return the seconds that an empty daemon takes to come up: the least of a few."""
    took = []
    with tempfile.TemporaryDirectory(prefix="hoody-bench-") as home:
        os.environ["HOODY_HOME"] = home
        for _ in range(times):
            begun = time.perf_counter()
            hoody("up")
            took.append(time.perf_counter() - begun)
            hoody("down")
    return min(took)


def compare(few: int, many: int, rounds: int, idle: float) -> dict[str, dict[str, float]]:
    """Measure everything."""
    table: dict[str, dict[str, float]] = {}
    empty = measure_up()
    for count in (few, many):
        found = measure(count, rounds, idle, empty)
        for share in ("p10", "p50", "p90"):
            table[f"restart {share}, {count} agents (ms)"] = _row(*found[share], 1000)
    table[f"start {many} agents, beyond an empty up (s)"] = _row(*found["start"], 1)
    table[f"stop {many} agents: none is left (s)"] = _row(*found["gone"], 1)
    table[f"stop {many} agents: written down, ended (s)"] = _row(*found["ended"], 1)
    table[f"the daemon with {many} agents"] = {
        "up": round(empty, 3),
        "memory of its libraries (MB)": round(libraries(), 1),
        "memory when empty (MB)": round(found["empty"], 1),
        "memory (MB)": round(found["memory"], 1),
        "memory per agent (KiB)": round((found["memory"] - found["empty"]) * 1e6 / 1024 / many, 1),
        "idle (% of a core)": round(found["idle"], 3),
    }
    return table


def _row(least: float, ours: float, scale: float) -> dict[str, float]:
    return {"floor": round(least * scale, 3), "daemon": round(ours * scale, 3), "ratio": round(ours / least, 2)}


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer agents and rounds")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--floor", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--fifo", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.floor:
        play_floor(options.floor, options.fifo)
        return
    table = compare(10, 100, 50, 2.0) if options.quick else compare(20, 1000, 200, 10.0)
    for name, figures in table.items():
        if "ratio" in figures:
            print(ROW.format(name=name, **figures))
        else:
            print(name, *(f"{key} {value}" for key, value in figures.items()), sep=", ")
    if options.json:
        options.json.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
