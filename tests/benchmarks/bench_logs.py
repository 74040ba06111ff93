"""How fast output is captured, against the same programs writing to a file; what that costs; how late it is seen.

Run: ``python tests/benchmarks/bench_logs.py [--megabytes N] [--rounds N] [--folder DIR] [--json FILE]``.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from supervisor.logs import LogSettings, Selection
from supervisor.logs.testing import LogBench, write_all

PROGRAMS = {
    "lines": "import sys\nw = sys.stdout.write\nfor n in range({size} // 100): w('%099d\\n' % n)",
    "blocks": "import os\nb = b'x' * 65535 + b'\\n'\nfor _ in range({size} // 65536): os.write(1, b)",
    "unbuffered": "import os\nb = b'x' * 199 + b'\\n'\nfor _ in range({size} // 200): os.write(1, b)",
}
"""A program that prints lines as Python does, one that writes large blocks, and one with a system call per line."""


def program(kind: str, size: int) -> list[str]:
    return [sys.executable, "-S", "-c", PROGRAMS[kind].format(size=size)]


def to_files(folder: Path, kind: str, size: int, count: int) -> float:
    """Run the program ``count`` times at once, each writing to a file; return the seconds."""
    files = [(folder / f"plain{number}").open("wb") for number in range(count)]
    began = time.perf_counter()
    agents = [subprocess.Popen(program(kind, size), stdout=file) for file in files]
    for agent in agents:
        agent.wait()
    taken = time.perf_counter() - began
    for file in files:
        file.close()
        Path(file.name).unlink()
    return taken


async def captured(folder: Path, kind: str, size: int, count: int) -> tuple[float, float]:
    """The same with the output captured; return the seconds, and those of CPU that the capture took."""
    bench = LogBench(folder / "captured")
    async with trio.open_nursery() as nursery:
        await bench.serve(nursery)
        for number in range(count):
            bench.store.configure(f"unit{number}", LogSettings())
        fds = [bench.start(f"unit{number}") for number in range(count)]
        spent = time.process_time()
        began = time.perf_counter()
        agents = [subprocess.Popen(program(kind, size), stdout=fd) for fd in fds]  # noqa: ASYNC220 - starting is brief
        await trio.to_thread.run_sync(lambda: [agent.wait() for agent in agents])
        for number in range(count):
            if not await bench.store.drain(f"unit{number}", timeout=60):
                raise RuntimeError(str(bench.store.health()))
        taken = time.perf_counter() - began
        spent = time.process_time() - spent
        bench.stop()
    for number in range(count):
        await bench.store.erase(f"unit{number}")
    bench.close()
    return taken, spent


def writing(folder: Path, size: int) -> float:
    """Return the seconds of CPU for writing that many bytes to files of 10 MiB, of which six are kept.

    The least that anybody can spend who puts bytes into such files: nearly all of it is the kernel finding memory for
    the new file and copying into it.
    """
    block = b"x" * 1024 * 1024
    began = time.process_time()
    for number in range(size // (10 * len(block))):
        with (folder / f"floor{number}").open("wb", buffering=0) as file:
            for _ in range(10):
                file.write(block)
        (folder / f"floor{number - 6}").unlink(missing_ok=True)
    spent = time.process_time() - began
    for path in folder.glob("floor*"):
        path.unlink()
    return spent


def compare(folder: Path, kind: str, megabytes: int, count: int, rounds: int) -> dict[str, float]:
    """Take turns, so that what else the machine does falls on both alike; report medians."""
    size = megabytes * 1_000_000 // count
    plain, piped, spent, floor = [], [], [], []
    for _ in range(rounds):
        plain.append(to_files(folder, kind, size, count))
        taken, cpu = trio.run(captured, folder, kind, size, count)
        piped.append(taken)
        spent.append(cpu)
        floor.append(writing(folder, size * count))
    return {
        "agents": count,
        "file_MB_per_s": megabytes / statistics.median(plain),
        "captured_MB_per_s": megabytes / statistics.median(piped),
        "ratio": statistics.median(p / c for p, c in zip(plain, piped, strict=True)),
        "best_ratio": min(plain) / min(piped),
        "daemon_cpu_s_per_GB": statistics.median(spent) / megabytes * 1000,
        "floor_cpu_s_per_GB": statistics.median(floor) / megabytes * 1000,
        "cpu_ratio": statistics.median(s / f for s, f in zip(spent, floor, strict=True)),
    }


async def latency(folder: Path, lines: int, gap: float) -> dict[str, float]:
    """Return how long after a line is written a follower has it, in ms."""
    bench = LogBench(folder / "latency")
    taken = []
    async with trio.open_nursery() as nursery:
        await bench.serve(nursery)
        fd = bench.start("web")
        async with bench.reader.open(Selection(units=("web",)), follow=True) as entries:
            for number in range(lines):
                began = time.perf_counter()
                write_all(fd, b"line %d\n" % number)
                await entries.batch()
                taken.append((time.perf_counter() - began) * 1000)
                await trio.sleep(gap)
        bench.stop()
    await bench.store.erase("web")
    bench.close()
    return {"p50_ms": statistics.median(taken), "p99_ms": statistics.quantiles(taken, n=100)[98]}


def floor_latency(lines: int) -> dict[str, float]:
    """Return the same for a bare pipe between two processes, in ms: the least that it could take."""
    to_child, from_child = os.pipe(), os.pipe()
    echo = "import os\nwhile d := os.read(0, 100): os.write(1, d)"
    with subprocess.Popen([sys.executable, "-c", echo], stdin=to_child[0], stdout=from_child[1]) as child:
        taken = []
        for number in range(lines):
            began = time.perf_counter()
            os.write(to_child[1], b"line %d\n" % number)
            os.read(from_child[0], 100)
            taken.append((time.perf_counter() - began) * 1000)
            time.sleep(0.005)
        os.close(to_child[0])
        os.close(to_child[1])
        child.terminate()
    os.close(from_child[0])
    os.close(from_child[1])
    return {"p50_ms": statistics.median(taken), "p99_ms": statistics.quantiles(taken, n=100)[98]}


def memory(folder: Path, units: int) -> float:
    """Return the KiB of memory that an idle unit with two captured streams takes."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    async def measure() -> float:
        bench = LogBench(folder / "memory")
        async with trio.open_nursery() as nursery:
            await bench.serve(nursery)
            bench.start("first")
            before = resident()
            for number in range(units):
                for stream in ("stdout", "stderr"):
                    os.close(bench.store.open(f"unit{number}", "stdout" if stream == "stdout" else "stderr", 1))
            after = resident()
            bench.stop()
        bench.close()
        return (after - before) / units / 1024

    return trio.run(measure)


def main(arguments: list[str] | None = None) -> dict[str, Any]:
    """Measure, print, and return the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megabytes", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--json", type=Path, default=None)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(dir=given.folder) as name:
        folder = Path(name)
        runs: dict[str, Callable[[], Any]] = {
            **{
                f"one agent, {kind}": _run(compare, folder, kind, given.megabytes, 1, given.rounds) for kind in PROGRAMS
            },
            "fifty agents, lines": _run(compare, folder, "lines", given.megabytes, 50, given.rounds),
            "follow latency, quiet agent": lambda: trio.run(latency, folder, 100, 0.05),
            "follow latency, busy agent": lambda: trio.run(latency, folder, 200, 0.0),
            "floor of latency": lambda: floor_latency(100),
            "KiB per idle unit": lambda: memory(folder, 300),
        }
        figures = {}
        for title, run in runs.items():
            figures[title] = run()
            print(f"{title}: {_shown(figures[title])}", flush=True)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=1))
    return figures


def _run(work: Callable[..., Any], *given: object) -> Callable[[], Any]:
    return lambda: work(*given)


def _shown(figure: Any) -> str:
    if isinstance(figure, dict):
        return ", ".join(f"{key} {value:.4g}" for key, value in figure.items())
    return f"{figure:.4g}"


if __name__ == "__main__":
    main()
