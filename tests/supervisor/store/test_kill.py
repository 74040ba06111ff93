"""A writer that is killed at any instant has lost nothing that it was told is done."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from supervisor.store.database import Database
from supervisor.store.messages import LoadUnits
from supervisor.units.status import Kind
from tests.supervisor.store.conftest import NOW

KILLS = 25
ROOT = Path(__file__).parents[3]


def test_every_acknowledged_write_is_there_after_a_kill_at_a_random_instant(path: Path) -> None:
    first_seed = int(os.environ.get("HOODY_TEST_SEED") or random.SystemRandom().randrange(1, 1000))
    print(f"seeds {first_seed} to {first_seed + KILLS - 1}; repeat with HOODY_TEST_SEED={first_seed}")
    command = [sys.executable, "-m", "tests.supervisor.store.writers", str(path.parent)]
    # What was acknowledged last, and what may have been asked after that, by name.
    acknowledged: dict[str, int] = {}
    total = 0
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as helper:
        assert helper.stdin is not None
        assert helper.stdout is not None
        for seed in range(first_seed, first_seed + KILLS):
            total += one_life(helper, seed, acknowledged)
            check(path, acknowledged, seed)
        helper.stdin.close()
    assert total > KILLS


def one_life(helper: subprocess.Popen[bytes], seed: int, acknowledged: dict[str, int]) -> int:
    """Let one writer live for a random time, and take down what it was told is done. Returns how much that was."""
    assert helper.stdin is not None
    assert helper.stdout is not None
    helper.stdin.write(f"{seed}\n".encode())
    helper.stdin.flush()
    lines: list[str] = []
    pid = 0
    while not (pid and lines):
        word, number = helper.stdout.readline().decode().split()
        if word == "pid":
            pid = int(number)
        else:
            lines.append(f"{word} {number}")
    time.sleep(random.Random(seed).uniform(0, 0.1))
    os.kill(pid, signal.SIGKILL)
    while (line := helper.stdout.readline().decode().strip()) != "dead":
        lines.append(line)
    for line in lines:
        name, revision = line.split()
        acknowledged[name] = int(revision)
    return len(lines)


def check(path: Path, acknowledged: dict[str, int], seed: int) -> None:
    nobody: Any = None
    database = Database(path, now=lambda: NOW)
    (outcome,) = database.carry_out([LoadUnits(kind=Kind.AGENT, reply_to=nobody)])
    database.close()
    assert isinstance(outcome, tuple)
    found = {record.name: record for record in outcome}

    assert not database.findings
    for name, revision in acknowledged.items():
        # One more request of each writer may have been on its way: then it is there whole, or not at all.
        if name not in found:
            assert revision == 0 or seed_forgets(revision, seed), f"{name} {revision} was acknowledged and is gone"
            continue
        there = found[name]
        assert there.revision in {revision, revision + 1} or revision == 0, f"{name}: {there.revision}, told {revision}"
        assert len(there.spec.environment["PADDING"]) == there.revision * 37 % 3000


def seed_forgets(revision: int, seed: int) -> bool:
    """Tell whether the request on its way may have been the forgetting that comes before the next save."""
    return revision // 1_000_000 == seed
