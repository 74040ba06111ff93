"""The daemon's imports are out of the way of its garbage collector."""

from __future__ import annotations

import subprocess
import sys

LOOK = """
import gc
from hoody.daemon import main
from hoody.daemon.heap import settle

settle()
kept, watched = gc.get_freeze_count(), len(gc.get_objects())
print(kept, watched)
"""


def test_what_the_daemon_has_imported_is_never_walked_over_again() -> None:
    """In a process of its own: what is frozen stays so."""
    found = subprocess.run([sys.executable, "-c", LOOK], check=True, capture_output=True, text=True, timeout=30)
    kept, watched = map(int, found.stdout.split())

    assert kept > 20_000
    assert watched < 1_000
