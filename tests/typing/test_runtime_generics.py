"""The types of the runtime hold what they promise to a strict checker."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_refs_asks_and_replies_keep_their_types() -> None:
    checked = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--config-file",
            str(HERE.parents[1] / "pyproject.toml"),
            "runtime_generics.py",
        ],
        cwd=HERE,
        capture_output=True,
        text=True,
        timeout=55,
        check=False,
        env={"MYPYPATH": str(HERE.parents[1]), "PATH": ""},
    )

    assert checked.returncode == 0, checked.stdout + checked.stderr
