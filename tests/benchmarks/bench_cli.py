"""Measure how long a user waits for a command, against the least that any Python program can take: ``python -c pass``.

Floor and commands take turns in random order, so that what else the machine does falls on all of them alike. Compiled
bytecode is kept in a folder of its own and warm, as it is after an installation. ``HOODY_BENCH_SUPERVISOR`` may name a
virtual environment with supervisor in it; ``supervisorctl status`` is then measured in the same run. Run it as
``python tests/benchmarks/bench_cli.py [--runs N] [--json FILE]``; it fails when a goal is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FLOOR = "python -c pass"
STATUS = "hoody status"
SUPERVISORCTL = "supervisorctl status"
GOALS = {STATUS: 6.0}
"""The most that a command may take, in times of the floor."""


def commands(supervisor_configuration: str | None) -> dict[str, list[str]]:
    hoody = [sys.executable, "-m", "hoody"]
    found = {
        FLOOR: [sys.executable, "-c", "pass"],
        STATUS: [*hoody, "status"],
        "hoody ps": [*hoody, "ps"],
        "hoody inspect": [*hoody, "inspect", "sleeper"],
        "hoody --help": [*hoody, "--help"],
        "hoody --version": [*hoody, "--version"],
    }
    if supervisor_configuration is not None:
        control = str(Path(os.environ["HOODY_BENCH_SUPERVISOR"]) / "bin" / "supervisorctl")
        found[SUPERVISORCTL] = [control, "-c", supervisor_configuration, "status"]
    return found


def measure(wanted: dict[str, list[str]], environment: dict[str, str], runs: int) -> dict[str, dict[str, float]]:
    """Return median wall and processor seconds of each command."""
    wall: dict[str, list[float]] = {name: [] for name in wanted}
    processor: dict[str, list[float]] = {name: [] for name in wanted}
    for turn in range(runs + 2):
        for name in random.sample(list(wanted), len(wanted)):
            begun = time.perf_counter()
            # As for supervisord itself.
            variables = {**environment, "PYTHONPATH": ""} if name == SUPERVISORCTL else environment
            process = subprocess.Popen(wanted[name], env=variables, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            took = time.perf_counter() - begun
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode != 0:
                raise SystemExit(f"{name} ended with {process.returncode}")
            if turn >= 2:  # the first turns compile and warm the caches
                wall[name].append(took)
                processor[name].append(usage.ru_utime + usage.ru_stime)
    return {
        name: {"wall": statistics.median(wall[name]), "processor": statistics.median(processor[name])}
        for name in wanted
    }


@contextlib.contextmanager
def daemon(environment: dict[str, str]) -> Iterator[None]:
    """Run a daemon with one agent."""
    hoody = [sys.executable, "-m", "hoody"]
    subprocess.run([*hoody, "up"], env=environment, check=True)
    try:
        subprocess.run([*hoody, "run", "--name", "sleeper", "--", "sleep", "10000"], env=environment, check=True)
        yield
    finally:
        subprocess.run([*hoody, "down"], env=environment, check=True)


@contextlib.contextmanager
def supervisord(folder: Path) -> Iterator[str | None]:
    """Run a supervisord with one program, where there is one; yields its configuration file."""
    venv = os.environ.get("HOODY_BENCH_SUPERVISOR")
    if not venv:
        yield None
        return
    configuration = folder / "supervisord.conf"
    configuration.write_text(
        f"[unix_http_server]\nfile={folder}/s.sock\n[supervisord]\nlogfile={folder}/s.log\npidfile={folder}/s.pid\n"
        "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        f"[supervisorctl]\nserverurl=unix://{folder}/s.sock\n[program:sleeper]\ncommand=sleep 10000\n"
    )
    # Its package has the name of one of ours, so it must not see this tree.
    environment = {**os.environ, "PYTHONPATH": ""}
    command = [str(Path(venv) / "bin" / "supervisord"), "-n", "-c", str(configuration)]
    process = subprocess.Popen(command, env=environment)
    try:
        while not (folder / "s.sock").exists():
            if process.poll() is not None:
                raise SystemExit("supervisord did not start")
            time.sleep(0.05)
        time.sleep(1.5)  # its program counts as running after a second
        yield str(configuration)
    finally:
        process.terminate()
        process.wait(20)


def report(found: dict[str, dict[str, float]]) -> bool:
    """Print the table and return whether every goal is kept."""
    floor = found[FLOOR]["wall"]
    kept = True
    for name, times in found.items():
        ratio = times["wall"] / floor
        goal = GOALS.get(name)
        verdict = "" if goal is None else f"  goal {goal:g} x: {'kept' if ratio <= goal else 'MISSED'}"
        kept = kept and (goal is None or ratio <= goal)
        print(f"{name:<22}{times['wall'] * 1000:7.1f} ms{ratio:7.2f} x{verdict}")
    if SUPERVISORCTL in found:
        ahead = found[STATUS]["wall"] < found[SUPERVISORCTL]["wall"]
        print(f"{STATUS} ahead of {SUPERVISORCTL}: {'kept' if ahead else 'MISSED'}")
        kept = kept and ahead
    return kept


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hoody-bench-") as name:
        folder = Path(name)
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("HOODY_", "PYTHON"))}
        environment |= {
            "HOODY_HOME": str(folder / "home"),
            "PYTHONPATH": str(ROOT),
            "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
        }
        with daemon(environment), supervisord(folder) as configuration:
            found = measure(commands(configuration), environment, options.runs)
    kept = report(found)
    if options.json:
        floor = found[FLOOR]["wall"]
        ratios = {name: times["wall"] / floor for name, times in found.items()}
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps({"seconds": found, "ratios": ratios, "goals": GOALS}, indent=2) + "\n")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
