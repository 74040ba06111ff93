"""A writer that is killed at any instant has lost nothing that it was told is done."""

from __future__ import annotations

import contextlib
import itertools
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
from tests.supervisor.store.writers import NAMES, operations

KILLS = 25
ROOT = Path(__file__).parents[3]


def test_every_acknowledged_write_is_there_after_a_kill_at_a_random_instant(path: Path) -> None:
    first_seed = int(os.environ.get("HOODY_TEST_SEED") or random.SystemRandom().randrange(1, 1000))
    print(f"seeds {first_seed} to {first_seed + KILLS - 1}; repeat with HOODY_TEST_SEED={first_seed}")
    command = [sys.executable, "-m", "tests.supervisor.store.writers", str(path.parent)]
    before = dict.fromkeys(NAMES, 0)
    total = 0
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as helper:
        for seed in range(first_seed, first_seed + KILLS):
            answered = one_life(helper, seed)
            total += sum(map(len, answered.values()))
            after = stored(path)
            for name in NAMES:
                expected = possible(seed, name, before[name], answered[name])
                assert after[name] in expected, (
                    f"{name} with seed {seed}: {after[name]} is there, not one of {expected}"
                )
            before = after
        assert helper.stdin is not None
        helper.stdin.close()
    assert total > KILLS


def one_life(helper: subprocess.Popen[bytes], seed: int) -> dict[str, list[int]]:
    """Let one writer live for a random time after its first answer; return what was answered, by name."""
    assert helper.stdin is not None
    assert helper.stdout is not None
    helper.stdin.write(f"{seed}\n".encode())
    helper.stdin.flush()
    answered: dict[str, list[int]] = {name: [] for name in NAMES}
    pid = 0
    while not (pid and any(answered.values())):
        word, number = helper.stdout.readline().decode().split()
        if word == "pid":
            pid = int(number)
        else:
            answered[word].append(int(number))
    time.sleep(random.Random(seed).uniform(0, 0.1))
    os.kill(pid, signal.SIGKILL)
    while (line := helper.stdout.readline().decode().strip()) != "dead":
        word, number = line.split()
        answered[word].append(int(number))
    return answered


def possible(seed: int, name: str, before: int, answered: list[int]) -> set[int]:
    """Return the revisions that may be there: the last one that was answered, or what was asked after it, whole."""
    asked = list(itertools.islice(operations(seed, name), len(answered) + 1))
    assert answered == asked[:-1]
    return {answered[-1] if answered else before, asked[-1]}


def stored(path: Path) -> dict[str, int]:
    """Return the revision of each unit that is on disk, 0 where it is not there."""
    nobody: Any = None
    with contextlib.closing(Database(path, now=lambda: NOW)) as database:
        (outcome,) = database.carry_out([LoadUnits(kind=Kind.AGENT, reply_to=nobody)])
        assert not database.findings
    assert isinstance(outcome, tuple)
    for record in outcome:
        assert len(record.spec.environment["PADDING"]) == record.revision * 37 % 3000
        # Notes are not waited for: the last ones may be missing, but what is there is of this unit's past.
        assert record.progress.incarnation <= record.revision
    return {**dict.fromkeys(NAMES, 0), **{record.name: record.revision for record in outcome}}
