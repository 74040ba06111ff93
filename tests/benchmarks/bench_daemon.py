"""Measure the whole daemon against the least that any supervisor written in Python could do.

The floor is the one of ``bench_process``: a thread with an epoll set of pidfds, and ``subprocess.Popen``. The daemon is
a real one: HTTP, store on disk, logs, a keeper per agent. Both run as processes of their own with the same program to
supervise, which writes its pid into a FIFO as its first act; a restart is measured from outside, from the kill to that
line. Run it as ``python tests/benchmarks/bench_daemon.py [--quick] [--json FILE]``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import bench_process
from bench_process import lines, percentile

from hoody.client import Client

AT_ONCE = 8
SETTLE = 1.5
ROW = "{name:44} floor {floor:9.3f}   daemon {daemon:9.3f}   x {ratio:.2f}"


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
        process.kill()
        process.wait()


def play_floor(count: int, fifo: Path) -> None:
    """Be the floor."""
    bench_process.PROGRAM = tuple(program(fifo))
    bench_process.floor_restart(count, os.open(os.devnull, os.O_WRONLY))


def hoody(*words: str) -> None:
    """Run a command of the daemon."""
    subprocess.run([sys.executable, "-m", "hoody", *words], check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def daemon(count: int, fifo: Path) -> Iterator[int]:
    """Run a daemon with so many agents; yields its pid."""
    with tempfile.TemporaryDirectory(prefix="hoody-bench-") as home:
        os.environ["HOODY_HOME"] = home
        hoody("up")
        try:
            client = Client()

            def create(number: int) -> None:
                client.agents.create(f"agent-{number}", program(fifo))

            with ThreadPoolExecutor(AT_ONCE) as pool:
                list(pool.map(create, range(count)))
            yield client.status()["pid"]
        finally:
            hoody("down")


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


def restarts(alive: list[int], watched: Watched, rounds: int) -> list[float]:
    """Kill agents one after the other; return the seconds until the successor's first act."""
    times = []
    victims = random.sample(range(len(alive)), min(rounds, len(alive)))
    for turn in range(rounds):
        victim = victims[turn % len(victims)]
        begun = time.perf_counter()
        os.kill(alive[victim], signal.SIGKILL)
        alive[victim] = watched.next()
        times.append(time.perf_counter() - begun)
        time.sleep(0.01)
    return times


def resident(pid: int) -> float:
    """Return the resident memory of a process, in MB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / 1e6


def cpu(pid: int) -> float:
    """Return the processor time that a process has used, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_floor(count: int, rounds: int) -> dict[str, float]:
    """Measure the floor with so many agents."""
    with watching() as (fifo, watched):
        begun = time.perf_counter()
        with floor(count, fifo):
            alive = watched.take(count)
            start = time.perf_counter() - begun
            time.sleep(SETTLE)
            found = restarts(alive, watched, rounds)
        for pid in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    return {"start": start, "p50": percentile(found, 0.5), "p90": percentile(found, 0.9)}


def measure_daemon(count: int, rounds: int, idle: float) -> dict[str, float]:
    """Measure the daemon with so many agents."""
    with watching() as (fifo, watched), daemon(count, fifo) as pid:
        alive = watched.take(count)
        time.sleep(SETTLE)
        memory, used, begun = resident(pid), cpu(pid), time.perf_counter()
        time.sleep(idle)
        idling = (cpu(pid) - used) / (time.perf_counter() - begun)
        # A first crash each: the second one in a row is answered by a backoff, which is a wait by design.
        found = restarts(alive, watched, min(rounds, count))
        hoody("down")
        begun = time.perf_counter()
        hoody("up")
        watched.take(count)
        start = time.perf_counter() - begun
    return {
        "start": start,
        "p50": percentile(found, 0.5),
        "p90": percentile(found, 0.9),
        "memory": memory,
        "idle": idling * 100,
    }


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
    up = measure_up()
    for count in (few, many):
        found = {"floor": measure_floor(count, min(rounds, count)), "daemon": measure_daemon(count, rounds, idle)}
        for share in ("p50", "p90"):
            table[f"restart {share}, {count} agents (ms)"] = _row(found, share, 1000)
    found["daemon"]["start"] -= up
    table[f"start {many} agents, beyond an empty up (s)"] = _row(found, "start", 1)
    print(f"an empty daemon is up in {up:.2f} s")
    print(
        f"the daemon with {many} agents: {found['daemon']['memory']:.1f} MB, {found['daemon']['idle']:.2f} % of a core"
    )
    table[f"the daemon with {many} agents"] = {key: round(found["daemon"][key], 3) for key in ("memory", "idle")}
    return table


def _row(found: dict[str, dict[str, float]], key: str, scale: float) -> dict[str, float]:
    least, ours = found["floor"][key], found["daemon"][key]
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
    if options.json:
        options.json.write_text(json.dumps(table, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
