"""The types of the runtime hold what they promise to a strict checker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_refs_asks_and_replies_keep_their_types() -> None:
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "tests/typing/runtime_generics.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
